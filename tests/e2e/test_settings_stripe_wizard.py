"""The wizard that connects Stripe, walked in a real browser against the real sandbox, by the seeds' own words."""

import re
from collections.abc import Iterator

import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Page, expect
from settings_support import STRIPE, House, install, open_house, type_key


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk without a public address, so that events are polled."""
    yield from open_house(tmp_path_factory.mktemp("wizard"))


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """A page of the owner's browser; faults that a test ordered end with it."""
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()
    house.sandbox("DELETE", "/faults")


def test_a_newcomer_connects_stripe_and_starts_billing_with_auto_collection(
    page: Page, picture: Picture, accessible: Accessible
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Stripe", exact=True).click()
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_label("Stripe API Key")).to_have_attribute("type", "password")
    accessible(page)
    page.get_by_role("button", name="Try without a Stripe account").click()
    expect(page.get_by_text("Demo (sandbox)")).to_be_visible()
    expect(page.get_by_role("main").get_by_text("Sandbox", exact=True)).to_be_visible()
    accessible(page)
    picture(page, "wizard-key")
    page.get_by_role("button", name="Install Stripe app").click()

    expect(page.get_by_text("Events are polled")).to_be_visible()
    page.get_by_text("How to receive webhooks instead").click()
    expect(page.get_by_text("METERDESK_PUBLIC_URL=")).to_be_visible()
    expect(page.get_by_text("stripe listen")).to_be_visible()
    accessible(page)
    picture(page, "wizard-collection")
    page.get_by_role("button", name="Auto Collection").click()

    page.get_by_role("radio", name="On and enforced").check()
    expect(page.get_by_text("Stripe Tax is not set up in this account")).to_be_visible()
    expect(page.get_by_text("the address of your head office")).to_be_visible()
    page.get_by_role("button", name=re.compile("default tax code")).first.click()
    page.get_by_label("Search tax codes").fill("saas business")
    page.get_by_role("button", name="Software as a service (SaaS) - business use").click()
    expect(page.get_by_role("group", name="Default tax code")).to_contain_text("txcd_10103001")
    expect(page.get_by_text("ask a tax professional")).to_be_visible()
    accessible(page)
    picture(page, "wizard-tax")
    page.get_by_role("button", name="Create Billing Profile").click()

    expect(page.get_by_label("Set this as the new default billing profile")).to_be_checked()
    accessible(page)
    picture(page, "wizard-default")
    page.get_by_role("button", name="Start Billing").click()
    expect(page.get_by_text("Demo (sandbox): Auto Collection” is the default billing profile.").first).to_be_visible()
    accessible(page)

    page.goto("/settings/billing-profiles")
    row = page.get_by_role("row", name=re.compile("Demo \\(sandbox\\): Auto Collection"))
    expect(row).to_contain_text("Default")
    expect(row).to_contain_text("Stripe Tax, enforced")


def test_enterprise_customers_get_a_second_profile_by_mail_and_the_default_stays(page: Page, picture: Picture) -> None:
    app_id = install(page, "enterprise")
    page.get_by_role("button", name="Send Invoice").click()
    page.get_by_label("Profile name").fill("Enterprise by mail")
    page.get_by_label("Supplier name").fill("Acme GmbH")
    page.get_by_label("Supplier country").select_option("DE")
    page.get_by_label("Default currency").select_option("EUR")
    page.get_by_role("button", name="Create Billing Profile").click()
    default = page.get_by_label("Set this as the new default billing profile")
    expect(page.get_by_role("button", name="Start Billing")).to_be_visible()
    default.uncheck()
    expect(page.get_by_role("button", name="Start Billing")).to_have_count(0)
    picture(page, "wizard-keep-default")
    page.get_by_role("button", name="Keep Current Default Profile").click()
    expect(page.get_by_text("“Enterprise by mail” is ready.")).to_be_visible()

    page.goto("/settings/billing-profiles")
    row = page.get_by_role("row", name=re.compile("Enterprise by mail"))
    expect(row).to_contain_text("Send Invoice")
    expect(row).not_to_contain_text("Default")
    page.goto(f"{STRIPE}?app={app_id}")
    expect(page.get_by_role("link", name="Enterprise by mail")).to_be_visible()


def test_the_wizard_can_be_left_after_the_installation_and_taken_up_again(page: Page) -> None:
    install(page, "interrupted")
    page.goto("/")
    page.goto(STRIPE)
    card = page.get_by_role("listitem").filter(has_text="Interrupted (sandbox)")
    expect(card).to_contain_text("No billing profile uses this account")
    card.get_by_role("link", name="Continue set-up").click()
    page.get_by_role("button", name="Send Invoice").click()
    expect(page.get_by_label("Profile name")).to_have_value("Interrupted (sandbox): Send Invoice")
    page.reload()
    expect(page.get_by_label("Profile name")).to_have_value("Interrupted (sandbox): Send Invoice")
    page.go_back()
    expect(page.get_by_role("button", name="Auto Collection")).to_be_visible()


