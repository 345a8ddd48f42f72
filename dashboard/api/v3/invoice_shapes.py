"""v3's invoice, as it is answered. There are no gathering ones in v3."""

from datetime import datetime
from typing import Any

from dashboard.api.invoice_states import ACTIONS_IN_V3, extended_status, short_status
from dashboard.api.shapes import decimal_text, optional_time, time_text, without_none
from dashboard.api.v1.base import NAMESPACE_ID
from dashboard.api.v1.invoice_shapes import DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX
from dashboard.api.v3.base import labels_of
from dashboard.api.v3.price_shapes import discounts_to_v3, price_to_v3, tax_to_v3, unit_config_to_v3
from dashboard.api.v3.workflow_shapes import payment_to_v3, supplier_to_v3
from dashboard.billing.invoice_actions import available_actions
from dashboard.billing.state_machine import is_failed, is_mutable
from dashboard.billing.views import DetailLine, Invoice, InvoiceLine, Issue, Totals, Workflow

_DISCOUNT_REASONS = {"percentage": "ratecard_percentage", "usage": "ratecard_usage"}


def invoice_to_v3(invoice: Invoice, now: datetime, *, with_lines: bool = True) -> dict[str, Any]:
    """v3's `BillingInvoiceStandard`."""
    start = invoice.period_from or invoice.created_at
    return without_none(
        [
            ("id", invoice.id),
            ("type", "standard"),
            ("number", invoice.number[:NAME_LENGTH_MAX]),
            ("description", invoice.description and invoice.description[:DESCRIPTION_LENGTH_MAX]),
            ("labels", labels_of(invoice.metadata)),
            ("currency", invoice.currency),
            ("status", short_status(invoice.status)),
            ("status_details", _status_details(invoice, now)),
            ("supplier", supplier_to_v3(invoice.supplier) if invoice.supplier else {}),
            ("customer", _customer_to_v3(invoice)),
            ("totals", totals_to_v3(invoice.totals)),
            ("workflow", _workflow_to_v3(invoice)),
            ("service_period", {"from": time_text(start), "to": time_text(invoice.period_to or start)}),
            ("collection_at", optional_time(invoice.collection_at)),
            ("draft_until", optional_time(invoice.draft_until)),
            ("quantity_snapshotted_at", optional_time(invoice.quantities_fixed_at)),
            ("issued_at", optional_time(invoice.issued_at)),
            ("due_at", optional_time(invoice.due_at)),
            ("sent_to_customer_at", optional_time(invoice.sent_at)),
            ("created_at", time_text(invoice.created_at)),
            ("updated_at", time_text(invoice.updated_at)),
            ("deleted_at", optional_time(invoice.deleted_at)),
            ("lines", [line_to_v3(line) for line in invoice.lines] if with_lines else None),
            ("validation_issues", [_issue_to_v3(issue) for issue in invoice.issues] or None),
            ("external_references", {"invoicing_id": invoice.external.id} if invoice.external else None),
        ]
    )


def line_to_v3(line: InvoiceLine) -> dict[str, Any]:
    """v3's `BillingInvoiceStandardLine`."""
    behavior = line.effective_tax.behavior
    rate_card = without_none(
        [
            ("price", price_to_v3(line.price)),
            ("tax_config", tax_to_v3(behavior.value if behavior else None, line.effective_tax.tax_code_id)),
            ("feature_key", line.feature_key),
            ("discounts", discounts_to_v3(line.discounts)),
            ("unit_config", unit_config_to_v3(line.price, line.unit_conversion)),
        ]
    )
    quantities = None
    if line.metered_quantity is not None and line.quantity is not None:
        quantities = {
            "raw_quantity": decimal_text(line.metered_quantity),
            "invoiced_quantity": decimal_text(line.quantity),
        }
    return without_none(
        [
            ("type", "standard_line"),
            ("id", line.id),
            ("name", line.name[:NAME_LENGTH_MAX]),
            ("description", line.description and line.description[:DESCRIPTION_LENGTH_MAX]),
            ("labels", labels_of(line.metadata)),
            ("lifecycle_controller", "manual" if line.managed_by == "manual" else "system"),
            ("service_period", _period(line)),
            ("totals", totals_to_v3(line.totals)),
            ("rate_card", rate_card),
            ("usage_quantity_detail", quantities),
            ("subscription", _subscription_to_v3(line)),
            ("detailed_lines", [_detail_to_v3(detail, line) for detail in line.details]),
            ("created_at", time_text(line.created_at)),
            ("updated_at", time_text(line.updated_at)),
            ("deleted_at", optional_time(line.deleted_at)),
        ]
    )


