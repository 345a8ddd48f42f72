"""When pending lines are gathered, how long late usage is waited for, and when an invoice is approved and due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboard.billing.rating.errors import VolumeSplitNotSupported
from dashboard.catalog.prices import FlatPrice, Price, TieredPrice, TierMode
from dashboard.kit.calendar import Duration, Period, Recurrence, cut_to_seconds
from dashboard.kit.errors import InvalidInput
from dashboard.usage.meter_rules import Aggregation

SUBSCRIPTION_ALIGNMENT = "subscription"
ANCHORED_ALIGNMENT = "anchored"

SPLITTABLE_AGGREGATIONS = frozenset({Aggregation.SUM, Aggregation.COUNT, Aggregation.MAX, Aggregation.UNIQUE_COUNT})
"""What was measured up to a moment never shrinks later by its own nature, so a period may be billed in pieces."""


class BadCollectionAlignment(InvalidInput):
    code = "bad_collection_alignment"
    remedy = "Align with the subscription, or give the dates to collect on: an interval and an anchor."


@dataclass(frozen=True, slots=True)
class PendingDate:
    """What a date is computed from, of one line. `collection_end_override` replaces the wait for late usage."""

    invoice_at: datetime
    is_deleted: bool = False
    is_metered: bool = False
    collection_end_override: datetime | None = None


@dataclass(frozen=True, slots=True)
class BillableCandidate:
    """A pending line, asked what of it can be billed now. A flat fee has no aggregation."""

    price: Price
    service_period: Period
    invoice_at: datetime
    aggregation: Aggregation | None = None
    was_split: bool = False


def collection_cutoff(
    alignment: str, anchor: Recurrence | None, as_of: datetime, *, bypass_alignment: bool = False
) -> datetime:
    """Up to when pending lines may be billed: `as_of`, or the last anchor at or before it.

    Raises BadCollectionAlignment for an unknown alignment, or an anchored one without its dates.
    """
    if bypass_alignment or _is_with_subscription(alignment):
        return as_of
    return _dates_of(anchor).prev_before(as_of, inclusive=True)


def next_collection_at(alignment: str, anchor: Recurrence | None, lines: Iterable[PendingDate]) -> datetime | None:
    """When pending lines are collected next: with the earliest one, or on the first anchor at or after it; None when
    there is no live line. Raises BadCollectionAlignment."""
    earliest = min((line.invoice_at for line in lines if not line.is_deleted), default=None)
    if earliest is None or _is_with_subscription(alignment):
        return earliest
    return _dates_of(anchor).next_after(earliest, inclusive=True)


def invoice_collection_at(collection_interval: Duration, lines: Iterable[PendingDate]) -> datetime | None:
    """Until when an invoice waits for late usage: the latest of its live lines' waits; None without any."""
    return max((end for line in lines if (end := _wait_of(line, collection_interval)) is not None), default=None)


def draft_until(
    auto_advance: bool, draft_period: Duration, created_at: datetime, collection_at: datetime | None
) -> datetime | None:
    """Until when a draft can be reviewed before it is approved by itself; None when a person approves."""
    if not auto_advance:
        return None
    return draft_period.added_to(max(created_at, collection_at or created_at))


def due_at(
    auto_advance: bool, due_after: Duration, draft_until: datetime | None, issued_at: datetime | None
) -> datetime | None:
    """When an invoice is due, in whole seconds: so long after its approval or, when a person approves, after its issue;
    None while that is unknown."""
    base = draft_until if auto_advance else issued_at
    return None if base is None else cut_to_seconds(due_after.added_to(base))


@dataclass(frozen=True, slots=True)
class InvoiceDates:
    """The dates of one invoice that follow from its lines and its workflow."""

    collection_at: datetime | None
    draft_until: datetime | None
    due_at: datetime | None


def invoice_dates(
    lines: Iterable[PendingDate],
    *,
    collection_interval: Duration,
    auto_advance: bool,
    draft_period: Duration,
    due_after: Duration,
    created_at: datetime,
    issued_at: datetime | None,
) -> InvoiceDates:
    """All dates of an invoice, computed anew whenever its lines change."""
    collection = invoice_collection_at(collection_interval, lines)
    draft = draft_until(auto_advance, draft_period, created_at, collection)
    return InvoiceDates(collection, draft, due_at(auto_advance, due_after, draft, issued_at))


def quantities_are_final(fixed_at: datetime | None, collection_at: datetime | None, created_at: datetime) -> bool:
    """Whether quantities were fixed late enough: not before the end of the wait for late usage. Those fixed earlier are
    fixed anew, for instance after a line was added that made the invoice wait longer."""
    return fixed_at is not None and fixed_at >= (collection_at or created_at)


def billable_period(line: BillableCandidate, as_of: datetime, *, progressive_billing: bool) -> Period | None:
    """What of a pending line can be billed at `as_of`; None for nothing.

    Raises VolumeSplitNotSupported for a volume price of which a piece was billed already.
    """
    if isinstance(line.price, FlatPrice):
        return line.service_period if line.invoice_at <= as_of else None
    if _is_volume(line.price) and line.was_split:
        raise VolumeSplitNotSupported("A volume price cannot be billed in pieces: the last unit prices all of them.")
    if progressive_billing and not _is_volume(line.price) and line.aggregation in SPLITTABLE_AGGREGATIONS:
        end = min(cut_to_seconds(as_of), line.service_period.end)
        return Period(line.service_period.start, end) if end > line.service_period.start else None
    is_over = line.service_period.end <= as_of and (progressive_billing or line.invoice_at <= as_of)
    return line.service_period if is_over else None


def _wait_of(line: PendingDate, collection_interval: Duration) -> datetime | None:
    if line.is_deleted:
        return None
    if line.collection_end_override is not None:
        return line.collection_end_override
    return collection_interval.added_to(line.invoice_at) if line.is_metered else None


def _is_with_subscription(alignment: str) -> bool:
    if alignment not in (SUBSCRIPTION_ALIGNMENT, ANCHORED_ALIGNMENT):
        raise BadCollectionAlignment(f"{alignment!r} is not a way to align collection.", field="collection.alignment")
    return alignment == SUBSCRIPTION_ALIGNMENT


def _dates_of(anchor: Recurrence | None) -> Recurrence:
    if anchor is None:
        raise BadCollectionAlignment("The dates to collect on are missing.", field="collection.anchor")
    return anchor


def _is_volume(price: Price) -> bool:
    return isinstance(price, TieredPrice) and price.mode is TierMode.VOLUME
