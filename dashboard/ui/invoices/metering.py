"""What a metered line counted: by which meter, for whom, over which time, and where those events are to be seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.views import Invoice, InvoiceLine
from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_views import Feature
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_quantity
from dashboard.ui.views import exact_text
from dashboard.usage.queries import get_meter
from dashboard.usage.views import Meter

USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Metering:
    """Texts and links for one metered line. `before` and `priced` are empty where they would say nothing new."""

    meter: str = ""
    meter_href: str = ""
    window: str = ""
    metered: str = ""
    before: str = ""
    priced: str = ""
    filters: list[str] = field(default_factory=list)
    events_href: str = ""


async def meterings_of(session: AsyncSession, invoice: Invoice) -> dict[str, Metering]:
    """Line id → how its quantity came about, for every metered line. A meter that is gone leaves its figures."""
    lines = [line for line in invoice.lines if line.kind == USAGE and line.deleted_at is None]
    features = await features_by_key(session, {line.feature_key for line in lines if line.feature_key})
    meters = await _meters(session, list(features.values()))
    return {line.id: _metering(invoice, line, features.get(line.feature_key or ""), meters) for line in lines}


async def _meters(session: AsyncSession, features: Sequence[Feature]) -> dict[str, Meter]:
    found: dict[str, Meter] = {}
    for meter_id in {feature.meter_id for feature in features if feature.meter_id}:
        try:
            found[meter_id] = await get_meter(session, meter_id)
        except MeterdeskError:
            continue
    return found


def _metering(invoice: Invoice, line: InvoiceLine, feature: Feature | None, meters: dict[str, Meter]) -> Metering:
    meter = meters.get(feature.meter_id or "") if feature else None
    span = {"customer": invoice.customer_id, "from": line.period_from.isoformat(), "to": line.period_to.isoformat()}
    filters = feature.filters if feature else {}
    metered = line.metered_quantity
    changed = line.quantity is not None and metered is not None and line.quantity != metered
    return Metering(
        meter=meter.name if meter else "",
        meter_href=f"/meters/{meter.key}?{urlencode(span)}" if meter else "",
        window=f"{exact_text(line.period_from)} – {exact_text(line.period_to)}",
        metered="" if metered is None else format_quantity(metered),
        before=format_quantity(line.metered_before) if line.metered_before else "",
        priced=format_quantity(line.quantity) if changed and line.quantity is not None else "",
        filters=[f"{name} {' or '.join(values)}" for name, values in sorted(filters.items())],
        events_href=f"/events?{urlencode({'type': meter.event_type, **span})}" if meter else "",
    )