def test_leaving_before_the_last_question_leads_back_to_it(page: Page) -> None:
    app_id = install(page, "lastquestion")
    page.get_by_role("button", name="Auto Collection").click()
    page.get_by_role("button", name="Create Billing Profile").click()
    expect(page.get_by_role("button", name="Start Billing")).to_be_visible()
    page.goto("/")
    page.goto(f"{STRIPE}?app={app_id}&step=default")
    expect(page.get_by_role("button", name="Start Billing")).to_be_visible()
    expect(page.get_by_text("Lastquestion (sandbox): Auto Collection").first).to_be_visible()


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("pk_test_51abcdefghijklmnop", "That is a publishable key"),
        ("whsec_abcdefghijklmnopqrst", "That is a webhook signing secret"),
        ("not a key at all, I am afraid", "That does not look like a Stripe API key."),
        ("sk_test_51thisKeyWasRevokedLongAgo", "Invalid API Key provided"),
    ],
)
def test_a_key_that_opens_nothing_is_refused_beside_the_field_and_forgotten(
    page: Page, house: House, key: str, sentence: str
) -> None:
    type_key(page, key)
    expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
    page.get_by_role("button", name="Install Stripe app").click()
    expect(page.get_by_label("Stripe API Key")).to_have_value("")
    expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
    expect(page.get_by_label("Stripe API Key")).to_have_attribute("aria-invalid", "true")
    assert key not in house.server.log.read_text()


def test_what_a_restricted_key_lacks_is_named_in_stripes_words_before_anything_is_installed(
    page: Page, house: House, accessible: Accessible
) -> None:
    house.sandbox("POST", "/account", account="narrow", permissions={"invoice": "none", "webhook": "none"})
    type_key(page, "rk_test_sandbox_narrow")
    expect(page.get_by_text("This restricted key lacks permissions")).to_be_visible()
    expect(page.get_by_text("rak_invoice_read")).to_be_visible()
    expect(page.get_by_text("Restricted key", exact=True)).to_be_visible()
    accessible(page)


def test_an_installation_that_stripe_refuses_half_way_says_why_and_leaves_nothing_behind(
    page: Page, house: House
) -> None:
    house.sandbox(
        "POST", "/faults", effect="forbidden", method="POST", path="/v1/billing_portal/configurations", times=0
    )
    type_key(page, "sk_test_sandbox_halfway")
    page.get_by_role("button", name="Install Stripe app").click()
    expect(page.get_by_role("alert").filter(has_text="does not have the required permissions")).to_be_visible()
    expect(page.get_by_role("button", name="Install Stripe app")).to_be_enabled()
    page.goto(STRIPE)
    expect(page.get_by_role("heading", level=1)).to_have_text("Stripe")
    expect(page.get_by_text("Halfway (sandbox)")).to_have_count(0)
    assert house.endpoints("halfway") == []

    house.sandbox("DELETE", "/faults")
    install(page, "halfway")


def test_an_account_that_is_installed_already_is_opened_rather_than_installed_twice(page: Page) -> None:
    app_id = install(page, "twice")
    type_key(page, "sk_test_sandbox_twice")
    expect(page.get_by_text("This account is installed already")).to_be_visible()
    page.get_by_role("link", name="Open the installed app").first.click()
    expect(page).to_have_url(re.compile(f"app={app_id}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Twice (sandbox)")


def test_the_key_never_comes_back_to_the_browser_nor_into_an_address_nor_the_log(page: Page, house: House) -> None:
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    key = "sk_test_sandbox_hushhushhush"
    install(page, "hushhushhush")
    page.reload()
    expect(page.get_by_role("button", name="Auto Collection")).to_be_visible()
    assert any("Hushhushhush" in frame for frame in received)
    assert not any(key in frame for frame in received)
    assert key not in page.url
    assert key not in page.content()
    assert key not in house.server.log.read_text()


def test_an_account_connected_in_one_window_shows_in_another_without_a_reload(
    browser: Browser, page: Page, house: House
) -> None:
    other = house.sign_in(browser).new_page()
    other.goto(STRIPE)
    expect(other.get_by_role("heading", level=1)).to_have_text("Stripe")
    install(page, "elsewhere")
    expect(other.get_by_text("Elsewhere (sandbox)")).to_be_visible()
    other.context.close()


def test_a_profile_without_a_country_is_refused_at_the_field_and_keeps_what_was_typed(page: Page) -> None:
    install(page, "nocountry")
    page.get_by_role("button", name="Auto Collection").click()
    page.get_by_label("Profile name").fill("Typed with care")
    page.get_by_label("Supplier country").evaluate("field => { field.required = false; field.value = ''; }")
    page.get_by_role("button", name="Create Billing Profile").click()
    expect(page.get_by_role("alert").filter(has_text="Choose the country you sell from.")).to_be_visible()
    expect(page.get_by_label("Profile name")).to_have_value("Typed with care")


def test_the_wizard_fits_a_phone(browser: Browser, house: House, accessible: Accessible, picture: Picture) -> None:
    context = house.sign_in(browser)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    app_id = install(page, "phone")
    for step in ("collection", "profile&method=send_invoice"):
        page.goto(f"{STRIPE}?app={app_id}&step={step}")
        expect(page.get_by_role("list", name="Steps to connect Stripe")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        accessible(page)
        picture(page, f"wizard-phone-{step[:7]}")
    context.close()
