"""The hosted pages as a customer uses them: with the keyboard, on a narrow screen, with and without scripts."""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.contract import sandbox_support as support
from tests.contract.sandbox_support import RunningSandbox

CARD = {
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Ada",
    "country": "DE",
    "postal_code": "10115",
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.post("/reset")
    return shared_sandbox


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, or else the one that Playwright has downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def narrow_page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    yield context.new_page()
    context.close()


# without a browser: plain forms


def test_checkout_by_plain_form_saves_the_method_and_goes_to_the_success_url(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    session = _session(v1, customer, success_url="https://app.example/ok?s={CHECKOUT_SESSION_ID}")
    assert "Sandbox: not Stripe." in sandbox.page(session.url).text
    answer = sandbox.submit(session.url, CARD)
    done = sandbox.page(answer.headers["location"])
    assert done.headers["location"] == f"https://app.example/ok?s={session.id}"
    assert v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert v1.customers.payment_methods.list(customer).data[0].billing_details.name == "Ada"
    assert "already completed" in sandbox.page(session.url).text


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"number": ""}, "Enter the card number."),
        ({"number": "4242 4242 4242 4241"}, "Your card number is incorrect."),
        ({"expiry": "soon"}, "Enter the expiry date"),
        ({"expiry": "12 / 20"}, "expiration year is invalid"),
        ({"cvc": "1"}, "security code"),
        ({"number": "4000 0000 0000 0002"}, "Your card was declined."),
        ({"number": "4000 0000 0000 9995"}, "insufficient funds"),
    ],
)
def test_a_mistyped_or_declined_card_is_complained_about_in_place(
    sandbox: RunningSandbox, typed: dict[str, str], complaint: str
) -> None:
    v1 = sandbox.client().v1
    session = _session(v1, _customer(v1))
    answer = sandbox.submit(session.url, CARD | typed)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert "4242" not in re.sub(r"<li>.*?</li>", "", answer.text, flags=re.S), "a card number is never sent back"
    assert v1.checkout.sessions.retrieve(session.id).status == "open"


