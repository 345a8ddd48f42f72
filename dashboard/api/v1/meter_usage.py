"""v1's questions to a meter: usage as JSON, whose values are numbers written digit for digit, or as CSV."""

import csv
import io
import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response
from pydantic import ConfigDict, Field, StringConstraints

from dashboard.api.auth import Viewer
from dashboard.api.meter_queries import UsageQuestion, UsageRow, usage_rows
from dashboard.api.shapes import Time, UlidAnyCase, decimal_text, optional_time, reply, time_text, without_none
from dashboard.api.v1.base import V1Model
from dashboard.backend import running
from dashboard.usage import queries
from dashboard.usage.errors import QueryInvalid
from dashboard.usage.views import Window

_FILTER = re.compile(r"filterGroupBy\[([^\]]+)\]").fullmatch

router = APIRouter(prefix="/api/v1/meters", tags=["Meters"])


class ValueFilter(V1Model):
    """`FilterString`, as far as usage can be filtered: one value, or one of several."""

    model_config = ConfigDict(extra="forbid")

    eq: Annotated[str | None, Field(alias="$eq")] = None
    in_: Annotated[list[str] | None, Field(alias="$in")] = None

    def values(self, name: str) -> tuple[str, ...]:
        """The values that count. Raises QueryInvalid when none is named."""
        found = (*([self.eq] if self.eq is not None else []), *(self.in_ or []))
        if not found:
            raise QueryInvalid(f"Filter {name} with $eq or $in.", field="advancedMeterGroupByFilters")
        return found


class MeterQueryRequest(V1Model):
    client_id: Annotated[str | None, StringConstraints(min_length=1, max_length=36)] = None
    from_: Annotated[Time | None, Field(alias="from")] = None
    to: Time | None = None
    window_size: Window | None = None
    window_time_zone: str = "UTC"
    subject: Annotated[list[str], Field(max_length=100)] = []
    filter_customer_id: Annotated[list[UlidAnyCase], Field(max_length=100)] = []
    filter_group_by: dict[str, list[str]] = {}
    advanced_meter_group_by_filters: dict[str, ValueFilter] = {}
    group_by: Annotated[list[str], Field(max_length=100)] = []


@router.get("/{meter_id_or_slug}/query")
async def query_meter(
    caller: Viewer,
    request: Request,
    meter_id_or_slug: str,
    from_at: Annotated[Time | None, Query(alias="from")] = None,
    to: Annotated[Time | None, Query()] = None,
    window_size: Annotated[Window | None, Query(alias="windowSize")] = None,
    window_time_zone: Annotated[str, Query(alias="windowTimeZone")] = "UTC",
    subject: Annotated[list[str], Query(max_length=100)] = [],
    filter_customer_id: Annotated[list[UlidAnyCase], Query(alias="filterCustomerId", max_length=100)] = [],
    group_by: Annotated[list[str], Query(alias="groupBy", max_length=100)] = [],
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Usage as JSON, or as CSV where the caller asks for it. `filterGroupBy[name]=value` keeps a dimension's value."""
    filters = [(match[1], value) for name, value in request.query_params.multi_items() if (match := _FILTER(name))]
    body = MeterQueryRequest.model_validate(
        {
            "from": from_at,
            "to": to,
            "windowSize": window_size,
            "windowTimeZone": window_time_zone,
            "subject": subject,
            "filterCustomerId": filter_customer_id,
            "filterGroupBy": {name: [one for key, one in filters if key == name] for name, _ in filters},
            "groupBy": group_by,
        }
    )
    return await query_meter_post(caller, meter_id_or_slug, body, accept)


@router.post("/{meter_id_or_slug}/query")
async def query_meter_post(
    _: Viewer,
    meter_id_or_slug: str,
    body: Annotated[MeterQueryRequest, Body()],
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """Usage with the question in the body."""
    backend = running()
    async with backend.database.read() as session:
        meter = await queries.get_meter(session, meter_id_or_slug)
    rows = await usage_rows(backend, meter, _question(body))
    if accept.startswith("text/csv"):
        return Response(_csv(rows, body), media_type="text/csv")
    return reply(
        without_none(
            [
                ("from", optional_time(body.from_)),
                ("to", optional_time(body.to)),
                ("windowSize", body.window_size and body.window_size.value),
                ("data", [_row_to_v1(row) for row in rows]),
            ]
        )
    )


def _question(body: MeterQueryRequest) -> UsageQuestion:
    filters = {name: tuple(values) for name, values in body.filter_group_by.items()}
    for name, condition in body.advanced_meter_group_by_filters.items():
        filters[name] = condition.values(name)
    return UsageQuestion(
        from_at=body.from_,
        to_at=body.to,
        window=body.window_size,
        time_zone=body.window_time_zone,
        subjects=tuple(body.subject),
        customers=tuple(body.filter_customer_id),
        group_by=tuple(body.group_by),
        filters=filters,
    )


def _row_to_v1(row: UsageRow) -> dict[str, Any]:
    measured = row.measurement
    document: dict[str, Any] = {
        "value": measured.value,
        "windowStart": time_text(measured.from_at),
        "windowEnd": time_text(measured.to_at),
        "subject": measured.subject,
        "groupBy": measured.group_by,
    }
    return document | ({"customerId": row.customer_id} if row.customer_id else {})


def _csv(rows: list[UsageRow], body: MeterQueryRequest) -> str:
    dimensions = _question(body).dimensions
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["window_start", "window_end", "subject", "customer_id", *dimensions, "value"])
    for row in rows:
        measured = row.measurement
        writer.writerow(
            [
                time_text(measured.from_at),
                time_text(measured.to_at),
                measured.subject or "",
                row.customer_id or "",
                *(measured.group_by.get(name, "") for name in dimensions),
                decimal_text(measured.value),
            ]
        )
    return text.getvalue()
