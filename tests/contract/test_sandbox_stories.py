"""The unmodified Stripe SDK lives through whole billing stories against the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.contract import sandbox_support as support
from tests.contract.sandbox_support import Receiver, RunningSandbox, eventually

HAPPY_ORDER = [
    "invoice.created", "invoiceitem.created", "invoice.updated", "invoice.finalized", "payment_intent.created",
    "charge.succeeded", "payment_intent.succeeded", "invoice_payment.paid", "invoice.updated", "invoice.paid",
    "invoice.payment_succeeded",
]  # fmt: skip


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.post("/reset")
    return shared_sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_install_checkout_and_a_large_invoice_that_is_paid_by_itself(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    v1 = sandbox.client().v1
    assert v1.accounts.retrieve_current().charges_enabled
    endpoint = v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["*"], "api_version": "2026-10-28.endive"}
    )
    customer = v1.customers.create({"name": "Acme", "email": "billing@acme.example"})
    session = v1.checkout.sessions.create(
        {
            "mode": "setup", "currency": "usd", "customer": customer.id,
            "success_url": "https://app.example/done?s={CHECKOUT_SESSION_ID}",
            "setup_intent_data": {"metadata": {"app": "meterdesk"}},
        }
    )  # fmt: skip
    sandbox.post(f"/checkout/{session.id}/complete", payment_method="pm_card_visa", email="payer@acme.example")
    letter = eventually(
        lambda: next((each for each in receiver.letters if each.event["type"] == "setup_intent.succeeded"), None)
    )
    event = stripe.Webhook.construct_event(letter.body, letter.signature, endpoint.secret or "")
    intent: Any = event.data.object
    assert intent.metadata.to_dict() == {"app": "meterdesk"}
    v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": intent.payment_method}})

    invoice = v1.invoices.create(
        {"customer": customer.id, "auto_advance": False, "pending_invoice_items_behavior": "exclude",
         "automatic_tax": {"enabled": False}, "currency": "usd"}
    )  # fmt: skip
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": n, "metadata": {"n": str(n)}} for n in range(1, 251)]})
    finalized = v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    assert finalized.status == "open"
    assert finalized.total == 250 * 251 // 2
    paid = eventually(
        lambda: _when(v1.invoices.retrieve(invoice.id), "paid"), timeout=2.5, what="the charge within 2 s"
    )
    assert paid.amount_paid == finalized.total
    lines = list(v1.invoices.line_items.list(invoice.id, {"limit": 100}).auto_paging_iter())
    assert sorted(int(line.metadata["n"]) for line in lines) == list(range(1, 251))
    eventually(lambda: receiver.types.count("invoice.payment_succeeded"))
    assert _squeezed(_types_since(sandbox, "invoice.created")) == HAPPY_ORDER
    support.assert_contract_kept(sandbox, receiver)


def test_decline_dunning_new_card_in_the_portal_then_paid(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1, "pm_card_chargeCustomerFail")
    invoice = _finalized(v1, customer, 5000, auto_advance=True)
    failed = eventually(lambda: _when_attempted(v1.invoices.retrieve(invoice)))
    assert (failed.status, failed.attempt_count) == ("open", 1)
    assert failed.next_payment_attempt
    sandbox.post("/clock", advance="P3DT1M")
    assert v1.invoices.retrieve(invoice).attempt_count == 2
    v1.billing_portal.configurations.create({"features": {"payment_method_update": {"enabled": True}}})
    session = v1.billing_portal.sessions.create({"customer": customer, "return_url": "https://app.example"})
    _add_card_in_portal(sandbox, session.url, "4242 4242 4242 4242")
    sandbox.post("/clock", advance="P5DT1M")
    paid = v1.invoices.retrieve(invoice, {"expand": ["payments"]})
    assert (paid.status, paid.attempt_count) == ("paid", 3)
    assert paid.payments
    assert [payment.status for payment in paid.payments.data] == ["paid"]
    support.assert_contract_kept(sandbox)


def test_dunning_without_end_gives_up_as_uncollectible(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    invoice = _finalized(v1, _customer(v1, "pm_card_chargeCustomerFail"), 5000, auto_advance=True)
    sandbox.post("/clock", advance="P30D")
    given_up = v1.invoices.retrieve(invoice)
    assert (given_up.status, given_up.attempt_count) == ("uncollectible", 4)
    assert given_up.status_details
    assert given_up.status_details.to_dict() == {"uncollectible": {"reason": "max_payment_attempts"}}


def test_an_invoice_by_mail_is_paid_on_its_page(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "Globex", "email": "ap@globex.example"}).id
    invoice = v1.invoices.create({"customer": customer, "collection_method": "send_invoice", "days_until_due": 10})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 12_300, "description": "Seats"}]})
    sent = v1.invoices.send_invoice(invoice.id)
    assert sent.status == "open"
    sandbox.post("/clock", advance="P8D")
    assert "invoice.will_be_due" in _types(sandbox)
    sandbox.post("/clock", advance="P3D")
    assert "invoice.overdue" in _types(sandbox)
    page = sandbox.page(sent.hosted_invoice_url or "")
    assert "$123.00" in page.text
    answer = sandbox.submit(
        sent.hosted_invoice_url or "", {"number": "4242424242424242", "expiry": "12/34", "cvc": "123"}
    )
    assert answer.status_code == 303
    assert v1.invoices.retrieve(invoice.id).status == "paid"
    assert sandbox.page(sent.invoice_pdf or "").content.startswith(b"%PDF")
    support.assert_contract_kept(sandbox)


def test_missing_tax_location_is_fixed_and_then_finalized(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    v1.tax.settings.update({"head_office": {"address": {"country": "DE"}}, "defaults": {"tax_behavior": "exclusive"}})
    v1.tax.registrations.create(
        {"country": "DE", "active_from": "now", "country_options": {"de": {"type": "standard"}}}
    )
    customer = v1.customers.create({"name": "Umbrella", "email": "u@example.com"})
    invoice = v1.invoices.create({"customer": customer.id, "currency": "eur", "automatic_tax": {"enabled": True}})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 10_000}, {"amount": 333}]})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.invoices.finalize_invoice(invoice.id)
    assert refusal.value.code == "customer_tax_location_invalid"
    assert v1.invoices.retrieve(invoice.id).status == "draft"
    v1.customers.update(customer.id, {"address": {"country": "DE", "postal_code": "10115"}})
    finalized = v1.invoices.finalize_invoice(invoice.id)
    assert finalized.total == 10_333 + 1900 + 63
    assert finalized.automatic_tax.status == "complete"
    support.assert_contract_kept(sandbox)


def test_automatic_finalization_tells_that_it_failed(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    v1.tax.settings.update({"head_office": {"address": {"country": "DE"}}})
    customer = v1.customers.create({"name": "Nowhere", "email": "n@example.com"})
    invoice = v1.invoices.create({"customer": customer.id, "auto_advance": True, "automatic_tax": {"enabled": True}})
    v1.invoice_items.create(
        {"customer": customer.id, "invoice": invoice.id, "amount": 700, "tax_behavior": "exclusive"}
    )
    sandbox.post("/clock", advance="PT2H")
    draft = v1.invoices.retrieve(invoice.id)
    assert draft.status == "draft"
    assert draft.last_finalization_error
    assert draft.last_finalization_error.code == "customer_tax_location_invalid"
    assert "invoice.finalization_failed" in _types(sandbox)
    support.assert_contract_kept(sandbox)


def test_void_and_uncollectible_end_an_open_invoice(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1, "pm_card_visa")
    voided = v1.invoices.void_invoice(_finalized(v1, customer, 900))
    assert (voided.status, voided.auto_advance) == ("void", False)
    with pytest.raises(stripe.InvalidRequestError):
        v1.invoices.pay(voided.id)
    forgiven = v1.invoices.mark_uncollectible(_finalized(v1, customer, 900))
    assert forgiven.status == "uncollectible"
    assert v1.invoices.pay(forgiven.id).status == "paid"
    support.assert_contract_kept(sandbox)


def test_refund_and_credit_notes_give_money_back(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1, "pm_card_visa")
    invoice = v1.invoices.pay(_finalized(v1, customer, 10_000), {"expand": ["payments"]})
    assert invoice.payments
    intent = v1.payment_intents.retrieve(
        str(invoice.payments.data[0].payment.payment_intent), {"expand": ["latest_charge"]}
    )
    refund = v1.refunds.create({"payment_intent": intent.id, "amount": 1500})
    assert refund.status == "succeeded"
    note = v1.credit_notes.create({"invoice": invoice.id, "amount": 2000, "refund_amount": 1200, "credit_amount": 800})
    assert (note.type, note.post_payment_amount) == ("post_payment", 2000)
    assert v1.customers.retrieve(customer).balance == -800
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert v1.charges.retrieve(intent.latest_charge.id).amount_refunded == 2700

    second = _finalized(v1, customer, 5000)
    assert v1.invoices.retrieve(second).amount_due == 4200
    v1.credit_notes.create({"invoice": second, "amount": 200})
    assert v1.invoices.retrieve(second).amount_remaining == 4000
    closing = v1.credit_notes.create({"invoice": second, "amount": 4000})
    assert v1.invoices.retrieve(second).status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        v1.credit_notes.void_credit_note(closing.id)
    support.assert_contract_kept(sandbox)


def test_three_d_secure_asks_and_waits_for_the_customer(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "Careful", "email": "c@example.com"}).id
    method = v1.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer}).id
    invoice = _finalized(v1, customer, 4000)
    with pytest.raises(stripe.CardError) as challenge:
        v1.invoices.pay(invoice, {"payment_method": method})
    assert challenge.value.code == "invoice_payment_intent_requires_action"
    assert "invoice.payment_action_required" in _types(sandbox)
    failed = sandbox.post(f"/invoices/{invoice}/pay_page", payment_method=method, three_d_secure="fail")
    assert failed["status"] == "open"
    paid = sandbox.post(f"/invoices/{invoice}/pay_page", payment_method=method, three_d_secure="approve")
    assert paid["status"] == "paid"
    support.assert_contract_kept(sandbox)


def test_a_bank_debit_is_processing_before_it_is_paid(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "ACH", "email": "ach@example.com"}).id
    method = v1.payment_methods.attach("pm_usBankAccount_success", {"customer": customer}).id
    invoice = _finalized(v1, customer, 7000)
    assert v1.invoices.pay(invoice, {"payment_method": method}).status == "open"
    assert v1.payment_intents.list({"customer": customer}).data[0].status == "processing"
    with pytest.raises(stripe.InvalidRequestError):
        v1.invoices.pay(invoice, {"payment_method": method})
    sandbox.post("/clock", advance="PT1M")
    assert v1.invoices.retrieve(invoice).status == "paid"
    support.assert_contract_kept(sandbox)


def test_a_test_clock_moves_its_own_customers_only(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000, "name": "cycle"})
    customer = v1.customers.create({"name": "Clocked", "email": "c@example.com", "test_clock": clock.id})
    invoice = v1.invoices.create({"customer": customer.id, "auto_advance": True})
    v1.invoice_items.create({"customer": customer.id, "invoice": invoice.id, "amount": 800})
    v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": 1_800_000_000 + 2 * 3600})
    eventually(lambda: v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready")
    advanced = v1.invoices.retrieve(invoice.id)
    assert advanced.status == "open"
    assert advanced.status_transitions.finalized_at == 1_800_000_000 + 3600
    assert customer.id not in [each.id for each in v1.customers.list().data]
    assert [each.id for each in v1.customers.list({"test_clock": clock.id}).data] == [customer.id]
    v1.test_helpers.test_clocks.delete(clock.id)
    assert v1.customers.retrieve(customer.id).to_dict().get("deleted") is True
    support.assert_contract_kept(sandbox)


def test_a_dispute_card_pays_and_then_complains(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = _customer(v1, "pm_card_createDispute")
    assert v1.invoices.pay(_finalized(v1, customer, 3000)).status == "paid"
    sandbox.post("/clock", advance="PT5S")
    assert "charge.dispute.created" in _types(sandbox)
    charge = v1.charges.list({"customer": customer}).data[0]
    assert charge.disputed
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"charge": charge.id})
    assert refusal.value.code == "charge_disputed"
    support.assert_contract_kept(sandbox)


def _customer(v1: Any, method: str) -> str:
    customer = v1.customers.create({"name": "Acme", "email": "billing@acme.example"})
    attached = v1.payment_methods.attach(method, {"customer": customer.id})
    v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": attached.id}})
    return customer.id


def _finalized(v1: Any, customer: str, amount: int, *, auto_advance: bool = False) -> str:
    invoice = v1.invoices.create({"customer": customer, "currency": "usd"})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": amount, "description": "Usage"}]})
    return v1.invoices.finalize_invoice(invoice.id, {"auto_advance": auto_advance}).id


def _when(invoice: Any, status: str) -> Any:
    return invoice if invoice.status == status else None


def _when_attempted(invoice: Any) -> Any:
    return invoice if invoice.attempt_count else None


def _types(sandbox: RunningSandbox) -> list[str]:
    return [event["type"] for event in support.all_events(sandbox)]


def _types_since(sandbox: RunningSandbox, first: str) -> list[str]:
    types = _types(sandbox)
    return types[types.index(first) :]


def _squeezed(types: list[str]) -> list[str]:
    return [name for position, name in enumerate(types) if position == 0 or types[position - 1] != name]


def _add_card_in_portal(sandbox: RunningSandbox, url: str, number: str) -> None:
    form = {"number": number, "expiry": "12 / 34", "cvc": "123", "name": "Acme", "country": "US", "default": "1"}
    answer = sandbox.submit(url.replace("?", "/add?"), form)
    assert answer.status_code == 303, answer.text
