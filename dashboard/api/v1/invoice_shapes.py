"""v1's invoice, as it is answered."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard.api.invoice_states import ACTIONS_IN_V1, extended_status, short_status
from dashboard.api.shapes import decimal_text, optional_decimal, optional_time, time_text, without_none
from dashboard.api.v1.base import NAMESPACE_ID
from dashboard.api.v1.price_shapes import discounts_to_v1, price_to_v1
from dashboard.api.v1.profiles import apps_to_v1
from dashboard.api.v1.workflow_shapes import supplier_to_v1, tax_config_to_v1, workflow_to_v1
from dashboard.billing.invoice_actions import available_actions
from dashboard.billing.state_machine import is_failed, is_mutable
from dashboard.billing.views import (
    CustomerBilling,
    DetailLine,
    Invoice,
    InvoiceAction,
    InvoiceLine,
    InvoiceStatus,
    Issue,
    Totals,
    Workflow,
)

NAME_LENGTH_MAX = 256
DESCRIPTION_LENGTH_MAX = 1024
_MANAGED_BY = ("subscription", "system", "manual")
_DISCOUNT_REASONS = {"percentage": "ratecard_percentage", "usage": "ratecard_usage"}


def invoice_to_v1(
    invoice: Invoice, now: datetime, billing: CustomerBilling | None = None, *, with_lines: bool = True
) -> dict[str, Any]:
    """v1's `Invoice`. `billing` fills in for a gathering invoice, which has no profile of its own yet."""
    profile_id = invoice.billing_profile_id or (billing.profile.id if billing else NAMESPACE_ID)
    app_id = invoice.app_id or (billing.profile.app_id if billing else None)
    workflow = invoice.workflow or (billing.workflow if billing else Workflow())
    supplier = invoice.supplier or (billing.profile.supplier if billing else None)
    return without_none(
        [
            ("id", invoice.id),
            ("type", "standard"),
            ("number", invoice.number[:NAME_LENGTH_MAX]),
            ("description", _short(invoice.description)),
            ("metadata", invoice.metadata),
            ("currency", invoice.currency),
            ("status", short_status(invoice.status)),
            ("statusDetails", _status_details(invoice, now)),
            ("supplier", supplier_to_v1(supplier) if supplier else {}),
            ("customer", _customer_to_v1(invoice)),
            ("totals", totals_to_v1(invoice.totals)),
            ("workflow", _workflow_to_v1(profile_id, app_id, workflow)),
            ("period", _period(invoice.period_from, invoice.period_to)),
            ("collectionAt", optional_time(invoice.collection_at)),
            ("draftUntil", optional_time(invoice.draft_until)),
            ("quantitySnapshotedAt", optional_time(invoice.quantities_fixed_at)),
            ("issuedAt", optional_time(invoice.issued_at)),
            ("dueAt", optional_time(invoice.due_at)),
            ("sentToCustomerAt", optional_time(invoice.sent_at)),
            ("voidedAt", optional_time(invoice.voided_at)),
            ("createdAt", time_text(invoice.created_at)),
            ("updatedAt", time_text(invoice.updated_at)),
            ("deletedAt", optional_time(invoice.deleted_at)),
            ("lines", [line_to_v1(line, invoice) for line in invoice.lines] if with_lines else None),
            ("validationIssues", [_issue_to_v1(issue, invoice) for issue in invoice.issues] or None),
            ("externalIds", {"invoicing": invoice.external.id} if invoice.external else None),
        ]
    )


def line_to_v1(line: InvoiceLine, invoice: Invoice) -> dict[str, Any]:
    """v1's `InvoiceLine`."""
    price, tax = price_to_v1(line.price), tax_config_to_v1(line.effective_tax) or None
    own_tax = tax_config_to_v1(line.tax) or None
    rate_card = without_none(
        [
            ("featureKey", line.feature_key),
            ("taxConfig", own_tax),
            ("price", price),
            ("discounts", discounts_to_v1(line.discounts)),
        ]
    )
    return without_none(
        [
            *_common(line, invoice),
            ("type", "usage_based"),
            ("id", line.id),
            ("name", line.name[:NAME_LENGTH_MAX]),
            ("description", _short(line.description)),
            ("metadata", line.metadata),
            ("status", "detailed" if line.details else "valid"),
            ("totals", totals_to_v1(line.totals)),
            ("taxConfig", tax),
            ("price", price),
            ("featureKey", line.feature_key),
            ("rateCard", rate_card),
            ("quantity", optional_decimal(line.quantity)),
            ("meteredQuantity", optional_decimal(line.metered_quantity)),
            ("meteredPreLinePeriodQuantity", optional_decimal(line.metered_before)),
            ("preLinePeriodQuantity", optional_decimal(line.metered_before)),
            ("subscription", _subscription_to_v1(line)),
            ("children", [_detail_to_v1(detail, line, invoice) for detail in line.details]),
        ]
    )


def totals_to_v1(totals: Totals) -> dict[str, str]:
    """v1's `InvoiceTotals`."""
    return {
        "amount": decimal_text(totals.amount),
        "chargesTotal": decimal_text(totals.charges),
        "discountsTotal": decimal_text(totals.discounts),
        "creditsTotal": decimal_text(totals.credits),
        "taxesInclusiveTotal": decimal_text(totals.taxes_inclusive),
        "taxesExclusiveTotal": decimal_text(totals.taxes_exclusive),
        "taxesTotal": decimal_text(totals.taxes_inclusive + totals.taxes_exclusive),
        "total": decimal_text(totals.total),
    }


