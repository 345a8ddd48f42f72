"""The quantity of metered lines: which meter counts, and what it says up to the end of a piece."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.errors import FeatureHasNoMeter
from dashboard.billing.tables import InvoiceLineRow
from dashboard.billing.views import Issue
from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_errors import FeatureNotFound
from dashboard.catalog.plan_views import Feature
from dashboard.customers.queries import get_customer, usage_names
from dashboard.kit.errors import MeterdeskError
from dashboard.usage.errors import MeterNotFound
from dashboard.usage.event_store import EventStore
from dashboard.usage.queries import measured_quantity, meters_by_id
from dashboard.usage.views import Meter

QUANTITIES = "meterdesk.quantities"
"""The component that issues about quantities stand under."""


@dataclass(frozen=True, slots=True)
class MeteredLine:
    """All that is needed to ask the event store for a line, read beforehand so that no transaction stays open."""

    line_id: str
    meter: Meter
    subjects: tuple[str, ...]
    filters: dict[str, tuple[str, ...]]
    line: InvoiceLineRow

    @property
    def measured_with(self) -> dict[str, Any]:
        """What a line keeps of how it was measured."""
        return {"meter_id": self.meter.id, "filters": {name: list(values) for name, values in self.filters.items()}}


@dataclass(frozen=True, slots=True)
class Unmeasurable:
    """A line whose quantity cannot be told; it is held back, the others are not."""

    line_id: str
    name: str
    reason: MeterdeskError


async def metered_lines(session: AsyncSession, lines: Sequence[InvoiceLineRow]) -> list[MeteredLine | Unmeasurable]:
    """What to ask the event store for lines of one customer, in their order."""
    if not lines:
        return []
    features = await features_by_key(session, {line.feature_key for line in lines if line.feature_key})
    subjects = usage_names(await get_customer(session, lines[0].customer_id))
    meters = await meters_by_id(session, {feature.meter_id for feature in features.values() if feature.meter_id})
    return [_asked(line, features.get(line.feature_key or ""), meters, subjects) for line in lines]


def _asked(
    line: InvoiceLineRow, feature: Feature | None, meters: dict[str, Meter], subjects: tuple[str, ...]
) -> MeteredLine | Unmeasurable:
    if feature is None:
        return Unmeasurable(line.id, line.name, FeatureNotFound(f"There is no feature {line.feature_key!r}."))
    if feature.meter_id is None:
        return Unmeasurable(line.id, line.name, FeatureHasNoMeter(f"The feature {feature.key} has no meter."))
    meter = meters.get(feature.meter_id)
    if meter is None:
        return Unmeasurable(line.id, line.name, MeterNotFound(f"There is no meter {feature.meter_id!r}."))
    return MeteredLine(line.id, meter, subjects, dict(feature.filters), line)


def issue_of_line(line_id: str, name: str, reason: MeterdeskError, severity: str) -> Issue:
    """A refusal as an issue that points to its line."""
    return Issue(severity, reason.code, f"{name}: {reason.message}", reason.what_to_do, path=f"/lines/{line_id}")


async def quantities_so_far(store: EventStore, lines: Sequence[MeteredLine]) -> dict[str, Decimal]:
    """Line id → everything metered from the start of its full period to the end of the piece, as known now."""
    return {
        one.line_id: await measured_quantity(
            store, one.meter, one.subjects, one.line.full_period_from, one.line.period_to, one.filters
        )
        if one.subjects
        else Decimal(0)
        for one in lines
    }
