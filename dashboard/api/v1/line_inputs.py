"""v1's invoice lines, as they are sent: pending ones, simulated ones, and those of a replaced draft."""

from typing import Annotated, Any

from pydantic import Field

from dashboard.api.shapes import DecimalText, Description, Name, ResourceKey, Time, UlidAnyCase, without_none
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.price_shapes import DiscountsBody, Price, discounts_from_v1, price_from_v1
from dashboard.api.v1.workflow_shapes import TaxConfigBody, tax_config_from_v1
from dashboard.kit.errors import InvalidInput

LINES_MAX = 1000


class PeriodBody(V1Model):
    from_: Annotated[Time, Field(alias="from")]
    to: Time


class RateCardBody(V1Model):
    """`InvoiceUsageBasedRateCard`."""

    feature_key: ResourceKey | None = None
    tax_config: TaxConfigBody | None = None
    price: Price | None = None
    discounts: DiscountsBody | None = None


class LineBody(V1Model):
    """`InvoicePendingLineCreate`. `price`, `featureKey`, `taxConfig` are the old places; `rateCard` wins."""

    name: Name
    description: Description | None = None
    metadata: dict[str, str] | None = None
    tax_config: TaxConfigBody | None = None
    period: PeriodBody
    invoice_at: Time
    price: Price | None = None
    feature_key: ResourceKey | None = None
    rate_card: RateCardBody | None = None


class SimulatedLineBody(LineBody):
    """`InvoiceSimulationLine`."""

    quantity: DecimalText
    pre_line_period_quantity: DecimalText | None = None
    id: UlidAnyCase | None = None


class ReplacedLineBody(LineBody):
    """`InvoiceLineReplaceUpdate`: with an `id` a line that is there, without one a new line."""

    id: UlidAnyCase | None = None


def line_from_v1(line: LineBody, place: str) -> dict[str, Any]:
    """What `PendingLineInput` takes. Raises InvalidInput for a line without a price; `place` names the line."""
    card = line.rate_card or RateCardBody(price=line.price, feature_key=line.feature_key, tax_config=line.tax_config)
    if card.price is None:
        raise InvalidInput("A line needs a price.", field=f"{place}.rateCard.price")
    return without_none(
        [
            ("name", line.name),
            ("description", line.description),
            ("metadata", line.metadata),
            ("period_from", line.period.from_),
            ("period_to", line.period.to),
            ("invoice_at", line.invoice_at),
            ("price", price_from_v1(card.price)),
            ("feature_key", card.feature_key),
            ("discounts", discounts_from_v1(card.discounts)),
            ("tax", tax_config_from_v1(card.tax_config) if card.tax_config else None),
        ]
    )
