"""v3: replacing what a draft says. Supplier, customer and workflow of an invoice are pinned and stay as they are."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.refusals import PinnedOnInvoice
from dashboard.api.shapes import Description, Name, ResourceKey, Time, UlidUpperCase
from dashboard.api.v3.base import Labels, V3Model
from dashboard.api.v3.customer_shapes import UsageAttribution, V3Address
from dashboard.api.v3.price_shapes import (
    DiscountsBody,
    FreePrice,
    Price,
    TaxBody,
    discounts_from_v3,
    price_from_v3,
)
from dashboard.api.v3.workflow_shapes import Payment, TaxIdentity
from dashboard.billing.views import Invoice, InvoiceLine


class SupplierBody(V3Model):
    id: str | None = None
    name: str | None = None
    tax_id: TaxIdentity | None = None
    addresses: dict[str, V3Address] | None = None


class CustomerBody(V3Model):
    id: UlidUpperCase
    key: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    name: Name
    usage_attribution: UsageAttribution | None = None
    billing_address: V3Address | None = None


class InvoicingBody(V3Model):
    auto_advance: Annotated[bool, Field(strict=True)] | None = None
    draft_period: str | None = None
    due_after: str | None = None


class WorkflowBody(V3Model):
    invoicing: InvoicingBody | None = None
    payment: Payment | None = None


class WorkflowSettingsBody(V3Model):
    workflow: WorkflowBody


class PeriodBody(V3Model):
    from_: Annotated[Time, Field(alias="from")]
    to: Time


class RateCardBody(V3Model):
    price: Price
    tax_config: TaxBody | None = None
    feature_key: ResourceKey | None = None
    discounts: DiscountsBody | None = None


class LineBody(V3Model):
    """`UpdateInvoiceStandardLine`."""

    type: Literal["standard_line"]
    id: UlidUpperCase | None = None
    name: Name
    description: Description | None = None
    labels: Labels | None = None
    service_period: PeriodBody
    rate_card: RateCardBody


class InvoiceBody(V3Model):
    """`UpdateInvoiceStandardRequest`. Supplier, customer and workflow are pinned on an invoice and stay as they are."""

    type: Literal["standard"]
    description: Description | None = None
    labels: Labels | None = None
    supplier: SupplierBody
    customer: CustomerBody
    workflow: WorkflowSettingsBody
    lines: Annotated[list[LineBody], Field(max_length=1000)] | None = None


def line_from_v3(body: LineBody, known: dict[str, InvoiceLine], now: datetime) -> dict[str, Any]:
    """What `EditLine` takes; `known` are the invoice's lines by id."""
    before, card = known.get(body.id or ""), body.rate_card
    is_flat = card.price.type in ("flat", "free")
    line: dict[str, Any] = {
        "id": body.id,
        "name": body.name,
        "description": body.description,
        "metadata": body.labels or {},
        "period_from": body.service_period.from_,
        "period_to": body.service_period.to,
        "invoice_at": before.invoice_at if before else now,
        "price": price_from_v3(card.price),
        "feature_key": card.feature_key,
        "discounts": discounts_from_v3(card.discounts),
    }
    if card.tax_config is not None:
        line["tax"] = {"behavior": card.tax_config.behavior, "tax_code_id": card.tax_config.code.id}
    if before is None:
        return line
    # v3 has no word for these here, so it cannot mean to change them.
    if is_flat and before.quantity is not None:
        line["quantity"] = before.quantity
    if not isinstance(card.price, FreePrice) and before.price["type"] in ("package", "dynamic", "flat"):
        line["price"] = _with_kept_terms(line["price"], before.price)
    line["unit_conversion"] = before.unit_conversion
    return line


def _with_kept_terms(price: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    if price["type"] == "flat" and before["type"] == "flat":
        return price | {"payment_term": before.get("payment_term", "in_advance")}
    if price["type"] == "unit" and before["type"] == "package":
        return before | {"amount": price["amount"]}
    if price["type"] == "unit" and before["type"] == "dynamic":
        return before
    return price


def check_pinned(invoice: Invoice, body: InvoiceBody) -> None:
    """Raises PinnedOnInvoice when the request wants another customer or supplier."""
    if body.customer.id != invoice.customer_id:
        raise PinnedOnInvoice("An invoice keeps its customer.", field="customer.id")
    if body.supplier.name is not None and invoice.supplier and body.supplier.name != invoice.supplier.name:
        raise PinnedOnInvoice("The supplier was fixed when the invoice was made.", field="supplier.name")
    if body.customer.name != invoice.customer_name:
        raise PinnedOnInvoice("The customer's name was fixed when the invoice was made.", field="customer.name")
