"""From an empty desk to a paid invoice of metered usage, a month later, with each cent of it explained on its page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import OWNER, Accessible, Picture, free_port, running_server
from openmeter import Client
from playwright.sync_api import Browser, Page, expect
from settings_support import House, open_house
from test_main_road import connect, create_customer

API_KEY = "a-key-for-the-first-start"
PATIENCE = 180_000
A_MONTH_LATER = "P32D"

today = contextmanager(open_house)


@contextmanager
def later(data_dir: Path, by: str) -> Iterator[House]:
    """The same Meterdesk and sandbox, started again with both their clocks moved; the owner signs in anew."""
    sandbox_url = f"http://127.0.0.1:{free_port()}"
    stripe = {"METERDESK_SANDBOX_URL": sandbox_url, "METERDESK_STRIPE_API_BASE": sandbox_url}
    for server in running_server(data_dir, METERDESK_CLOCK=f"offset:{by}", **stripe):
        answer = httpx.post(f"{server.url}/auth/login", data=OWNER, headers={"origin": server.url}, timeout=30)
        house = House(server, sandbox_url, dict(answer.cookies))
        house.sandbox("POST", "/clock", advance=by)
        yield house


def make_tax_code(page: Page) -> None:
    page.goto("/settings/tax-codes")
    page.get_by_role("button", name="Create tax code").first.click()
    editor = page.get_by_role("dialog", name="Create tax code")
    editor.get_by_label("Name", exact=True).fill("Tokens")
    editor.get_by_role("button", name="Choose stripe tax code").click()
    editor.get_by_label("Search tax codes").fill("saas business")
    editor.get_by_role("button", name=re.compile("business use")).first.click()
    editor.get_by_role("button", name="Create tax code").click()
    expect(page.get_by_role("row", name=re.compile("Tokens"))).to_contain_text("txcd_10103001")


def make_meter_and_feature(page: Page) -> None:
    page.goto("/meters")
    page.get_by_role("button", name="Create meter").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Key").fill("tokens_total")
    form.get_by_label("Event type").fill("prompt")
    form.get_by_label("Value").fill("$.tokens")
    form.get_by_label("Dimensions").fill("model = $.model")
    form.get_by_role("button", name="Create meter").click()
    expect(page.get_by_role("heading", name="tokens_total", level=1)).to_be_visible()
    page.goto("/features")
    page.get_by_role("button", name="Create feature").click()
    form.get_by_label("Name").fill("Tokens")
    form.get_by_label("Key").fill("tokens")
    form.get_by_label("Meter", exact=False).first.select_option("tokens_total")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="tokens", exact=False).first).to_be_visible()


def make_plan(page: Page) -> None:
    """$20 a month in advance; 2 cents for each of the first 1,000 tokens, then 1 cent."""
    page.goto("/plans")
    page.get_by_role("button", name="Create plan").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("Team")
    form.get_by_label("Key").fill("team")
    form.get_by_role("button", name="Create draft").click()
    expect(page.get_by_role("heading", name="Team", level=1)).to_be_visible()
    page.get_by_role("button", name="Add flat fee").click()
    form.get_by_label("Name").fill("Base fee")
    form.get_by_label("Key").fill("base_fee")
    form.get_by_label("Amount").fill("20")
    form.get_by_label("Tax code").select_option("Tokens (tokens)")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("$20.00 in advance")).to_be_visible()
    page.get_by_role("button", name="Add usage price").click()
    form.get_by_label("Name").fill("Tokens used")
    form.get_by_label("Feature").select_option("tokens")
    form.get_by_label("Price", exact=True).select_option("graduated")
    form.get_by_label("Tier 1: up to").fill("1000")
    form.get_by_label("Tier 1: price per unit").fill("0.02")
    form.get_by_label("Tier 2: price per unit").fill("0.01")
    form.get_by_label("Tax code").select_option("Tokens (tokens)")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_role("button", name="Edit Tokens used")).to_be_visible()
    page.get_by_role("button", name="Publish…").click()
    form.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("main").get_by_text("Active", exact=True)).to_be_visible()


def link_with_card(page: Page, house: House) -> None:
    """On a customer's page: a checkout link, and the customer walks it."""
    page.get_by_role("button", name="Create checkout link").click()
    link = page.get_by_role("link", name="Open").first
    expect(link).to_be_visible(timeout=PATIENCE)
    session = re.search(r"cs_test_\w+", link.get_attribute("href") or "")
    assert session is not None
    house.sandbox("POST", f"/checkout/{session[0]}/complete", payment_method="pm_card_visa", email="billing@acme.test")
    expect(page.get_by_text("Ready to bill")).to_be_visible(timeout=PATIENCE)


