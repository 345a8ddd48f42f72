"""Which lines one phase of a subscription yields, and when each can be billed.

Every item repeats on its own cadence, every bill on the plan's, and both are counted from the same anchor:
- full service period: the item's cadence from the anchor, never clipped;
- service period: that, cut to the time the item lives;
- billing period: the plan's cadence from the anchor around the start of the service, clipped to phase and subscription.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.catalog.prices import FlatPrice, PaymentTerm, Price, payment_term_of
from dashboard.kit.calendar import Duration, Period, Recurrence, cut_to_seconds


@dataclass(frozen=True, slots=True)
class PhaseSchedule:
    """One phase in the calendar. `billing_anchor` is what all cadences are counted from."""

    phase_start: datetime
    billing_cadence: Duration
    billing_anchor: datetime
    phase_end: datetime | None = None
    subscription_end: datetime | None = None

    @property
    def end(self) -> datetime | None:
        """When the phase really ends: with itself or with the subscription."""
        return _earliest(self.phase_end, self.subscription_end)


@dataclass(frozen=True, slots=True)
class PhaseItem:
    """One version of an item: what it costs, how often, and since when, as offsets from the start of the phase.

    A cadence of None means once; a price of None means that it is not billable.
    """

    key: str
    cadence: Duration | None
    price: Price | None
    start_after: Duration | None = None
    end_after: Duration | None = None


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """What is to be billed for one period of one version of an item.

    `invoice_at` is None for a one-time fee in arrears whose end is not known yet: it cannot be billed so far.
    """

    item_key: str
    item_version: int
    period_index: int | None
    service_period: Period
    full_service_period: Period
    billing_period: Period
    invoice_at: datetime | None


def subscription_periods(
    schedule: PhaseSchedule, items: Sequence[PhaseItem], generate_until: datetime
) -> list[PeriodLine]:
    """All lines of a phase that can be billed up to `generate_until`, cut to whole seconds.

    Items with the same key are successive versions, counted from 0. A usage line whose period is shorter than a second
    is left out, but keeps its index.
    """
    versions: dict[str, list[PhaseItem]] = defaultdict(list)
    for item in items:
        versions[item.key].append(item)
    return [
        line
        for same_key in versions.values()
        for version in range(len(same_key))
        for line in _lines_of_version(schedule, same_key, version, generate_until)
    ]


def invoice_at(price: Price, service_period: Period, billing_period: Period) -> datetime:
    """From when a line can be billed: in advance with the billing period's start, else when both periods are over."""
    if payment_term_of(price) is PaymentTerm.IN_ADVANCE:
        return billing_period.start
    return max(service_period.end, billing_period.end)


def _lines_of_version(
    schedule: PhaseSchedule, versions: Sequence[PhaseItem], version: int, generate_until: datetime
) -> Iterator[PeriodLine]:
    item = versions[version]
    start, end = _life(schedule, versions, version)
    if item.price is None or (schedule.end is not None and start >= schedule.end) or (end is not None and end < start):
        return
    if item.cadence is None:
        yield _one_time_line(schedule, item, item.price, version, start, end)
        return
    for index, (full, service) in enumerate(_service_periods(schedule, item.cadence, start, end)):
        billing = _billing_period(schedule, service.start)
        due = cut_to_seconds(invoice_at(item.price, service, billing))
        if due > cut_to_seconds(generate_until):
            return
        service = service.cut_to_seconds()
        if service.is_empty and not isinstance(item.price, FlatPrice):
            continue
        yield PeriodLine(item.key, version, index, service, full.cut_to_seconds(), billing.cut_to_seconds(), due)


def _one_time_line(
    schedule: PhaseSchedule, item: PhaseItem, price: Price, version: int, start: datetime, end: datetime | None
) -> PeriodLine:
    service, billing = Period(start, end or start), _billing_period(schedule, start)
    never_due = end is None and payment_term_of(price) is PaymentTerm.IN_ARREARS
    due = None if never_due else cut_to_seconds(invoice_at(price, service, billing))
    service = service.cut_to_seconds()
    return PeriodLine(item.key, version, None, service, service, billing.cut_to_seconds(), due)


def _life(schedule: PhaseSchedule, versions: Sequence[PhaseItem], version: int) -> tuple[datetime, datetime | None]:
    """From when until when a version lives: never beyond its phase, nor into the next version."""
    item = versions[version]
    start = _after(schedule, item.start_after) or schedule.phase_start
    own_end = _after(schedule, item.end_after)
    if own_end is None and version + 1 < len(versions):
        own_end = _after(schedule, versions[version + 1].start_after)
    return start, _earliest(own_end, schedule.end)


def _service_periods(
    schedule: PhaseSchedule, cadence: Duration, start: datetime, end: datetime | None
) -> Iterator[tuple[Period, Period]]:
    """Each full service period with the part of it the item lives in."""
    for full in Recurrence(cadence, schedule.billing_anchor).periods_from(start):
        service = Period(max(full.start, start), full.end if end is None else min(full.end, end))
        yield full, service
        if end is not None and service.end >= end:
            return


def _billing_period(schedule: PhaseSchedule, at: datetime) -> Period:
    whole = Recurrence(schedule.billing_cadence, schedule.billing_anchor).period_at(at)
    return Period(max(whole.start, schedule.phase_start), _earliest(whole.end, schedule.end) or whole.end)


def _after(schedule: PhaseSchedule, offset: Duration | None) -> datetime | None:
    return None if offset is None else offset.added_to(schedule.phase_start)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
