"""The page of a connected Stripe account: health, key, webhook, and the way out."""

import re
from collections.abc import Iterator

import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Locator, Page, expect
from settings_support import STRIPE, House, create_profile, install, open_house

PUBLIC_URL = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk with a public address, at which a webhook is registered (nobody listens there)."""
    yield from open_house(tmp_path_factory.mktemp("apps"), METERDESK_PUBLIC_URL=PUBLIC_URL)


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """A page of the owner's browser; faults that a test ordered end with it."""
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()
    house.sandbox("DELETE", "/faults")


def test_the_page_names_account_key_and_webhook_and_the_webhook_is_there_in_stripe(
    page: Page, house: House, accessible: Accessible, picture: Picture
) -> None:
    app_id = install(page, "webhooked")
    address = f"{PUBLIC_URL}/api/v1/apps/{app_id}/stripe/webhook"
    expect(page.get_by_text("A webhook was set up automatically")).to_be_visible()
    expect(page.get_by_text(address)).to_be_visible()
    assert house.endpoints("webhooked") == [address]
    page.goto(f"{STRIPE}?app={app_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooked (sandbox)")
    main = page.get_by_role("main")
    expect(main.get_by_text(address)).to_be_visible()
    expect(main.get_by_text("sk_test_…oked")).to_be_visible()
    expect(main.get_by_text("No billing profile uses this account")).to_be_visible()
    accessible(page)
    picture(page, "stripe-app")


def test_the_signing_secret_is_rotated_with_a_new_endpoint_in_the_place_of_the_old(page: Page, house: House) -> None:
    app_id = install(page, "rotating")
    before = house.endpoints("rotating")
    page.goto(f"{STRIPE}?app={app_id}")
    page.get_by_role("button", name="Rotate signing secret").click()
    expect(page.get_by_text("The signing secret was rotated")).to_be_visible()
    assert house.endpoints("rotating") == before


def test_a_new_key_has_to_open_the_same_account(page: Page, accessible: Accessible) -> None:
    app_id = install(page, "keychange")
    page.goto(f"{STRIPE}?app={app_id}")
    page.get_by_role("button", name="Replace key").click()
    dialog = page.get_by_role("dialog", name="Replace key")
    expect(dialog.get_by_label("New Stripe API Key")).to_be_visible()
    accessible(page)
    dialog.get_by_label("New Stripe API Key").fill("sk_test_sandbox_somebodyelse")
    dialog.get_by_role("button", name="Replace key").click()
    expect(dialog.get_by_role("alert").filter(has_text="opens another Stripe account")).to_be_visible()
    expect(dialog.get_by_label("New Stripe API Key")).to_have_value("")
    dialog.get_by_label("New Stripe API Key").fill("rk_test_sandbox_keychange")
    dialog.get_by_role("button", name="Replace key").click()
    expect(page.get_by_text("The key was replaced")).to_be_visible()
    expect(page.get_by_role("main").get_by_text(re.compile("^rk_test_…"))).to_be_visible()


def test_an_account_in_use_is_not_uninstalled_and_what_uses_it_is_listed(page: Page, accessible: Accessible) -> None:
    app_id = install(page, "inuse")
    name = create_profile(page, app_id)
    dialog = _ask_to_uninstall(page, app_id)
    expect(dialog.get_by_text("It is still in use")).to_be_visible()
    expect(dialog.get_by_text(re.compile(re.escape(name)))).to_be_visible()
    accessible(page)
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Inuse (sandbox)")


def test_uninstalling_asks_for_the_account_and_takes_the_webhook_along(page: Page, house: House) -> None:
    app_id = install(page, "leaving")
    page.goto(f"{STRIPE}?app={app_id}")
    page.get_by_role("button", name="Uninstall").click()
    dialog = page.get_by_role("dialog", name=re.compile("Uninstall Leaving"))
    dialog.get_by_label(re.compile("^Type")).fill("something else")
    dialog.get_by_role("button", name="Uninstall").click()
    expect(dialog.get_by_role("alert").filter(has_text="exactly")).to_be_visible()
    assert len(house.endpoints("leaving")) == 1
    _confirm(page)
    expect(page.get_by_text("Leaving (sandbox) was uninstalled")).to_be_visible()
    assert house.endpoints("leaving") == []
    page.goto(f"{STRIPE}?app={app_id}")
    expect(page.get_by_role("alert").filter(has_text="was uninstalled on")).to_be_visible()


def test_uninstalling_with_a_revoked_key_names_what_is_left_in_stripe(page: Page, house: House) -> None:
    app_id = install(page, "revoked")
    house.sandbox("POST", "/faults", effect="unauthorized", path="/v1/", times=0)
    _ask_to_uninstall(page, app_id)
    expect(page.get_by_text("Revoked (sandbox) was uninstalled")).to_be_visible()
    left = page.get_by_role("note").filter(has_text="Remove it by hand")
    expect(left).to_contain_text(f"/api/v1/apps/{app_id}/stripe/webhook")
    house.sandbox("DELETE", "/faults")
    assert len(house.endpoints("revoked")) == 1
    left.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Revoked (sandbox) was uninstalled")).to_have_count(0)


def _ask_to_uninstall(page: Page, app_id: str) -> Locator:
    page.goto(f"{STRIPE}?app={app_id}")
    page.get_by_role("button", name="Uninstall").click()
    return _confirm(page)


def _confirm(page: Page) -> Locator:
    dialog = page.get_by_role("dialog", name=re.compile("^Uninstall"))
    field = dialog.get_by_label(re.compile("^Type"))
    account = re.search(r"acct_\w+", dialog.inner_text())
    assert account is not None
    field.fill(account[0])
    dialog.get_by_role("button", name="Uninstall").click()
    return dialog