def _detail_to_v1(detail: DetailLine, line: InvoiceLine, invoice: Invoice) -> dict[str, Any]:
    amounts = [
        {
            "id": detail.id,
            "reason": _reason(reason, line.discounts),
            "amount": amount,
            "createdAt": time_text(line.created_at),
            "updatedAt": time_text(line.updated_at),
        }
        for reason, amount in detail.discounts
    ]
    return without_none(
        [
            *_common(line, invoice),
            ("type", "flat_fee"),
            ("id", detail.id),
            ("name", detail.name[:NAME_LENGTH_MAX]),
            ("status", "valid"),
            ("category", detail.category),
            ("paymentTerm", detail.payment_term),
            ("quantity", decimal_text(detail.quantity)),
            ("perUnitAmount", decimal_text(detail.per_unit_amount)),
            ("totals", totals_to_v1(detail.totals)),
            ("discounts", {"amount": amounts} if amounts else None),
            ("externalIds", {"invoicing": detail.external_id} if detail.external_id else None),
        ]
    )


def _common(line: InvoiceLine, invoice: Invoice) -> list[tuple[str, Any]]:
    return [
        ("managedBy", line.managed_by if line.managed_by in _MANAGED_BY else "system"),
        ("currency", invoice.currency),
        ("invoice", {"id": invoice.id, "number": invoice.number[:NAME_LENGTH_MAX]}),
        ("period", _period(line.period_from, line.period_to)),
        ("invoiceAt", time_text(line.invoice_at)),
        ("createdAt", time_text(line.created_at)),
        ("updatedAt", time_text(line.updated_at)),
        ("deletedAt", optional_time(line.deleted_at)),
    ]


def _status_details(invoice: Invoice, now: datetime) -> dict[str, Any]:
    possible = available_actions(invoice, now)
    actions: dict[str, Any] = {
        name: {"resultingState": extended_status(possible[action])}
        for action, name in ACTIONS_IN_V1.items()
        if action in possible
    }
    if InvoiceAction.INVOICE in possible:
        actions["invoice"] = {}
    return {
        "immutable": invoice.status is not InvoiceStatus.GATHERING and not is_mutable(invoice.status),
        "failed": is_failed(invoice.status),
        "extendedStatus": extended_status(invoice.status),
        "availableActions": actions,
    }


def _customer_to_v1(invoice: Invoice) -> dict[str, Any]:
    snapshot = invoice.customer_snapshot
    address = address_of_snapshot(snapshot.get("billing_address"))
    return without_none(
        [
            ("id", invoice.customer_id),
            ("key", invoice.customer_key),
            ("name", invoice.customer_name),
            ("addresses", [address] if address else None),
            ("usageAttribution", {"subjectKeys": list(snapshot.get("subject_keys") or [])}),
        ]
    )


def address_of_snapshot(address: Mapping[str, Any] | None) -> dict[str, Any]:
    """v1's `Address` of a stored one."""
    names = {"postal_code": "postalCode", "phone_number": "phoneNumber"}
    return {names.get(name, name): value for name, value in (address or {}).items() if value is not None}


def _workflow_to_v1(profile_id: str, app_id: str | None, workflow: Workflow) -> dict[str, Any]:
    return without_none(
        [
            ("apps", apps_to_v1(app_id, {}) if app_id else None),
            ("sourceBillingProfileId", profile_id),
            ("workflow", workflow_to_v1(workflow)),
        ]
    )


def _issue_to_v1(issue: Issue, invoice: Invoice) -> dict[str, Any]:
    at = time_text(issue.created_at or invoice.updated_at)
    message = f"{issue.message} {issue.remedy}".strip()
    return without_none(
        [
            ("id", issue.id or NAMESPACE_ID),
            ("severity", issue.severity),
            ("code", issue.code),
            ("component", issue.component),
            ("message", message),
            ("field", issue.path),
            ("createdAt", at),
            ("updatedAt", at),
        ]
    )


def _subscription_to_v1(line: InvoiceLine) -> dict[str, Any] | None:
    known = line.subscription or {}
    ids = [line.subscription_id, known.get("phase_id"), known.get("item_id")]
    if not all(ids):
        return None
    subscription, phase, item = ids
    return {
        "subscription": {"id": subscription},
        "phase": {"id": phase},
        "item": {"id": item},
        "billingPeriod": {
            "from": known.get("billing_from") or time_text(line.period_from),
            "to": known.get("billing_to") or time_text(line.period_to),
        },
    }


def _reason(reason: str, discounts: Mapping[str, Any]) -> dict[str, Any]:
    kind = _DISCOUNT_REASONS.get(reason, "maximum_spend")
    if kind == "ratecard_percentage":
        return {"type": kind, "percentage": Decimal(discounts.get("percentage") or 0)}
    if kind == "ratecard_usage":
        return {"type": kind, "quantity": str(discounts.get("usage_quantity") or "0")}
    return {"type": kind}


def _period(from_at: datetime | None, to_at: datetime | None) -> dict[str, str] | None:
    if from_at is None or to_at is None:
        return None
    return {"from": time_text(from_at), "to": time_text(to_at)}


def _short(text: str | None) -> str | None:
    return None if text is None else text[:DESCRIPTION_LENGTH_MAX]
