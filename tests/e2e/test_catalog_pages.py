"""From a meter to a subscriber in a real browser: feature, plan, publishing, subscription."""

import re
from collections.abc import Iterator

import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Page, ViewportSize, expect
from settings_support import House, open_house
from verbs import (
    PATIENCE,
    begin_plan,
    connect,
    create_customer,
    fill_in_feature,
    fill_in_fee,
    fill_in_graduated_price,
    make_meter,
    publish,
    subscribe,
)

PHONE: ViewportSize = {"width": 390, "height": 844}
AT_REST = """() => document.getAnimations()
  .every((one) => one.playState !== 'running' || one.effect.getComputedTiming().iterations === Infinity)"""
WIDER_THAN_WINDOW = "() => document.documentElement.scrollWidth > window.innerWidth"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk of its own: empty, beside its own sandbox."""
    yield from open_house(tmp_path_factory.mktemp("catalog"))


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


@pytest.fixture
def accessible(accessible: Accessible) -> Accessible:
    """Axe on a page at rest: a button that goes away while its colour changes aborts the wait in there."""

    def check(page: Page) -> None:
        page.wait_for_function(AT_REST)
        accessible(page)

    return check


def make_feature(page: Page, accessible: Accessible) -> None:
    page.goto("/features")
    expect(page.get_by_text("No features yet")).to_be_visible()
    accessible(page)
    form = fill_in_feature(page)
    form.get_by_label("Only these dimension values").fill("colour = red")
    accessible(page)
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("The meter has no dimension colour")).to_be_visible()
    form.get_by_label("Only these dimension values").fill("model = large, small")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("model = large, small")).to_be_visible()
    accessible(page)


def add_graduated_price(page: Page, accessible: Accessible, picture: Picture) -> None:
    """Up to 1,000 tokens at 2 cents, then 1 cent; at least $10."""
    form = fill_in_graduated_price(page)
    form.get_by_label("Try the price with").fill("5,230")
    form.get_by_role("button", name="Preview price").click()
    # 1,000 at $0.02 and 4,230 at $0.01.
    expect(form.get_by_text("5,230 units cost $62.30, because")).to_be_visible()
    accessible(page)
    picture(page, "plan-rate-card")
    form.get_by_text("Discounts, minimum and maximum").click()
    form.get_by_label("Minimum spend").fill("10")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("at least $10.00")).to_be_visible()


def test_from_a_meter_to_a_subscriber(page: Page, house: House, picture: Picture, accessible: Accessible) -> None:
    connect(page, "Send Invoice")
    make_meter(page, "model = $.model")
    make_feature(page, accessible)

    page.goto("/plans")
    expect(page.get_by_text("No plans yet")).to_be_visible()
    accessible(page)
    begin_plan(page, "Team", "team")
    expect(page.get_by_text("Add at least one rate card.")).to_be_visible()
    expect(page.get_by_role("button", name="Publish…")).to_be_disabled()

    form = fill_in_fee(page, "Base fee", "base_fee", "-30")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("The amount cannot be below zero.")).to_be_visible()
    page.get_by_role("button", name="Edit Base fee").click()
    expect(form.get_by_text("The amount cannot be below zero.")).to_be_visible()
    form.get_by_label("Amount").fill("30")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("$30.00 in advance")).to_be_visible()

    add_graduated_price(page, accessible, picture)
    accessible(page)
    picture(page, "plan-draft")
    page.get_by_role("button", name="Preview price of Tokens used").click()
    form.get_by_label("Units used in one period").fill("100")
    expect(form.get_by_text("100 units cost $10.00, because")).to_be_visible()
    page.keyboard.press("Escape")

    publish(page)
    page.reload()
    expect(page.get_by_role("button", name="Next version")).to_be_visible()
    accessible(page)
    picture(page, "plan-active")
    plan_address = page.url

    create_customer(page, "Acme GmbH", "acme", "billing@acme.test")
    page.goto("/subscriptions")
    expect(page.get_by_text("No subscriptions yet")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Create subscription").click()
    form.get_by_label("Customer", exact=True).fill("acme")
    form.get_by_role("button", name="Acme GmbH").click()
    form.get_by_label("Plan").select_option("Team, version 1 (USD)")
    accessible(page)
    form.get_by_role("button", name="Create subscription").click()
    expect(form.get_by_text("Invalid billing setup")).to_be_visible(timeout=PATIENCE)
    picture(page, "subscription-refused")
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_be_hidden()

    page.goto("/customers")
    page.get_by_role("link", name="Acme GmbH").click()
    page.get_by_role("button", name="Create in Stripe").click()
    expect(page.get_by_text("Ready to bill")).to_be_visible(timeout=PATIENCE)
    subscribe(page, "Acme GmbH", "Team, version 1 (USD)")
    expect(page.get_by_role("heading", name="Team", level=1)).to_be_visible()
    expect(page.get_by_text("$40.00 so far").first).to_be_visible()
    accessible(page)
    picture(page, "subscription")

    page.get_by_text("Cancel", exact=True).first.click()
    page.get_by_role("button", name="Cancel at period end…").click()
    form.get_by_role("button", name="Cancel at period end").click()
    expect(page.get_by_text("Ends soon")).to_be_visible()
    page.get_by_role("button", name="Take it back…").click()
    form.get_by_role("button", name="Go on with this subscription").click()
    expect(page.get_by_role("main").get_by_text("Active", exact=True)).to_be_visible()

    page.set_viewport_size(PHONE)
    for address, name in ((page.url, "subscription-phone"), (plan_address, "plan-phone"), ("/plans", "plans-phone")):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("main").get_by_text("Team").first).to_be_visible()
        assert not page.evaluate(WIDER_THAN_WINDOW), f"{name} scrolls sideways"
        accessible(page)
        picture(page, name)


def test_the_next_version_replaces_the_one_in_effect(page: Page, house: House, accessible: Accessible) -> None:
    page.goto("/plans")
    page.get_by_role("row").filter(has_text="team").get_by_role("link").click()
    page.get_by_role("button", name="Next version").click()
    expect(page.get_by_text("team · version 2 · USD")).to_be_visible()
    page.get_by_role("button", name="Remove Base fee").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove rate card").click()
    expect(page.get_by_text("$30.00 in advance")).to_be_hidden()
    page.get_by_role("button", name="Publish…").click()
    expect(page.get_by_text("It replaces version 1 now.")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("main").get_by_text("Archived")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Next version")).to_be_visible()
    page.emulate_media(color_scheme="dark")
    accessible(page)


def test_a_change_of_plan_with_the_next_period_can_be_taken_back(
    page: Page, house: House, accessible: Accessible
) -> None:
    dialog = page.get_by_role("dialog")
    page.goto("/subscriptions?status=active")
    page.get_by_role("row").filter(has_text="Acme GmbH").get_by_role("link", name="Team").click()
    page.get_by_role("button", name="Change plan…").click()
    dialog.get_by_label("New plan", exact=True).select_option("Team, version 2 (USD)")
    accessible(page)
    dialog.get_by_role("button", name="Change plan", exact=True).click()
    expect(page.get_by_text("Scheduled", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="The one before").click()
    expect(page.get_by_text("Ends soon")).to_be_visible()
    page.get_by_role("button", name="Take it back…").click()
    expect(dialog.get_by_text("The subscription that was to follow is deleted")).to_be_visible()
    dialog.get_by_role("button", name="Go on with this subscription").click()
    expect(page.get_by_role("main").get_by_text("Active", exact=True)).to_be_visible()


def test_terms_for_one_customer_come_from_a_draft(page: Page, house: House, accessible: Accessible) -> None:
    begin_plan(page, "Globex terms", "globex_terms")
    form = fill_in_fee(page, "Agreed fee", "agreed_fee", "77")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("$77.00 in advance")).to_be_visible()

    create_customer(page, "Globex Corp", "globex", "invoices@globex.test")
    page.get_by_role("button", name="Create in Stripe").click()
    expect(page.get_by_text("Ready to bill")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Choose a plan").click()
    page.get_by_role("button", name="Create subscription").click()
    expect(form.get_by_text("invoices@globex.test")).to_be_visible()
    form.get_by_label("Plan").select_option("Custom: draft of Globex terms, version 1 (USD)")
    accessible(page)
    form.get_by_role("button", name="Create subscription").click()
    page.wait_for_url(re.compile(r"/subscriptions/\w{26}$"), timeout=PATIENCE)
    expect(page.get_by_text("made for this customer")).to_be_visible()
    expect(page.get_by_text("$77.00 in advance")).to_be_visible()
    page.get_by_role("link", name="Globex Corp").first.click()
    expect(page.get_by_role("link", name="Globex terms")).to_be_visible()
    expect(page.get_by_text("Nothing in the last 30 days.")).to_be_visible()
    accessible(page)