def test_three_d_secure_in_checkout_can_be_failed_and_then_approved(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    session = _session(v1, _customer(v1))
    challenge = sandbox.submit(session.url, CARD | {"number": "4000 0027 6000 3184"}).headers["location"]
    assert (
        "Confirm that it&#39;s you" in sandbox.page(challenge).text
        or "Confirm that it's you" in sandbox.page(challenge).text
    )
    failed = sandbox.submit(challenge, {"answer": "fail"})
    back = sandbox.page(failed.headers["location"]).headers["location"]
    assert "authentication failed" in sandbox.page(back).text
    challenge = sandbox.submit(session.url, CARD | {"number": "4000 0027 6000 3184"}).headers["location"]
    sandbox.submit(challenge, {"answer": "approve"})
    assert v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_a_session_without_customer_makes_one_when_asked(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    session = _session(v1, None, customer_creation="always")
    sandbox.submit(session.url, CARD | {"email": "new@example.com"})
    completed = v1.checkout.sessions.retrieve(session.id)
    customer = v1.customers.retrieve(str(completed.customer))
    assert (customer.email, completed.status) == ("new@example.com", "complete")


def test_address_and_tax_id_reach_the_customer_when_the_session_may_update_it(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    session = _session(
        v1, customer, tax_id_collection={"enabled": True}, customer_update={"name": "auto", "address": "auto"}
    )  # fmt: skip
    wrong = sandbox.submit(session.url, CARD | {"tax_id_type": "eu_vat", "tax_id": "12"})
    assert "Invalid value for eu_vat" in wrong.text
    address = {"line1": "Hauptstr. 1", "city": "Berlin"}
    sandbox.submit(session.url, CARD | address | {"tax_id_type": "eu_vat", "tax_id": "DE123456789"})
    changed = v1.customers.retrieve(customer, {"expand": ["tax_ids"]})
    assert changed.address
    assert (changed.name, changed.address.city) == ("Ada", "Berlin")
    assert changed.tax_ids
    assert changed.tax_ids.data[0].value == "DE123456789"


def test_an_expired_session_says_so(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    session = _session(v1, _customer(v1))
    sandbox.post("/clock", advance="P1DT1M")
    assert v1.checkout.sessions.retrieve(session.id).status == "expired"
    page = sandbox.page(session.url)
    assert (page.status_code, "expired" in page.text) == (410, True)
    assert v1.events.list().data[0].type == "checkout.session.expired"


def test_the_portal_manages_methods_details_and_shows_invoices(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    url = _portal(v1, customer)
    first = sandbox.submit(url.replace("?", "/add?"), CARD | {"default": "1"})
    assert first.status_code == 303
    sandbox.submit(url.replace("?", "/add?"), CARD | {"number": "5555 5555 5555 4444"})
    home = sandbox.page(url).text
    assert "Visa •••• 4242" in home
    assert "Mastercard •••• 4444" in home
    master, visa = v1.customers.payment_methods.list(customer).data
    assert _default(v1, customer) == visa.id
    sandbox.submit(url.replace("?", "/methods?"), {"payment_method": master.id, "do": "default"})
    sandbox.submit(url.replace("?", "/methods?"), {"payment_method": visa.id, "do": "remove"})
    assert _default(v1, customer) == master.id
    assert [method.id for method in v1.customers.payment_methods.list(customer).data] == [master.id]
    details = {
        "email": "new@example.com",
        "line1": "Main St 2",
        "city": "Berlin",
        "country": "DE",
        "postal_code": "10117",
    }
    assert sandbox.submit(url.replace("?", "/details?"), details).status_code == 303
    changed = v1.customers.retrieve(customer)
    assert changed.address
    assert (changed.email, changed.address.line1) == ("new@example.com", "Main St 2")


def test_a_portal_flow_ends_where_the_seller_wants(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    after = {"type": "redirect", "redirect": {"return_url": "https://app.example/back"}}
    url = _portal(
        v1, customer,
        flow_data={"type": "payment_method_update", "after_completion": after},
    )  # fmt: skip
    assert "/add?" in sandbox.page(url).headers["location"]
    saved = sandbox.submit(url.replace("?", "/add?"), CARD)
    assert sandbox.page(saved.headers["location"]).headers["location"] == "https://app.example/back"


def test_a_portal_link_expires_and_needs_its_key(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    url = _portal(v1, _customer(v1))
    assert sandbox.page(url.split("?")[0] + "?key=wrong").status_code == 410
    assert sandbox.page(url).status_code == 200
    sandbox.post("/clock", advance="PT2H")
    assert sandbox.page(url).status_code == 410


def test_paid_and_void_invoices_offer_nothing_to_pay(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    paid = _open_invoice(v1, customer)
    v1.invoices.pay(paid.id, {"paid_out_of_band": True})
    void = _open_invoice(v1, customer)
    v1.invoices.void_invoice(void.id)
    for invoice, word in ((paid, "Invoice paid"), (void, "voided")):
        page = sandbox.page(invoice.hosted_invoice_url)
        assert word in page.text
        assert "Card number" not in page.text
    assert sandbox.page(paid.hosted_invoice_url + "x").status_code == 404


def test_a_credit_note_has_a_pdf_and_the_portal_a_sign_in_page(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    invoice = _open_invoice(v1, _customer(v1))
    note = v1.credit_notes.create({"invoice": invoice.id, "amount": 200, "memo": "Sorry"})
    assert sandbox.page(note.pdf).content.startswith(b"%PDF")
    configuration = v1.billing_portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}, "login_page": {"enabled": True}}
    )
    assert "No mail leaves a sandbox" in sandbox.page(configuration.login_page.url or "").text


# with a browser


def test_checkout_works_with_the_keyboard_alone_on_a_narrow_screen(sandbox: RunningSandbox, narrow_page: Page) -> None:
    v1 = sandbox.client().v1
    session = _session(v1, _customer(v1), success_url=f"{sandbox.url}/switches")
    narrow_page.goto(session.url)
    typed = {"Card number": "4242424242424242", "Expires (MM / YY)": "1234", "Security code": "123", "Full name": "Ada"}
    _type_along(narrow_page, typed)
    narrow_page.get_by_role("button", name="Save payment method").focus()
    narrow_page.keyboard.press("Enter")
    narrow_page.wait_for_url("**/switches")
    assert v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_the_embedded_page_mounts_and_reports_completion(sandbox: RunningSandbox, narrow_page: Page) -> None:
    v1 = sandbox.client().v1
    session = v1.checkout.sessions.create(
        {"mode": "setup", "currency": "usd", "customer": _customer(v1), "ui_mode": "embedded_page",
         "redirect_on_completion": "never"}
    )  # fmt: skip
    narrow_page.goto(f"{sandbox.url}/embed-example?client_secret={session.client_secret}")
    frame = narrow_page.frame_locator("iframe")
    frame.get_by_text("Test cards").click()
    frame.get_by_role("button", name="Use card 4242").click()
    frame.get_by_role("button", name="Save payment method").click()
    narrow_page.get_by_role("heading", name="Checkout is complete").wait_for()
    assert v1.checkout.sessions.retrieve(session.id).status == "complete"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_an_accessibility_fault_or_scrolls_sideways(
    sandbox: RunningSandbox, chromium: Browser, scheme: Any
) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1)
    v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    invoice = _open_invoice(v1, customer)
    portal = _portal(v1, customer)
    challenged = _session(v1, customer)
    challenge = sandbox.submit(challenged.url, CARD | {"number": "4000 0027 6000 3184"}).headers["location"]
    pages = [
        _session(v1, customer).url, invoice.hosted_invoice_url, portal, portal.replace("?", "/add?"),
        portal.replace("?", "/details?"), challenge, f"{sandbox.url}/c/pay/unknown",
        *(f"{sandbox.url}{path}" for path in ("/", "/events", "/deliveries", "/requests", "/switches")),
        f"{sandbox.url}/objects/{customer}",
    ]  # fmt: skip
    context = chromium.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page, axe, faults = context.new_page(), Axe(), []
    for url in pages:
        page.goto(url)
        for violation in axe.run(page).response["violations"]:
            faults.append(f"{url}: {violation['id']} at {violation['nodes'][0]['target']}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{url}: wider than the screen")
    context.close()
    assert not faults, "\n".join(faults)


def _type_along(page: Page, fields: dict[str, str]) -> None:
    """Reach each field with the Tab key and type into it."""
    for label, text in fields.items():
        wanted = page.get_by_label(label, exact=True)
        for _ in range(12):
            if wanted.evaluate("element => element === document.activeElement"):
                break
            page.keyboard.press("Tab")
        assert wanted.evaluate("element => element === document.activeElement"), f"Tab does not reach {label}"
        page.keyboard.type(text)


def _customer(v1: Any) -> str:
    return v1.customers.create({"email": "billing@acme.example"}).id


def _session(v1: Any, customer: str | None, **more: Any) -> Any:
    given = {"mode": "setup", "currency": "usd", "success_url": "https://app.example/ok", **more}
    return v1.checkout.sessions.create(given | ({"customer": customer} if customer else {}))


def _portal(v1: Any, customer: str, **more: Any) -> str:
    features = {
        "payment_method_update": {"enabled": True},
        "invoice_history": {"enabled": True},
        "customer_update": {"enabled": True, "allowed_updates": ["email", "address", "tax_id"]},
    }
    v1.billing_portal.configurations.create({"features": features})
    return v1.billing_portal.sessions.create({"customer": customer, "return_url": "https://app.example", **more}).url


def _open_invoice(v1: Any, customer: str) -> Any:
    invoice = v1.invoices.create({"customer": customer, "currency": "usd"})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 4200, "description": "Usage"}]})
    return v1.invoices.finalize_invoice(invoice.id)


def _default(v1: Any, customer: str) -> Any:
    return v1.customers.retrieve(customer).invoice_settings.default_payment_method
