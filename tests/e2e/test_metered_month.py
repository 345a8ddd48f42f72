"""From an empty desk to paid invoices of metered usage, with each cent of them explained, late usage too."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Accessible, Picture
from openmeter import Client
from playwright.sync_api import Browser, Page, expect
from settings_support import House, later, today
from verbs import (
    PATIENCE,
    begin_plan,
    connect,
    create_customer,
    fill_in_feature,
    fill_in_fee,
    fill_in_graduated_price,
    make_meter,
    pay_by_card,
    publish,
    subscribe,
)

API_KEY = "a-key-for-the-first-start"
A_MONTH, TWO_MONTHS = timedelta(days=32), timedelta(days=64)


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
    make_meter(page, "model = $.model")
    page.goto("/features")
    fill_in_feature(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="tokens", exact=False).first).to_be_visible()


def make_plan(page: Page) -> None:
    """$20 a month in advance; 2 cents for each of the first 1,000 tokens, then 1 cent."""
    begin_plan(page, "Team", "team")
    form = fill_in_fee(page, "Base fee", "base_fee", "20")
    form.get_by_label("Tax code").select_option("Tokens (tokens)")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_text("$20.00 in advance")).to_be_visible()
    form = fill_in_graduated_price(page)
    form.get_by_label("Tax code").select_option("Tokens (tokens)")
    form.get_by_role("button", name="Save rate card").click()
    expect(page.get_by_role("button", name="Edit Tokens used")).to_be_visible()
    publish(page)


def send_events(house: House) -> None:
    """5,230 tokens in three events through OpenMeter's own client; the last one is sent twice."""
    for number, tokens, model in (("1", 1000, "small"), ("2", 4000, "large"), ("3", 230, "small"), ("3", 230, "small")):
        send_event(house, number, {"tokens": tokens, "model": model})


def send_event(house: House, number: str, data: dict[str, Any], **more: str) -> None:
    event: Any = {
        "source": "app",
        "specversion": "1.0",
        "type": "prompt",
        "subject": "acme",
        "id": number,
        "data": data,
    }
    Client(endpoint=house.server.url, token=API_KEY).events.ingest_event(event | more)


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
    # Both tiers were filled from it; it is said once.
    expect(used.get_by_text("5,230 units metered.")).to_have_count(1)
    expect(used.locator("summary")).to_contain_text("$62.30")


def check_the_late_line(page: Page) -> None:
    """What came late is a line of its own: it says so, says for when, and costs what it would have cost in time."""
    late = page.get_by_role("listitem").filter(has=page.locator("summary")).filter(has_text="late usage")
    expect(late).to_have_count(1)
    expect(late.locator("summary")).to_contain_text("Tokens used (late usage)")
    expect(late.locator("summary")).to_contain_text("$10.00")
    late.locator("summary").click()
    expect(late).to_contain_text(re.compile(r"Usage of .* to .* that arrived after it was invoiced\."))
    for reason in ("1,000 (after 5,230 before)", "1,000 × $0.01", "See the events"):
        expect(late).to_contain_text(reason)


@pytest.mark.timeout(600)
def test_months_of_metered_usage_are_invoiced_paid_and_explained_and_what_comes_late_is_on_the_next_invoice(
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
        pay_by_card(page, house)
        subscribe(page, "Acme GmbH", "Team, version 1 (USD)")
        expect(page.get_by_text("Tokens used").first).to_be_visible()
        send_events(house)
        page.reload()
        # What comes next: the usage so far, 1,000 at 2 cents and 4,230 at 1 cent, and the next fee.
        expect(page.get_by_text("$82.30 so far")).to_be_visible()
        accessible(page)
        picture(page, "month-subscription")
        open_paid_invoice(page, "$20.00")
        context.close()

    with later(tmp_path, A_MONTH, METERDESK_API_KEY=API_KEY) as house:
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
        # Of the month that is paid for already.
        send_event(
            house, "4", {"tokens": 1000, "model": "small"}, time=(datetime.now(UTC) + timedelta(days=1)).isoformat()
        )
        context.close()

    with later(tmp_path, TWO_MONTHS) as house:
        context = house.sign_in(browser)
        page = context.new_page()
        # The next fee, nothing used in the second month, and the 1,000 tokens that came late: at 1 cent each.
        open_paid_invoice(page, "$30.00")
        check_the_late_line(page)
        accessible(page)
        picture(page, "month-late-usage")
        context.close()
