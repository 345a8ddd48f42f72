"""Measuring: sums, counts and the like over `usage_value`, exact to the last digit.

SQL adds up whole numbers (values times a million); the few values that do not fit that are added in Python as decimals.
Where a zone's clocks change inside a window, its two parts are measured apart and put together here.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from dashboard.usage.rollups import ADDED_UP, stretches
from dashboard.usage.sql import ValueSql
from dashboard.usage.taking import SCALE
from dashboard.usage.times import DAY, MICROSECOND, microseconds, moment
from dashboard.usage.views import Aggregation, Measurement, MeterQuery, Window
from dashboard.usage.windows import (
    length_in_microseconds,
    months,
    refuse_too_many,
    spans,
    window_at,
    zone,
)

# A value has 38 digits on each side of the point, and more of them than anybody can store add fewer than 40 to that.
_EXACT = Context(prec=120)
_AVERAGE = Context(prec=60)
_FIGURES: dict[Aggregation, tuple[str, ...]] = {
    Aggregation.COUNT: (),
    Aggregation.SUM: ("sum",),
    Aggregation.AVG: ("sum",),
    Aggregation.MIN: ("ends",),
    Aggregation.MAX: ("ends",),
}
Bucket = tuple[datetime, datetime]


@dataclass(slots=True)
class _Part:
    """What is known of one row so far."""

    count: int = 0
    total: Decimal = Decimal(0)
    least: Decimal | None = None
    most: Decimal | None = None
    latest: tuple[int, int, Decimal] | None = None
    distinct: set[str] = field(default_factory=set)

    def take_in(self, value: Decimal) -> None:
        self.total = _EXACT.add(self.total, value)
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)

    def result(self, aggregation: Aggregation) -> Decimal:
        match aggregation:
            case Aggregation.COUNT:
                return Decimal(self.count)
            case Aggregation.UNIQUE_COUNT:
                return Decimal(len(self.distinct))
            case Aggregation.AVG:
                return _AVERAGE.divide(self.total, Decimal(self.count))
            case Aggregation.MIN:
                return self.least or Decimal(0)
            case Aggregation.MAX:
                return self.most or Decimal(0)
            case Aggregation.LATEST:
                return self.latest[2] if self.latest else Decimal(0)
            case Aggregation.SUM:
                return self.total


_Key = tuple[Bucket | None, str | None, tuple[str, ...]]


UnrolledDays = Callable[[int, int, int], Awaitable[list[int]]]
"""Of a meter, the days in [first, end) that have values and no daily figures, in order."""


class MeterReader:
    """Reads what was taken out for one meter. It knows daily figures where it is told which days lack them."""

    def __init__(self, sql: ValueSql, meter_no: int, unrolled_days: UnrolledDays | None = None) -> None:
        self._sql = sql
        self._meter_no = meter_no
        self._unrolled_days = unrolled_days

    async def measure(self, aggregation: Aggregation, query: MeterQuery) -> list[Measurement]:
        """The rows of `query`. Raises QueryInvalid for an unknown zone or too many windows."""
        return await _Measuring(self._sql, self._meter_no, aggregation, self._unrolled_days).measure(query)

    async def distinct(self, column: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        """The texts that a column of the values has, sorted."""
        where, parameters = _where(self._sql, self._meter_no, MeterQuery(from_at, to_at))
        rows = await self._sql.rows(f"SELECT DISTINCT {column} FROM usage_value WHERE {where}", *parameters)
        return sorted(text for (text,) in rows)

    async def dimension_values(self, name: str, from_at: datetime | None, to_at: datetime | None) -> list[str]:
        """The values of a dimension, sorted, without the empty one."""
        texts = await self.distinct("dimensions", from_at, to_at)
        return sorted({json.loads(text).get(name, "") for text in texts if text} - {""})


class _Measuring:
    """One query while it is answered."""

    def __init__(
        self, sql: ValueSql, meter_no: int, aggregation: Aggregation, unrolled_days: UnrolledDays | None
    ) -> None:
        self._sql = sql
        self._meter_no = meter_no
        self._aggregation = aggregation
        self._unrolled_days = unrolled_days
        self._parts: dict[_Key, _Part] = {}
        self._unrolled: list[int] | None = None

    async def measure(self, query: MeterQuery) -> list[Measurement]:
        if query.subjects == ():
            return []
        bounds = await self._bounds(query)
        if bounds is None or bounds[0] >= bounds[1]:
            return []
        from_at, to_at = bounds
        if query.rollups and self._unrolled_days and query.subjects is None and self._aggregation in ADDED_UP:
            first, end = microseconds(from_at) // DAY, microseconds(to_at) // DAY + 1
            self._unrolled = await self._unrolled_days(self._meter_no, first, end)
        if query.window is None:
            await self._read(query, from_at, to_at, None, None)
        elif query.window is Window.MONTH:
            for start, end in months(from_at, to_at, zone(query.time_zone)):
                await self._read(query, max(start, from_at), min(end, to_at), (start, end), None)
        else:
            refuse_too_many(query.window, from_at, to_at)
            for span in spans(from_at, to_at, zone(query.time_zone)):
                await self._read(query, span.from_at, span.to_at, None, span.offset)
        return self._rows(query, from_at, to_at)

    def _rows(self, query: MeterQuery, from_at: datetime, to_at: datetime) -> list[Measurement]:
        rows = [
            Measurement(
                bucket[0] if bucket else from_at,
                bucket[1] if bucket else to_at,
                part.result(self._aggregation),
                subject,
                dict(zip(query.group_by, dimensions, strict=True)),
            )
            for (bucket, subject, dimensions), part in self._parts.items()
        ]
        return sorted(rows, key=lambda row: (row.from_at, row.subject or "", tuple(row.group_by.values())))

    async def _bounds(self, query: MeterQuery) -> Bucket | None:
        from_at, to_at = query.from_at, query.to_at
        if from_at is None or to_at is None:
            where, parameters = _where(self._sql, self._meter_no, query)
            first, last = (
                await self._sql.rows(f"SELECT MIN(time), MAX(time) FROM usage_value WHERE {where}", *parameters)
            )[0]
            if first is None:
                return None
            from_at = from_at or moment(first).replace(second=0, microsecond=0)
            to_at = to_at or moment(last + 60_000_000).replace(second=0, microsecond=0)
        return from_at.replace(microsecond=0), to_at.replace(microsecond=0)

    async def _read(
        self, query: MeterQuery, from_at: datetime, to_at: datetime, bucket: Bucket | None, offset: Any
    ) -> None:
        # A window of a day begins with a day of UTC where the clocks show UTC; longer ones are made of such days.
        by_days = bucket is not None or offset is None or (query.window is Window.DAY and not offset)
        if self._unrolled is None or not by_days:
            await self._read_stretch(query, from_at, to_at, bucket, offset, rolled=False)
            return
        start, end = microseconds(from_at), microseconds(to_at)
        unrolled = [day for day in self._unrolled if start <= day * DAY and (day + 1) * DAY <= end]
        for piece_start, piece_end, rolled in stretches(start, end, unrolled):
            await self._read_stretch(query, moment(piece_start), moment(piece_end), bucket, offset, rolled=rolled)

    async def _read_stretch(
        self,
        query: MeterQuery,
        from_at: datetime,
        to_at: datetime,
        bucket: Bucket | None,
        offset: Any,
        *,
        rolled: bool,
    ) -> None:
        if rolled:
            where, parameters = _where(self._sql, self._meter_no, query, from_at, to_at, time="day", length=DAY)
            time = f"day * {DAY}"
        else:
            where, parameters = _where(self._sql, self._meter_no, query, from_at, to_at)
            time = "time"
        keys: list[str] = []
        if offset is not None and query.window is not None:
            shift = offset // MICROSECOND
            # Times before 1970 are refused at the door, so plain division is the floor.
            keys.append(self._sql.quotient(f"({time} + {shift})", length_in_microseconds(query.window)))
        if query.by_subject:
            keys.append("subject")
        keys += [_dimension(self._sql, name) for name in query.group_by]

        def key_of(row: Sequence[Any]) -> _Key:
            position, place = 0, bucket
            if offset is not None and query.window is not None:
                place = window_at(row[0], query.window, offset, zone(query.time_zone))
                position = 1
            subject = None
            if query.by_subject:
                subject = row[position]
                position += 1
            return place, subject, tuple(value or "" for value in row[position : len(keys)])

        if self._aggregation is Aggregation.UNIQUE_COUNT:
            await self._read_distinct(keys, where, parameters, key_of)
        elif self._aggregation is Aggregation.LATEST:
            await self._read_latest(keys, where, parameters, key_of)
        else:
            await self._read_figures(keys, where, parameters, key_of, rolled=rolled)

    async def _read_figures(
        self, keys: list[str], where: str, parameters: list[Any], key_of: Any, *, rolled: bool
    ) -> None:
        # Only what is asked for is worked out, over millions of rows each figure counts. The sum is taken of quotients
        # and remainders, so that it cannot leave SQLite's 64 bits.
        wanted = _FIGURES[self._aggregation]
        sums, ends = "sum" in wanted, "ends" in wanted
        figures = [
            "COUNT(*)",
            self._sql.total(self._sql.quotient("scaled", SCALE)) if sums else "0",
            self._sql.total(f"scaled % {SCALE}") if sums else "0",
            "MIN(scaled)" if ends else "NULL",
            "MAX(scaled)" if ends else "NULL",
            "COUNT(exact)" if wanted else "0",
        ]
        table = "usage_value"
        if rolled:
            table = "usage_rollup"
            figures = ["SUM(counted)", "SUM(quotients)", "SUM(remainders)", "MIN(least)", "MAX(most)", "0"]
        group = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
        rows = await self._sql.rows(
            f"SELECT {', '.join(keys + figures)} FROM {table} WHERE {where}{group}", *parameters
        )
        beyond = False
        for row in rows:
            count, quotients, remainders, least, most, exact = row[len(keys) :]
            if not count:
                continue
            part = self._parts.setdefault(key_of(row), _Part())
            part.count += int(count)
            if quotients is not None:
                whole, rest = Decimal(int(quotients)), Decimal(int(remainders)).scaleb(-6, _EXACT)
                part.total = _EXACT.add(_EXACT.add(part.total, whole), rest)
            if least is not None:
                part.least = _unscaled(least) if part.least is None else min(part.least, _unscaled(least))
                part.most = _unscaled(most) if part.most is None else max(part.most, _unscaled(most))
            beyond = beyond or bool(exact)
        if beyond:
            columns = ", ".join([*keys, "exact"])
            for row in await self._sql.rows(
                f"SELECT {columns} FROM usage_value WHERE {where} AND exact IS NOT NULL", *parameters
            ):
                self._parts.setdefault(key_of(row), _Part()).take_in(Decimal(row[-1]))

    async def _read_distinct(self, keys: list[str], where: str, parameters: list[Any], key_of: Any) -> None:
        columns = ", ".join([*keys, "exact"])
        for row in await self._sql.rows(f"SELECT DISTINCT {columns} FROM usage_value WHERE {where}", *parameters):
            self._parts.setdefault(key_of(row), _Part()).distinct.add(row[-1])

    async def _read_latest(self, keys: list[str], where: str, parameters: list[Any], key_of: Any) -> None:
        names = [f"k{n}" for n in range(len(keys))]
        named = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
        inner = f"SELECT {named + ', ' if named else ''}time, seq, scaled, exact FROM usage_value WHERE {where}"
        partition = f"PARTITION BY {', '.join(names)} " if names else ""
        columns = ", ".join([*names, "time", "seq", "scaled", "exact"])
        statement = (
            f"SELECT {columns} FROM ("
            f"SELECT {columns}, ROW_NUMBER() OVER ({partition}ORDER BY time DESC, seq DESC) AS place"
            f" FROM ({inner}) AS found) AS ranked WHERE place = 1"
        )
        for row in await self._sql.rows(statement, *parameters):
            time, seq, scaled, exact = row[len(keys) :]
            value = _unscaled(scaled) if scaled is not None else Decimal(exact)
            part = self._parts.setdefault(key_of(row), _Part())
            candidate = (time, seq, value)
            part.latest = candidate if part.latest is None else max(part.latest, candidate, key=lambda c: c[:2])


def _where(
    sql: ValueSql,
    meter_no: int,
    query: MeterQuery,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    *,
    time: str = "time",
    length: int = 1,
) -> tuple[str, list[Any]]:
    conditions = ["meter_no = ?"]
    parameters: list[Any] = [meter_no]
    from_time, to_time = _in_seconds(from_at or query.from_at), _in_seconds(to_at or query.to_at)
    if query.subjects is not None:
        conditions.append(f"subject IN ({', '.join('?' * len(query.subjects))})")
        parameters += query.subjects
    if from_time is not None:
        conditions.append(f"{time} >= ?")
        parameters.append(from_time // length)
    if to_time is not None:
        conditions.append(f"{time} < ?")
        parameters.append(to_time // length)
    for name, values in query.filters.items():
        conditions.append(f"COALESCE({_dimension(sql, name)}, '') IN ({', '.join('?' * len(values))})")
        parameters += values
    more_conditions, more_parameters = sql.kept_to(from_time, to_time)
    return " AND ".join([*conditions, *more_conditions]), [*parameters, *more_parameters]


def _dimension(sql: ValueSql, name: str) -> str:
    # `name` is one of the meter's own dimensions, whose form (letters, digits, underscores) was checked when made.
    if not name.replace("_", "").isalnum():
        raise ValueError(name)
    return sql.dimension(name)


def _in_seconds(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at.replace(microsecond=0))


def _unscaled(scaled: int) -> Decimal:
    return Decimal(scaled).scaleb(-6)
