"""Invoices for tests of the Stripe room, built without a database: what billing would hand to it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from dashboard.billing.views import (
    CollectionMethod,
    DetailLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    TaxBehavior,
    TaxConfig,
    Totals,
    Workflow,
)
from dashboard.kit.ids import new_id

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
NO_TAX = Workflow(tax_enabled=False)
WITH_TAX = Workflow(tax_enabled=True)
BY_MAIL = Workflow(tax_enabled=False, collection_method=CollectionMethod.SEND_INVOICE)


def detail(amount="10.00", *, discounts="0", credits="0", charges="0", name="API calls", quantity="1", **more):
    totals = Totals(Decimal(amount), Decimal(charges), Decimal(discounts), Decimal(credits))
    return DetailLine(
        id=more.pop("id", new_id()),
        component="flat",
        name=name,
        quantity=Decimal(quantity),
        per_unit_amount=Decimal(more.pop("price", amount)),
        totals=totals,
        **more,
    )


def line(*details, name="API calls", code=None, behavior=None, **more):
    given = details or (detail(),)
    config = TaxConfig(TaxBehavior(behavior) if behavior else None, None, code)
    values = {
        "id": new_id(),
        "name": name,
        "description": None,
        "kind": "flat_fee",
        "price": {},
        "quantity": Decimal(1),
        "period_from": START,
        "period_to": END,
        "invoice_at": END,
        "tax": config,
        "effective_tax": config,
        "feature_key": "api_calls",
        "subscription_id": None,
        "managed_by": "manual",
        "totals": Totals(),
        "details": given,
        "metadata": {},
        "created_at": START,
        "updated_at": START,
    }
    return InvoiceLine(**(values | more))


def invoice(*lines, currency="USD", workflow=NO_TAX, **more):
    values = {
        "id": new_id(),
        "number": "MD-1",
        "status": InvoiceStatus.DRAFT_SYNCING,
        "customer_id": new_id(),
        "customer_name": "Acme",
        "customer_key": "acme",
        "customer_snapshot": {},
        "currency": currency,
        "billing_profile_id": None,
        "app_id": None,
        "workflow": workflow,
        "supplier": None,
        "description": None,
        "footer": None,
        "purchase_order": None,
        "statement_descriptor": None,
        "metadata": {},
        "totals": Totals(),
        "period_from": START,
        "period_to": END,
        "collection_at": None,
        "draft_until": None,
        "issued_at": None,
        "due_at": None,
        "sent_at": None,
        "paid_at": None,
        "voided_at": None,
        "deleted_at": None,
        "quantities_fixed_at": None,
        "created_at": END,
        "updated_at": END,
        "external": None,
        "issues": (),
        "actions": (),
        "sync_state": "none",
        "sync_attempts": 0,
        "next_attempt_at": None,
        "lines": lines or (line(),),
    }
    return Invoice(**(values | more))


def changed(original, **what):
    """The same invoice after an edit."""
    return replace(original, **what)
