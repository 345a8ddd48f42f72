"""A meter's usage as both API generations ask for it: by subject and by customer, beside the meter's own dimensions."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.backend import Backend
from dashboard.customers.queries import customers_of_subjects, subjects_of_customers
from dashboard.usage import queries
from dashboard.usage.views import Measurement, Meter, MeterQuery, Window

SUBJECT = "subject"
CUSTOMER = "customer_id"
RESERVED = (SUBJECT, CUSTOMER)


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """`group_by` may hold the names `subject` and `customer_id`; filtering by one of them also groups by it."""

    from_at: datetime | None = None
    to_at: datetime | None = None
    window: Window | None = None
    time_zone: str = "UTC"
    subjects: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    filters: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The meter's own dimensions among `group_by`."""
        return tuple(dict.fromkeys(name for name in self.group_by if name not in RESERVED))


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A measured row, and whose it is where the question groups by customer."""

    measurement: Measurement
    customer_id: str | None = None


async def usage_rows(backend: Backend, meter: Meter, asked: UsageQuestion) -> list[UsageRow]:
    """The rows of `asked`. Raises CustomerNotFound, and what `usage.queries.query_meter` raises."""
    query = MeterQuery(
        from_at=asked.from_at,
        to_at=asked.to_at,
        window=asked.window,
        time_zone=asked.time_zone,
        subjects=asked.subjects or None,
        group_by=asked.dimensions,
        by_subject=bool(asked.subjects) or SUBJECT in asked.group_by,
        filters=asked.filters,
        rollups=True,
    )
    store = backend.event_store
    if not asked.customers and CUSTOMER not in asked.group_by:
        return [UsageRow(row) for row in await queries.query_meter(store, meter, query)]
    async with backend.database.read() as session:
        groups = await _subjects_by_customer(session, backend, meter, asked)
    rows: list[UsageRow] = []
    for customer_id, subjects in groups:
        chosen = tuple(one for one in subjects if query.subjects is None or one in query.subjects)
        measured = await queries.query_meter(store, meter, replace(query, subjects=chosen))
        rows += [UsageRow(row, customer_id) for row in measured]
    return rows


async def _subjects_by_customer(
    session: AsyncSession, backend: Backend, meter: Meter, asked: UsageQuestion
) -> list[tuple[str | None, tuple[str, ...]]]:
    """Customer and subjects; last those that are nobody's."""
    if asked.customers:
        return list((await subjects_of_customers(session, asked.customers)).items())
    seen = await backend.event_store.subjects(meter.id, asked.from_at, asked.to_at)
    owners = await customers_of_subjects(session, seen)
    groups: dict[str | None, list[str]] = {}
    for subject in seen:
        groups.setdefault(owners.get(subject), []).append(subject)
    ordered = sorted(groups.items(), key=lambda group: (group[0] is None, group[0] or ""))
    return [(customer_id, tuple(subjects)) for customer_id, subjects in ordered]
