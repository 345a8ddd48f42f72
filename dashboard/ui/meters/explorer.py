"""What a usage explorer asks of a meter, read from the address, and the answer as rows, a drawing and CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dashboard.backend import Backend
from dashboard.customers.queries import customers_by_id, customers_of_subjects, subjects_of_customers
from dashboard.kit.money import ZERO, amount_text, format_quantity
from dashboard.ui.listing import Address
from dashboard.ui.views import day_text
from dashboard.usage.queries import query_meter
from dashboard.usage.views import Aggregation, Measurement, Meter, MeterQuery, Window

RANGES = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "month": "This month",
    "last_month": "Last month",
}
CUSTOM = "custom"
"""The range of an address that names its own `from` and `to`, such as an invoice's link."""
_DAYS = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}
WINDOWS = {"HOUR": "By hour", "DAY": "By day", "MONTH": "By month"}
SUBJECT, CUSTOMER = "subject", "customer"
SERIES = 6
"""How many groups the drawing tells apart; the last one holds all the others."""
OTHERS = "All others"
_COMBINE = {Aggregation.SUM: sum, Aggregation.COUNT: sum, Aggregation.MAX: max, Aggregation.MIN: min}
"""How the values of a customer's subjects become the customer's. Others cannot be told from their subjects."""


@dataclass(frozen=True, slots=True)
class Question:
    """From inclusive to exclusive, in windows; `group` is empty, `subject`, `customer` or a dimension."""

    range: str
    from_at: datetime
    to_at: datetime
    window: Window
    group: str
    customer_id: str

    @property
    def period(self) -> str:
        """The whole of it in words."""
        return f"{_day_and_time(self.from_at)} – {_day_and_time(self.to_at)} UTC"

    @property
    def days(self) -> str:
        """It in few words, to the day."""
        return f"{self.from_at.day} {self.from_at:%b} – {self.to_at.day} {self.to_at:%b %Y}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`rows` by window and group in order of time; `total` as the meter adds up over all of it, None for no value."""

    rows: tuple[tuple[Measurement, str], ...]
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class UsageRow:
    period: str
    group: str
    value: str


def groups_of(meter: Meter) -> list[tuple[str, str]]:
    """What usage of a meter can be grouped by, with its name for people."""
    own = [(name, name) for name in sorted(meter.group_by)]
    by_customer = [(CUSTOMER, "Customer")] if meter.aggregation in _COMBINE else []
    return [("", "Not grouped"), *by_customer, (SUBJECT, "Subject"), *own]


def question_of(address: Address, meter: Meter, now: datetime) -> Question:
    """What the address asks; anything it cannot mean falls back to the last 30 days by day."""
    chosen = address.choice("range", RANGES, "30d")
    from_at, to_at = _span(chosen, now)
    asked_from, asked_to = address.time("from"), address.time("to")
    if asked_from is not None and asked_to is not None and asked_from < asked_to:
        chosen, from_at, to_at = CUSTOM, asked_from, asked_to
    window = address.choice("window", WINDOWS, "")
    group = address.choice("by", [value for value, _ in groups_of(meter)], "")
    return Question(
        chosen, from_at, to_at, Window(window or _fitting(to_at - from_at)), group, address.text("customer")
    )


async def answer(backend: Backend, meter: Meter, asked: Question) -> Answer:
    """Asks the event store. Raises CustomerNotFound and what `query_meter` raises."""
    subjects = await _subjects(backend, asked.customer_id)
    if subjects == ():
        return Answer((), ZERO)
    query = MeterQuery(
        from_at=asked.from_at,
        to_at=asked.to_at,
        window=asked.window,
        subjects=subjects,
        by_subject=asked.group in (SUBJECT, CUSTOMER),
        group_by=(asked.group,) if asked.group in meter.group_by else (),
        rollups=True,
    )
    measured = await query_meter(backend.event_store, meter, query)
    one_row = MeterQuery(from_at=asked.from_at, to_at=asked.to_at, subjects=subjects, rollups=True)
    whole = await query_meter(backend.event_store, meter, one_row)
    nothing = ZERO if meter.aggregation in (Aggregation.SUM, Aggregation.COUNT) else None
    total = whole[0].value if whole else nothing
    if asked.group == CUSTOMER:
        return Answer(await _by_customer(backend, meter, measured), total)
    return Answer(tuple((row, _group(row, asked.group)) for row in measured), total)


