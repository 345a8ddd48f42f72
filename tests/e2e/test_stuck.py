"""An invoice that nobody carries on shows at home, and one click there carries it on."""

from datetime import timedelta
from pathlib import Path

from conftest import METERDESK, Accessible, Picture
from playwright.sync_api import Browser, expect
from settings_support import later, today
from verbs import connect, create_customer, invoice

NO_WORKER = (METERDESK, "up", "--no-worker")
LONG_ENOUGH = timedelta(minutes=20)


def test_an_invoice_nobody_carries_on_is_retried_from_the_home_page(
    browser: Browser, tmp_path: Path, picture: Picture, accessible: Accessible
) -> None:
    with today(tmp_path, *NO_WORKER) as house:
        context = house.sign_in(browser)
        page = context.new_page()
        connect(page, "Send Invoice")
        create_customer(page, "Globex Corp", "globex", "invoices@globex.test")
        page.get_by_role("button", name="Create in Stripe").click()
        expect(page.get_by_text("Ready to bill")).to_be_visible()
        invoice(page, "Consulting, November", "8", "120")
        context.close()

    with later(tmp_path, LONG_ENOUGH, *NO_WORKER) as house:
        context = house.sign_in(browser)
        page = context.new_page()
        page.goto("/")
        stuck = page.get_by_role("listitem").filter(has_text="Nobody carries it on.")
        expect(stuck).to_contain_text("Globex Corp")
        accessible(page)
        picture(page, "home-stuck")
        stuck.get_by_role("button", name="Retry").click()
        expect(page.get_by_text(": Payment pending")).to_be_visible()
        expect(stuck).to_have_count(0)
        page.goto("/invoices")
        expect(page.get_by_role("row").filter(has_text="Globex Corp")).to_contain_text("Issued")
        context.close()