def subscribe(page: Page) -> None:
    page.goto("/subscriptions")
    page.get_by_role("button", name="Create subscription").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Acme GmbH").click()
    form.get_by_label("Plan").select_option("Team, version 1 (USD)")
    form.get_by_role("button", name="Create subscription").click()
    page.wait_for_url(re.compile(r"/subscriptions/\w{26}$"), timeout=PATIENCE)


def send_events(house: House) -> None:
    """5,230 tokens in three events through OpenMeter's own client; the last one is sent twice."""
    client = Client(endpoint=house.server.url, token=API_KEY)
    event: dict[str, Any] = {"source": "app", "specversion": "1.0", "type": "prompt", "subject": "acme"}
    told = [("1", 1000, "small"), ("2", 4000, "large"), ("3", 230, "small"), ("3", 230, "small")]
    for number, tokens, model in told:
        told_event: Any = event | {"id": number, "data": {"tokens": tokens, "model": model}}
        client.events.ingest_event(told_event)


def open_paid_invoice(page: Page, total: str) -> None:
    """Waits in the list until the invoice of this total is paid, then opens it."""
    page.goto("/invoices")
    row = page.get_by_role("row").filter(has_text=total)
    expect(row).to_contain_text("Paid", timeout=PATIENCE)
    row.get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/invoices/\w{26}$"))


def check_the_reasons(page: Page) -> None:
    """Every figure on the invoice that makes $82.30, down to the events."""
    lines = page.get_by_role("listitem").filter(has=page.locator("summary"))
    fee = lines.filter(has_text="Base fee")
    fee.locator("summary").click()
    expect(fee).to_contain_text("txcd_10103001")
    expect(fee).to_contain_text("1 × $20.00")
    used = lines.filter(has_text="Tokens used")
    used.locator("summary").click()
    for reason in ("Why this amount", "5,230", "1,000 × $0.02", "$20.00", "4,230 × $0.01", "$42.30", "tokens_total"):
        expect(used).to_contain_text(reason)
    expect(used.locator("summary")).to_contain_text("$62.30")


@pytest.mark.timeout(600)
def test_a_month_of_metered_usage_is_invoiced_paid_and_explained(
    browser: Browser, tmp_path: Path, picture: Picture, accessible: Accessible
) -> None:
    with today(tmp_path, METERDESK_API_KEY=API_KEY) as house:
        context = house.sign_in(browser)
        page = context.new_page()
        connect(page, "Auto Collection")
        make_tax_code(page)
        make_meter_and_feature(page)
        make_plan(page)
        create_customer(page, "Acme GmbH", "acme", "billing@acme.test")
        link_with_card(page, house)
        subscribe(page)
        expect(page.get_by_text("Tokens used").first).to_be_visible()
        send_events(house)
        page.reload()
        # What comes next: the usage so far, 1,000 at 2 cents and 4,230 at 1 cent, and the next fee.
        expect(page.get_by_text("$82.30 so far")).to_be_visible()
        accessible(page)
        picture(page, "month-subscription")
        open_paid_invoice(page, "$20.00")
        context.close()

    with later(tmp_path, A_MONTH_LATER) as house:
        context = house.sign_in(browser)
        page = context.new_page()
        open_paid_invoice(page, "$82.30")
        expect(page.get_by_text("Status at Stripe").locator("xpath=following-sibling::*[1]")).to_have_text("paid")
        check_the_reasons(page)
        accessible(page)
        picture(page, "month-invoice")
        page.get_by_role("link", name="See the events of Tokens used").click()
        expect(page.get_by_role("row").filter(has_text="prompt")).to_have_count(3)
        for counted in ("tokens_total 1000", "tokens_total 4000", "tokens_total 230"):
            expect(page.get_by_role("row").filter(has_text=counted)).to_have_count(1)
        accessible(page)
        picture(page, "month-events")
        page.go_back()
        page.get_by_role("listitem").filter(has_text="Tokens used").locator("summary").click()
        page.get_by_role("link", name="tokens_total").click()
        expect(page.get_by_text("Measured in this time").locator("xpath=following-sibling::*[1]")).to_have_text("5,230")
        page.get_by_label("Group by").select_option("model")
        expect(page.get_by_role("row").filter(has_text="large")).to_contain_text("4,000")
        expect(page.get_by_role("row").filter(has_text="small")).to_contain_text("1,230")
        page.get_by_label("Customer").select_option("Acme GmbH")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export CSV").click()
        written = download.value.path().read_text()
        assert "model,value" in written
        assert ",large,4000" in written
        accessible(page)
        picture(page, "month-usage")
        context.close()
