"""Figures per meter, day (UTC), subject and dimensions, so that a chart over a year need not read every event.

A day that is over is rolled up once; whatever comes for it later makes it count as not rolled up in the same commit,
and it is then read from the values until the next time. So both ways of reading give the same answer at any moment.
Invoices read the values always. Days with values beyond millionths stay as they are, and so do meters that cannot be
added up from days (UNIQUE_COUNT, LATEST).
"""

from collections.abc import Sequence

from dashboard.usage.event_rows import ValueRow
from dashboard.usage.event_tables import EventTables
from dashboard.usage.meter_definitions import definition_from_text
from dashboard.usage.sql import Sql
from dashboard.usage.taking import SCALE
from dashboard.usage.times import DAY
from dashboard.usage.views import Aggregation

DAYS_AT_ONCE = 7
ADDED_UP = frozenset((Aggregation.SUM, Aggregation.COUNT, Aggregation.AVG, Aggregation.MIN, Aggregation.MAX))

_OPEN, _ROLLED, _KEPT_APART = 0, 1, 2
_PAIRS_PER_STATEMENT = 200


async def store_values(tables: EventTables, sql: Sql, rows: Sequence[ValueRow], *, again: bool = False) -> None:
    """Stores values, and makes their days count as not rolled up."""
    await tables.insert_values(sql, rows, again=again)
    days = sorted({(row[0], row[2] // DAY) for row in rows})
    for start in range(0, len(days), _PAIRS_PER_STATEMENT):
        await _open_days(sql, days[start : start + _PAIRS_PER_STATEMENT])


async def _open_days(sql: Sql, days: Sequence[tuple[int, int]]) -> None:
    pairs = ", ".join(["(?, ?)"] * len(days))
    numbers = [number for pair in days for number in pair]
    known = await sql.rows(
        f"SELECT meter_no, day, state FROM usage_day WHERE (meter_no, day) IN (VALUES {pairs})", *numbers
    )
    states = {(meter_no, day): state for meter_no, day, state in known}
    # In order, so that two writers cannot wait for each other; and nothing is written for a day that is open.
    for pair in days:
        state = states.get(pair)
        if state is None:
            await sql.run("INSERT INTO usage_day (meter_no, day, state) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", *pair)
        elif state != _OPEN:
            await sql.run("UPDATE usage_day SET state = 0 WHERE meter_no = ? AND day = ?", *pair)


async def open_all_days(sql: Sql) -> None:
    """For a store from before there were rollups: every day that has values is open."""
    if await sql.row("SELECT 1 FROM usage_day LIMIT 1") is None:
        await sql.run(
            f"INSERT INTO usage_day (meter_no, day, state) SELECT DISTINCT meter_no, time / {DAY}, 0 FROM usage_value"
        )


async def roll_up_some(sql: Sql, today: int) -> bool:
    """Rolls up a few open days before `today` of one meter; false when there were none.

    Nobody may store values meanwhile (`EventTables.lock_meters` alone).
    """
    meters = await sql.rows("SELECT meter_no, definition FROM usage_meter ORDER BY 1")
    for meter_no, text in meters:
        if definition_from_text(text).aggregation not in ADDED_UP:
            continue
        (first,) = await sql.row(
            "SELECT MIN(day) FROM usage_day WHERE meter_no = ? AND state = 0 AND day < ?", meter_no, today
        )
        if first is not None:
            await _roll_up(sql, meter_no, first, min(first + DAYS_AT_ONCE, today))
            return True
    return False


async def _roll_up(sql: Sql, meter_no: int, first: int, end: int) -> None:
    await sql.run("DELETE FROM usage_rollup WHERE meter_no = ? AND day >= ? AND day < ?", meter_no, first, end)
    subjects, parameters = "", [meter_no, first * DAY, end * DAY]
    if sql.sqlite:
        # Values are clustered by subject, so one hop per subject saves reading the meter's other days.
        subjects = (
            "WITH RECURSIVE known(subject) AS (SELECT MIN(subject) FROM usage_value WHERE meter_no = ? UNION ALL"
            " SELECT (SELECT MIN(subject) FROM usage_value WHERE meter_no = ? AND subject > known.subject)"
            " FROM known WHERE known.subject IS NOT NULL) "
        )
        parameters = [meter_no, meter_no, *parameters]
    only = " AND subject IN (SELECT subject FROM known)" if sql.sqlite else ""
    await sql.run(
        f"{subjects}INSERT INTO usage_rollup"
        " (meter_no, day, subject, dimensions, counted, quotients, remainders, least, most, beyond)"
        f" SELECT meter_no, time / {DAY}, subject, dimensions, COUNT(*), SUM(scaled / {SCALE}), SUM(scaled % {SCALE}),"
        " MIN(scaled), MAX(scaled), COUNT(exact)"
        f" FROM usage_value WHERE meter_no = ? AND time >= ? AND time < ?{only} GROUP BY 1, 2, 3, 4",
        *parameters,
    )
    days = (meter_no, first, end)
    beyond = "SELECT day FROM usage_rollup WHERE meter_no = ? AND day >= ? AND day < ? AND beyond > 0"
    await sql.run(
        f"UPDATE usage_day SET state = CASE WHEN day IN ({beyond}) THEN {_KEPT_APART} ELSE {_ROLLED} END"
        " WHERE meter_no = ? AND day >= ? AND day < ?",
        *(*days, *days),
    )


async def unrolled_days(sql: Sql, meter_no: int, first: int, end: int) -> list[int]:
    """Days in [first, end) that have values and are not rolled up, in order."""
    rows = await sql.rows(
        f"SELECT day FROM usage_day WHERE meter_no = ? AND state <> {_ROLLED} AND day >= ? AND day < ? ORDER BY day",
        *(meter_no, first, end),
    )
    return [day for (day,) in rows]


async def forget_rollups(sql: Sql, meter_no: int) -> None:
    """Drops what was rolled up for a meter."""
    await sql.run("DELETE FROM usage_rollup WHERE meter_no = ?", meter_no)
    await sql.run("DELETE FROM usage_day WHERE meter_no = ?", meter_no)


def stretches(from_time: int, to_time: int, unrolled: Sequence[int]) -> list[tuple[int, int, bool]]:
    """[from_time, to_time) cut into (start, end, rolled): whole days that can be read from rollups, and the rest."""
    first, end = -(-from_time // DAY), to_time // DAY
    if first >= end:
        return [(from_time, to_time, False)]
    pieces = [(from_time, first * DAY, False)]
    reached = first
    for day in unrolled:
        pieces += [(reached * DAY, day * DAY, True), (day * DAY, (day + 1) * DAY, False)]
        reached = day + 1
    pieces += [(reached * DAY, end * DAY, True), (end * DAY, to_time, False)]
    return [piece for piece in pieces if piece[0] < piece[1]]