async def customers_with_usage(backend: Backend, meter: Meter, asked: Question) -> list[tuple[str, str]]:
    """Ids and names of the customers who used something in the time asked for, by name."""
    subjects = await backend.event_store.subjects(meter.id, asked.from_at, asked.to_at)
    async with backend.database.read() as session:
        owners = await customers_of_subjects(session, subjects)
        found = await customers_by_id(session, {*owners.values(), asked.customer_id})
    return sorted(((one.id, one.name) for one in found.values()), key=lambda one: one[1].lower())


def rows_of(found: Answer, asked: Question) -> list[UsageRow]:
    """The newest window first."""
    return [
        UsageRow(_label(row.from_at, asked), group, format_quantity(row.value)) for row, group in reversed(found.rows)
    ]


def drawing_of(found: Answer, asked: Question) -> tuple[list[str], list[dict[str, str | float]]]:
    """The names of the series, the largest first, and one point per window with the values `s0`, `s1`…

    A drawing needs no more digits than a float has; the table beside it shows them all.
    """
    sums: dict[str, Decimal] = {}
    for row, group in found.rows:
        sums[group] = sums.get(group, ZERO) + row.value
    names = sorted(sums, key=lambda name: (-sums[name], name))
    shown = names if len(names) <= SERIES else [*names[: SERIES - 1], OTHERS]
    places = {name: min(place, SERIES - 1) for place, name in enumerate(names)}
    points: dict[str, dict[str, str | float]] = {}
    for row, group in found.rows:
        label = _label(row.from_at, asked)
        point, series = points.setdefault(label, {"period": label}), f"s{places[group]}"
        point[series] = float(point.get(series, 0)) + float(row.value)
    return (shown if asked.group else []), list(points.values())


def csv_of(found: Answer, asked: Question) -> str:
    """Every row; quantities are plain decimals, times RFC 3339."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["from", "to", *([asked.group] if asked.group else []), "value"])
    for row, group in found.rows:
        own = [group] if asked.group else []
        writer.writerow([row.from_at.isoformat(), row.to_at.isoformat(), *own, amount_text(row.value)])
    return text.getvalue()


async def _subjects(backend: Backend, customer_id: str) -> tuple[str, ...] | None:
    if not customer_id:
        return None
    async with backend.database.read() as session:
        return (await subjects_of_customers(session, [customer_id]))[customer_id]


async def _by_customer(
    backend: Backend, meter: Meter, measured: Sequence[Measurement]
) -> tuple[tuple[Measurement, str], ...]:
    async with backend.database.read() as session:
        owners = await customers_of_subjects(session, sorted({row.subject or "" for row in measured}))
        names = {one.id: one.name for one in (await customers_by_id(session, owners.values())).values()}
    values: dict[tuple[datetime, datetime, str], list[Decimal]] = {}
    for row in measured:
        name = names.get(owners.get(row.subject or "", ""), "No customer")
        values.setdefault((row.from_at, row.to_at, name), []).append(row.value)
    combine = _COMBINE[meter.aggregation]
    return tuple(
        (Measurement(from_at, to_at, Decimal(combine(parts))), name) for (from_at, to_at, name), parts in values.items()
    )


def _group(row: Measurement, group: str) -> str:
    if not group:
        return ""
    found = row.subject if group == SUBJECT else row.group_by.get(group)
    return found or "none"


def _span(chosen: str, now: datetime) -> tuple[datetime, datetime]:
    """Whole hours, days or months, the one that has begun included."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    if chosen == "month":
        return month, now + timedelta(seconds=1)
    if chosen == "last_month":
        return (month - timedelta(days=1)).replace(day=1), month
    if chosen == "24h":
        return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23), now + timedelta(seconds=1)
    return midnight - timedelta(days=_DAYS[chosen] - 1), now + timedelta(seconds=1)


def _fitting(length: timedelta) -> str:
    """A window that makes between a dozen and a hundred points of the time."""
    if length <= timedelta(days=2):
        return "HOUR"
    return "DAY" if length <= timedelta(days=120) else "MONTH"


def _label(at: datetime, asked: Question) -> str:
    at = at.astimezone(UTC)
    if asked.window is Window.MONTH:
        return f"{at:%b %Y}"
    if asked.window is Window.DAY:
        return day_text(at)
    return f"{at.day} {at:%b %H:%M}"


def _day_and_time(at: datetime) -> str:
    at = at.astimezone(UTC)
    return day_text(at) + (f", {at:%H:%M}" if (at.hour, at.minute) != (0, 0) else "")
