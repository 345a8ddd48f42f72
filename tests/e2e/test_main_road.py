"""The main road in a real browser: connect Stripe, bill a customer, see the invoice paid, in a second browser too."""

import re
from collections.abc import Iterator

import httpx
import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Page, expect
from settings_support import House, open_house
from verbs import connect, create_customer, invoice, pay_by_card

PATIENCE = 30_000
API_KEY = "a-key-for-the-first-start"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk without a public address: everything it learns of Stripe, it learns by polling."""
    yield from open_house(tmp_path_factory.mktemp("road"), METERDESK_API_KEY=API_KEY)


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


@pytest.fixture
def onlooker(browser: Browser, house: House) -> Iterator[Page]:
    """Somebody else of the team, in a browser of their own, who only watches."""
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


def test_from_an_empty_desk_to_a_paid_invoice_by_auto_collection(
    page: Page, onlooker: Page, house: House, picture: Picture, accessible: Accessible
) -> None:
    page.goto("/")
    expect(page.get_by_text("Five steps from nothing to a paid invoice.")).to_be_visible()
    accessible(page)
    picture(page, "home-empty")
    connect(page, "Auto Collection")

    create_customer(page, "Acme GmbH", "acme", "billing@acme.test")
    expect(page.get_by_text("What this customer still needs")).to_be_visible(timeout=PATIENCE)
    accessible(page)
    picture(page, "customer-new")
    pay_by_card(page, house)
    expect(page.get_by_text("Visa ending 4242")).to_be_visible()
    accessible(page)
    picture(page, "customer-ready")

    invoice(page, "Onboarding workshop", "2", "150.25")
    onlooker.goto(page.url)
    expect(onlooker.get_by_text("$300.50").first).to_be_visible()
    for desk in (page, onlooker):
        badge = desk.get_by_role("banner").or_(desk.get_by_role("main")).get_by_text("Paid", exact=True).first
        expect(badge).to_be_visible(timeout=PATIENCE)
        expect(desk.get_by_text("Status at Stripe").locator("xpath=following-sibling::*[1]")).to_have_text(
            "paid", timeout=PATIENCE
        )
    accessible(page)
    picture(page, "invoice-paid")
    page.get_by_text("Onboarding workshop").first.click()
    expect(page.get_by_text("Why this amount")).to_be_visible()

    page.goto("/invoices")
    expect(page.get_by_role("row").filter(has_text="Acme GmbH")).to_contain_text("Paid")
    accessible(page)
    picture(page, "invoices")
    page.goto("/stripe/events?state=applied")
    expect(page.get_by_text("invoice.paid").first).to_be_visible()
    accessible(page)
    picture(page, "stripe-events")
    page.goto("/")
    expect(page.get_by_text("$300.50").first).to_be_visible()
    accessible(page)
    picture(page, "home")


def test_an_invoice_that_is_sent_is_paid_on_its_hosted_page(
    page: Page, house: House, picture: Picture, accessible: Accessible
) -> None:
    profiles = httpx.get(
        f"{house.server.url}/api/v1/billing/profiles", headers={"Authorization": f"Bearer {API_KEY}"}, timeout=10
    )
    if not profiles.json()["items"]:
        connect(page, "Auto Collection")
    create_customer(page, "Globex Corp", "globex", "invoices@globex.test")
    page.get_by_role("button", name="Change", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_label("Collection").select_option("send_invoice")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("set for this customer")).to_be_visible()
    page.get_by_role("button", name="Create in Stripe").click()
    expect(page.get_by_text("Ready to bill")).to_be_visible(timeout=PATIENCE)

    invoice(page, "Consulting, November", "8", "120")
    expect(page.get_by_text("Issued", exact=True).first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="Hosted invoice page")).to_be_visible(timeout=PATIENCE)
    accessible(page)
    picture(page, "invoice-sent")
    stripe_invoice = re.search(r"in_\w+", page.get_by_role("main").inner_text())
    assert stripe_invoice is not None
    house.sandbox("POST", f"/invoices/{stripe_invoice[0]}/pay_page", payment_method="pm_card_visa")
    expect(page.get_by_text("Status at Stripe").locator("xpath=following-sibling::*[1]")).to_have_text(
        "paid", timeout=PATIENCE
    )


def test_an_event_shows_on_the_open_page_with_what_it_counts(
    page: Page, house: House, picture: Picture, accessible: Accessible
) -> None:
    page.goto("/meters")
    page.get_by_role("button", name="Create meter").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Key").fill("tokens_total")
    form.get_by_label("Event type").fill("prompt")
    form.get_by_label("Value").fill("$.tokens")
    accessible(page)
    form.get_by_role("button", name="Preview on events").click()
    expect(form.get_by_text("No such events yet")).to_be_visible()
    form.get_by_role("button", name="Create meter").click()
    expect(page.get_by_role("heading", name="tokens_total", level=1)).to_be_visible()

    page.goto("/events")
    expect(page.get_by_text("No events yet")).to_be_visible()
    accessible(page)
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "app",
        "type": "prompt",
        "subject": "acme",
        "data": {"tokens": 7},
    }
    answer = httpx.post(
        f"{house.server.url}/api/v1/events", json=event, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=10
    )
    assert answer.status_code == 204
    expect(page.get_by_role("row").filter(has_text="prompt")).to_contain_text("tokens_total 7")
    accessible(page)
    picture(page, "events")
    page.goto("/meters/tokens_total")
    expect(page.get_by_text("Measured in this time").locator("xpath=following-sibling::*[1]")).to_have_text("7")
    accessible(page)
    picture(page, "meter")
