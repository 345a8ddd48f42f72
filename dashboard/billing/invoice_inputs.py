"""What one may ask for of invoices and their lines, validated once for screens and API."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from dateutil.relativedelta import relativedelta
from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from dashboard.billing.inputs import Moment, SupplierInput, TaxConfigInput, WaitingTime
from dashboard.billing.views import CollectionMethod
from dashboard.customers.inputs import (
    EmptyIsNone,
    Metadata,
    Name,
    OptionalCurrency,
    OptionalText,
)
from dashboard.kit.inputs import Input
from dashboard.kit.money import BadAmount, amount_text, parse_amount

LINES_MAX = 1000
FOOTER_LENGTH_MAX = 5000
PURCHASE_ORDER_LENGTH_MAX = 120
DESCRIPTOR_LENGTH_MAX = 22


def _amount(value: Any) -> Any:
    try:
        return parse_amount(value)
    except BadAmount as error:
        raise ValueError(error.for_people()) from None


Amount = Annotated[Decimal, BeforeValidator(_amount)]
LineTitle = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class PendingLineInput(Input):
    """A line to be invoiced. `price`, `discounts` and `unit_conversion` are documents as `price_json` reads them.

    A flat price is charged `quantity` times (once if left out). Any other price needs a feature with a meter.
    """

    name: LineTitle
    price: dict[str, Any]
    period_from: Moment
    period_to: Moment
    invoice_at: Moment
    description: OptionalText = None
    quantity: Amount | None = None
    feature_key: Annotated[str | None, EmptyIsNone] = None
    discounts: dict[str, Any] = {}
    unit_conversion: dict[str, Any] | None = None
    tax: TaxConfigInput = TaxConfigInput()
    metadata: Metadata = {}

    @model_validator(mode="after")
    def _period_runs_forward(self) -> "PendingLineInput":
        if self.period_to < self.period_from:
            raise ValueError("The period ends before it starts.")
        return self


class ChargeInput(Input):
    """A charge by hand: so many times a price. A price below zero is a credit.

    Left out, the period is this very day, and the charge waits for the end of its period, or of the month if that has
    passed, unless somebody invoices it before.
    """

    name: LineTitle
    unit_price: Amount
    quantity: Amount = Decimal(1)
    description: OptionalText = None
    period_from: Moment | None = None
    period_to: Moment | None = None
    invoice_at: Moment | None = None
    tax: TaxConfigInput = TaxConfigInput()
    metadata: Metadata = {}

    def to_pending_line(self, now: datetime) -> PendingLineInput:
        """The pending line this charge is. Raises ValidationError for a period that runs backwards."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        period_from = self.period_from or min(day, self.period_to or day)
        period_to = self.period_to or max(period_from, day + timedelta(days=1))
        next_month = day.replace(day=1) + relativedelta(months=1)
        return PendingLineInput(
            name=self.name,
            description=self.description,
            price={"type": "flat", "amount": amount_text(self.unit_price), "payment_term": "in_advance"},
            quantity=self.quantity,
            period_from=period_from,
            period_to=period_to,
            invoice_at=self.invoice_at or (period_to if period_to > now else next_month),
            tax=self.tax,
            metadata=self.metadata,
        )


class AddCharges(Input):
    """Charges by hand for a customer. Without a currency: the customer's, else their billing profile's."""

    customer_id: str
    charges: Annotated[tuple[ChargeInput, ...], Field(min_length=1, max_length=LINES_MAX)]
    currency: OptionalCurrency = None


class CreatePendingLines(Input):
    """Lines for a customer, of any price."""

    customer_id: str
    lines: Annotated[tuple[PendingLineInput, ...], Field(min_length=1, max_length=LINES_MAX)]
    currency: OptionalCurrency = None


class InvoicePendingLines(Input):
    """Make an invoice of what is pending: of `line_ids`, or of everything that can be billed at `as_of` (now).

    `before_its_date`: flat lines too whose date has not come, which is what a person means by *Invoice now*. A fee of a
    subscription keeps its date all the same, unless `line_ids` names it.
    `progressive_billing` overrides the customer's workflow: whether a part of a metered period may be billed.
    """

    customer_id: str
    line_ids: tuple[str, ...] | None = None
    currency: OptionalCurrency = None
    as_of: Moment | None = None
    before_its_date: bool = False
    progressive_billing: bool | None = None


class EditLine(PendingLineInput):
    """A line of a draft: with `id` one that is there, without it a new one."""

    id: Annotated[str | None, EmptyIsNone] = None


class EditWorkflow(Input):
    """What of a draft's own workflow is different from now on; what is left out stays."""

    collection_method: CollectionMethod | None = None
    due_after: WaitingTime | None = None
    draft_period: WaitingTime | None = None
    auto_advance: bool | None = None
    default_tax: TaxConfigInput | None = None


class EditInvoice(Input):
    """What a draft is from now on. `lines` None leaves them alone, else lines that are left out are deleted; `supplier`
    None keeps who it comes from."""

    description: OptionalText = None
    footer: Annotated[Annotated[str, Field(max_length=FOOTER_LENGTH_MAX)] | None, EmptyIsNone] = None
    purchase_order: Annotated[Annotated[str, Field(max_length=PURCHASE_ORDER_LENGTH_MAX)] | None, EmptyIsNone] = None
    statement_descriptor: Annotated[Annotated[str, Field(max_length=DESCRIPTOR_LENGTH_MAX)] | None, EmptyIsNone] = None
    metadata: Metadata = {}
    workflow: EditWorkflow = EditWorkflow()
    supplier: SupplierInput | None = None
    lines: Annotated[tuple[EditLine, ...], Field(max_length=LINES_MAX)] | None = None


class SimulatedLine(PendingLineInput):
    """A line to rate without storing it: `quantity` was metered in it, `quantity_before` earlier in the period."""

    quantity_before: Amount = Decimal(0)


class SimulateInvoice(Input):
    customer_id: str
    lines: Annotated[tuple[SimulatedLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    currency: OptionalCurrency = None
    number: Annotated[Name | None, EmptyIsNone] = None
