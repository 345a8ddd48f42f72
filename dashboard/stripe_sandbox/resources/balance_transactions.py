"""A customer's credit balance: negative is credit, positive is owed."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import update
from dashboard.stripe_sandbox.routing import operation


@operation("POST /v1/customers/{customer}/balance_transactions")
def create(ctx: Context, params: dict[str, Any], customer_id: str) -> dict[str, Any]:
    customer = ctx.need("customer", customer_id, "customer", 404)
    transaction = adjust(
        ctx, customer, params["amount"], "adjustment", currency=check_currency(params["currency"]),
        description=params.get("description"), metadata=params.get("metadata") or {},
    )  # fmt: skip
    return transaction


@operation("GET /v1/customers/{customer}/balance_transactions")
def index(ctx: Context, params: dict[str, Any], customer_id: str) -> dict[str, Any]:
    where = {"customer": customer_id}
    if "invoice" in params:
        where["invoice"] = params["invoice"]
    url = f"/v1/customers/{customer_id}/balance_transactions"
    return page(ctx, "customer_balance_transaction", params, url, where)


@operation("GET /v1/customers/{customer}/balance_transactions/{transaction}")
def retrieve(ctx: Context, params: dict[str, Any], customer_id: str, id: str) -> dict[str, Any]:
    return ctx.need("customer_balance_transaction", id)


@operation("POST /v1/customers/{customer}/balance_transactions/{transaction}")
def change(ctx: Context, params: dict[str, Any], customer_id: str, id: str) -> dict[str, Any]:
    transaction = ctx.need("customer_balance_transaction", id)
    return update(ctx, transaction, params, ("description", "metadata"), None)


def adjust(
    ctx: Context,
    customer: dict[str, Any],
    amount: int,
    type: str,
    *,
    currency: str,
    invoice: str | None = None,
    credit_note: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Book `amount` (negative: credit) on the customer's balance and tell it."""
    before = {"balance": customer["balance"]}
    customer["balance"] += amount
    if customer["currency"] is None:
        before["currency"] = None
        customer["currency"] = currency
    transaction = ctx.new(
        "customer_balance_transaction",
        amount=amount,
        credit_note=credit_note,
        currency=currency,
        customer=customer["id"],
        description=description or None,
        ending_balance=customer["balance"],
        invoice=invoice,
        metadata=metadata or {},
        type=type,
    )
    ctx.save(transaction)
    ctx.save(customer)
    if type != "initial":
        ctx.emit("customer.updated", customer, before)
    return transaction