def totals_to_v3(totals: Totals) -> dict[str, str]:
    """v3's `BillingTotals`."""
    return {
        "amount": decimal_text(totals.amount),
        "charges_total": decimal_text(totals.charges),
        "discounts_total": decimal_text(totals.discounts),
        "credits_total": decimal_text(totals.credits),
        "taxes_inclusive_total": decimal_text(totals.taxes_inclusive),
        "taxes_exclusive_total": decimal_text(totals.taxes_exclusive),
        "taxes_total": decimal_text(totals.taxes_inclusive + totals.taxes_exclusive),
        "total": decimal_text(totals.total),
    }


def _detail_to_v3(detail: DetailLine, line: InvoiceLine) -> dict[str, Any]:
    amounts = [
        {"id": detail.id, "reason": _DISCOUNT_REASONS.get(reason, "maximum_spend"), "amount": amount}
        for reason, amount in detail.discounts
    ]
    return without_none(
        [
            ("id", detail.id),
            ("name", detail.name[:NAME_LENGTH_MAX]),
            ("service_period", _period(line)),
            ("totals", totals_to_v3(detail.totals)),
            ("category", detail.category),
            ("quantity", decimal_text(detail.quantity)),
            ("unit_price", decimal_text(detail.per_unit_amount)),
            ("discounts", {"amount": amounts} if amounts else None),
            ("external_references", {"invoicing_id": detail.external_id} if detail.external_id else None),
            ("created_at", time_text(line.created_at)),
            ("updated_at", time_text(line.updated_at)),
        ]
    )


def _status_details(invoice: Invoice, now: datetime) -> dict[str, Any]:
    possible = available_actions(invoice, now)
    return {
        "immutable": not is_mutable(invoice.status),
        "failed": is_failed(invoice.status),
        "extended_status": extended_status(invoice.status),
        "available_actions": {
            name: {"resulting_state": extended_status(possible[action])}
            for action, name in ACTIONS_IN_V3.items()
            if action in possible
        },
    }


def _customer_to_v3(invoice: Invoice) -> dict[str, Any]:
    snapshot = invoice.customer_snapshot
    address = {k: v for k, v in (snapshot.get("billing_address") or {}).items() if v is not None}
    return without_none(
        [
            ("id", invoice.customer_id),
            ("key", invoice.customer_key),
            ("name", invoice.customer_name[:NAME_LENGTH_MAX]),
            ("usage_attribution", {"subject_keys": list(snapshot.get("subject_keys") or [])}),
            ("billing_address", address or None),
        ]
    )


def _workflow_to_v3(invoice: Invoice) -> dict[str, Any]:
    workflow = invoice.workflow or Workflow()
    app = {"id": invoice.app_id} if invoice.app_id else None
    return without_none(
        [
            ("apps", {"tax": app, "invoicing": app, "payment": app} if app else None),
            ("source_billing_profile", {"id": invoice.billing_profile_id or NAMESPACE_ID}),
            (
                "workflow",
                {
                    "invoicing": {"auto_advance": workflow.auto_advance, "draft_period": workflow.draft_period},
                    "payment": payment_to_v3(workflow),
                },
            ),
        ]
    )


def _issue_to_v3(issue: Issue) -> dict[str, Any]:
    return without_none(
        [
            ("severity", issue.severity),
            ("code", issue.code),
            ("message", f"{issue.message} {issue.remedy}".strip()),
            ("field", issue.path),
        ]
    )


def _subscription_to_v3(line: InvoiceLine) -> dict[str, Any] | None:
    known = line.subscription or {}
    phase, item = known.get("phase_id"), known.get("item_id")
    if not (line.subscription_id and phase and item):
        return None
    return {"id": line.subscription_id, "phase": {"id": phase, "item": {"id": item}}}


def _period(line: InvoiceLine) -> dict[str, str]:
    return {"from": time_text(line.period_from), "to": time_text(line.period_to)}
