"""What people do at the desk, for more than one browser test."""

import re

from playwright.sync_api import Locator, Page, expect
from settings_support import House

PATIENCE = 180_000
"""Milliseconds for what takes the worker and Stripe: a busy machine is no mistake of a page."""


def connect(page: Page, method: str) -> None:
    """Stripe with a billing profile of this method, by the wizard; as the new default."""
    page.goto("/settings/stripe")
    page.get_by_role("button", name="Install", exact=True).click()
    page.get_by_role("button", name="Try without a Stripe account").click()
    page.get_by_role("button", name="Install Stripe app").click()
    page.get_by_role("button", name=method).click()
    page.get_by_role("button", name="Create Billing Profile").click()
    page.get_by_role("button", name="Start Billing").click()


def create_customer(page: Page, name: str, key: str, email: str) -> None:
    """A new customer; ends on their page."""
    page.goto("/customers")
    page.get_by_role("button", name="Create Customer").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Key").fill(key)
    form.get_by_label("Email").fill(email)
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def invoice(page: Page, description: str, quantity: str, unit_price: str) -> None:
    """A charge by hand, invoiced at once; ends on the invoice's page."""
    page.get_by_role("button", name="Add charge").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Description").fill(description)
    form.get_by_label("Quantity").fill(quantity)
    form.get_by_label("Unit price").fill(unit_price)
    form.get_by_role("button", name="Add charge").click()
    expect(page.get_by_text(description)).to_be_visible()
    page.get_by_role("button", name="Invoice now").click()
    page.wait_for_url(re.compile(r"/invoices/\w{26}$"))


def make_meter(page: Page, dimensions: str = "") -> None:
    """`tokens_total`, which adds up the tokens of prompts; ends on its page."""
    page.goto("/meters")
    page.get_by_role("button", name="Create meter").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Key").fill("tokens_total")
    form.get_by_label("Event type").fill("prompt")
    form.get_by_label("Value").fill("$.tokens")
    form.get_by_label("Dimensions").fill(dimensions)
    form.get_by_role("button", name="Create meter").click()
    expect(page.get_by_role("heading", name="tokens_total", level=1)).to_be_visible()


def fill_in_feature(page: Page) -> Locator:
    """The form of a feature that counts by that meter, filled in and not sent yet."""
    page.get_by_role("button", name="Create feature").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("Tokens")
    form.get_by_label("Key").fill("tokens")
    form.get_by_label("Meter", exact=False).first.select_option("tokens_total")
    return form


def begin_plan(page: Page, name: str, key: str) -> None:
    """A draft without anything on it; ends on its page."""
    page.goto("/plans")
    page.get_by_role("button", name="Create plan").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Key").fill(key)
    form.get_by_role("button", name="Create draft").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def fill_in_fee(page: Page, name: str, key: str, amount: str) -> Locator:
    """The form of a flat fee on a draft, filled in and not sent yet."""
    page.get_by_role("button", name="Add flat fee").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Key").fill(key)
    form.get_by_label("Amount").fill(amount)
    return form


def fill_in_graduated_price(page: Page) -> Locator:
    """The form of a usage price on a draft: tokens up to 1,000 at 2 cents, then 1 cent; not sent yet."""
    page.get_by_role("button", name="Add usage price").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("Tokens used")
    form.get_by_label("Feature").select_option("tokens")
    form.get_by_label("Price", exact=True).select_option("graduated")
    form.get_by_label("Tier 1: up to").fill("1000")
    form.get_by_label("Tier 1: price per unit").fill("0.02")
    form.get_by_label("Tier 2: price per unit").fill("0.01")
    return form


def publish(page: Page) -> None:
    """The draft, now."""
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("main").get_by_text("Active", exact=True)).to_be_visible()


def subscribe(page: Page, customer: str, plan: str) -> None:
    """A customer to a plan, from now on; ends on the subscription's page."""
    page.goto("/subscriptions")
    page.get_by_role("button", name="Create subscription").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name=customer).click()
    form.get_by_label("Plan").select_option(plan)
    form.get_by_role("button", name="Create subscription").click()
    page.wait_for_url(re.compile(r"/subscriptions/\w{26}$"), timeout=PATIENCE)


def pay_by_card(page: Page, house: House) -> None:
    """On a customer's page: a checkout link, and the customer walks it with a card that works."""
    page.get_by_role("button", name="Create checkout link").click()
    link = page.get_by_role("link", name="Open").first
    expect(link).to_be_visible(timeout=PATIENCE)
    session = re.search(r"cs_test_\w+", link.get_attribute("href") or "")
    assert session is not None
    house.sandbox("POST", f"/checkout/{session[0]}/complete", payment_method="pm_card_visa", email="billing@acme.test")
    expect(page.get_by_text("Ready to bill")).to_be_visible(timeout=PATIENCE)
