"""What one may ask for in the catalog. A draft may be wrong in many ways; what it may not be is unreadable."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from dashboard.catalog.plan_json import Json
from dashboard.catalog.plan_views import Phase, RateCard, RateCardTax, RateCardType
from dashboard.catalog.price_json import conversion_from_json, discounts_from_json, price_from_json
from dashboard.kit.durations import Duration
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import CurrencyCode, Input

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Description = Annotated[str, StringConstraints(max_length=1024)]


def _duration(text: str) -> str:
    try:
        Duration.parse(text)
    except InvalidInput as error:
        raise ValueError(error.message) from None
    return text


DurationText = Annotated[str, AfterValidator(_duration)]


class TaxInput(Input):
    behavior: Literal["inclusive", "exclusive"] | None = None
    tax_code_id: str | None = None
    stripe_code: Annotated[str, StringConstraints(pattern=r"^txcd_\d{8}$")] | None = None


class RateCardInput(Input):
    """One position; `price`, `discounts` and `unit_conversion` are documents as `price_json` reads them."""

    key: Key
    name: Name
    type: RateCardType
    description: Description | None = None
    feature_key: Key | None = None
    billing_cadence: DurationText | None = None
    price: Json | None = None
    discounts: Json | None = None
    unit_conversion: Json | None = None
    tax: TaxInput = TaxInput()
    entitlement: dict[str, Any] | None = None
    metadata: dict[str, str] = Field(default_factory=dict)

    def to_rate_card(self, place: str = "") -> RateCard:
        """The rate card. Raises InvalidInput, its fields below `place`, for a price that cannot be read."""
        try:
            return RateCard(
                key=self.key,
                name=self.name,
                type=self.type,
                description=self.description,
                feature_key=self.feature_key,
                billing_cadence=self.billing_cadence,
                price=None if self.price is None else price_from_json(self.price),
                discounts=discounts_from_json(self.discounts),
                unit_conversion=conversion_from_json(self.unit_conversion),
                tax=RateCardTax(self.tax.behavior, self.tax.tax_code_id, self.tax.stripe_code),
                entitlement=self.entitlement,
                metadata=self.metadata,
            )
        except InvalidInput as error:
            fields = {f"{place}{name}": sentence for name, sentence in error.fields.items()}
            raise InvalidInput(error.message, remedy=error.what_to_do, fields=fields) from None


class PhaseInput(Input):
    key: Key
    name: Name
    description: Description | None = None
    duration: DurationText | None = None
    rate_cards: tuple[RateCardInput, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)

    def to_phase(self, place: str = "") -> Phase:
        """The phase. Raises InvalidInput as `RateCardInput.to_rate_card` does."""
        cards = tuple(card.to_rate_card(f"{place}rate_cards.{n}.") for n, card in enumerate(self.rate_cards))
        return Phase(self.key, self.name, cards, self.duration, self.description, self.metadata)


class CustomPlan(Input):
    """A plan for one subscription only: it has no key, and nobody else can subscribe to it."""

    name: Name
    description: Description | None = None
    currency: CurrencyCode
    billing_cadence: DurationText
    pro_rating_enabled: bool = True
    settlement_mode: Literal["credit_then_invoice", "credit_only"] = "credit_then_invoice"
    phases: tuple[PhaseInput, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)


class CreatePlan(CustomPlan):
    """A new plan, or the next version of the one that has this key; always a draft."""

    key: Key


class UpdatePlan(Input):
    """A draft, replaced whole; key, version and currency stay."""

    name: Name
    description: Description | None = None
    billing_cadence: DurationText | None = None
    pro_rating_enabled: bool = True
    settlement_mode: Literal["credit_then_invoice", "credit_only"] = "credit_then_invoice"
    phases: tuple[PhaseInput, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)


class PublishPlan(Input):
    """When the version takes over; None: now."""

    effective_from: datetime | None = None
    effective_to: datetime | None = None


class CreateFeature(Input):
    """A feature; `filters` maps a dimension of its meter to the values that count."""

    key: Key
    name: Name
    description: Description | None = None
    meter: str | None = None
    filters: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    unit_cost: Decimal | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
