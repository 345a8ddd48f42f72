"""Whatever is done to an invoice in whatever order, it is always in a state that Stripe has, reached Stripe's way."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.stripe_sandbox import resources
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.routing import HANDLERS

# https://docs.stripe.com/invoicing/overview#invoice-statuses
ALLOWED = {
    "draft": {"draft", "open", "paid", "gone"},
    "open": {"open", "paid", "void", "uncollectible"},
    "uncollectible": {"uncollectible", "paid", "void"},
    "paid": {"paid"},
    "void": {"void"},
    "gone": {"gone"},
}
CALLS = (
    "finalize",
    "pay",
    "pay_out_of_band",
    "send",
    "void",
    "mark_uncollectible",
    "delete",
    "update",
    "add",
    "credit",
    "wait",
)
METHODS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired", None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    resources.load()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), "http://sandbox.example")
        yield sandbox
        sandbox.store.close()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(METHODS),
    by_mail=st.booleans(),
    advances=st.booleans(),
    amount=st.sampled_from([0, 20, 5000]),
    calls=st.lists(st.sampled_from(CALLS), max_size=9),
)
def test_no_other_state_or_move_is_reachable(
    sandbox: Sandbox, method: str | None, by_mail: bool, advances: bool, amount: int, calls: list[str]
) -> None:
    sandbox.store.empty()
    sandbox.clock.reload()
    with sandbox.store.work():
        ctx = sandbox.context_for_account("states")
        invoice = _invoice(ctx, method, by_mail, advances, amount)
    seen = "draft"
    for call in calls:
        _attempt(sandbox, invoice, call)
        now = _state(sandbox, invoice)
        assert now in ALLOWED[seen], f"{call} moved the invoice from {seen} to {now}"
        seen = now
        _assert_sound(sandbox, invoice)


def _invoice(ctx: Context, method: str | None, by_mail: bool, advances: bool, amount: int) -> str:
    customer = HANDLERS["POST /v1/customers"](ctx, {"name": "S", "email": "s@example.com"})["id"]
    if method:
        attached = HANDLERS["POST /v1/payment_methods/{payment_method}/attach"](ctx, {"customer": customer}, method)
        settings = {"invoice_settings": {"default_payment_method": attached["id"]}}
        HANDLERS["POST /v1/customers/{customer}"](ctx, settings, customer)
    mail = {"collection_method": "send_invoice", "days_until_due": 5} if by_mail else {}
    invoice = HANDLERS["POST /v1/invoices"](
        ctx, {"customer": customer, "currency": "usd", "auto_advance": advances, **mail}
    )
    HANDLERS["POST /v1/invoices/{invoice}/add_lines"](ctx, {"lines": [{"amount": amount}]}, invoice["id"])
    return invoice["id"]


def _attempt(sandbox: Sandbox, invoice: str, call: str) -> None:
    if call == "wait":
        sandbox.move_clock(sandbox.clock.now() + 4 * 86400)
        return
    operations: dict[str, tuple[str, dict[str, Any]]] = {
        "finalize": ("POST /v1/invoices/{invoice}/finalize", {}),
        "pay": ("POST /v1/invoices/{invoice}/pay", {}),
        "pay_out_of_band": ("POST /v1/invoices/{invoice}/pay", {"paid_out_of_band": True}),
        "send": ("POST /v1/invoices/{invoice}/send", {}),
        "void": ("POST /v1/invoices/{invoice}/void", {}),
        "mark_uncollectible": ("POST /v1/invoices/{invoice}/mark_uncollectible", {}),
        "delete": ("DELETE /v1/invoices/{invoice}", {}),
        "update": ("POST /v1/invoices/{invoice}", {"description": "changed"}),
        "add": ("POST /v1/invoices/{invoice}/add_lines", {"lines": [{"amount": 100}]}),
    }
    try:
        with sandbox.store.work():
            ctx = sandbox.context_for_account("states")
            if call == "credit":
                HANDLERS["POST /v1/credit_notes"](ctx, {"invoice": invoice, "amount": 20})
            else:
                name, params = operations[call]
                HANDLERS[name](ctx, params, invoice)
    except ApiError as refusal:
        if refusal.status >= 500:
            raise


def _state(sandbox: Sandbox, id: str) -> str:
    invoice = sandbox.context_for_account("states").get(id)
    return invoice["status"] if invoice else "gone"


def _assert_sound(sandbox: Sandbox, id: str) -> None:
    """Figures that must agree with each other in every state."""
    ctx = sandbox.context_for_account("states")
    invoice = ctx.get(id)
    if invoice is None:
        return
    assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"] >= 0
    assert (invoice["number"] is None) is (invoice["status"] == "draft")
    if invoice["status"] == "paid":
        assert invoice["amount_remaining"] == 0
    if invoice["status"] in ("paid", "void", "uncollectible"):
        assert invoice["auto_advance"] is False
    charged = sum(charge["amount"] for charge in ctx.find("charge", {"status": "succeeded"}))
    assert charged <= invoice["amount_paid"], "nothing is charged that the invoice does not count"
    open_payments = ctx.find("invoice_payment", {"parent": id, "status": "open"})
    assert len(open_payments) <= 1
    if invoice["status"] == "open":
        assert [payment["amount_requested"] for payment in open_payments] == [invoice["amount_remaining"]]
