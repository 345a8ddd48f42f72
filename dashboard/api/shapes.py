"""The small shapes both API generations share: ids, keys, decimals as text, times, and answers."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import Response
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from dashboard.api.gate import KEPT_SLASH
from dashboard.kit.paging import Page, PageRequest

DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
DECIMAL_LENGTH_MAX = 64
_JSON = msgspec.json.Encoder(decimal_format="number")
_DECIMAL = re.compile(DECIMAL_PATTERN)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def reply(document: Any, status: int = 200) -> Response:
    """A JSON answer. Numbers that are `Decimal` are written digit for digit, times in RFC 3339 (give them in UTC)."""
    return Response(_JSON.encode(document), status_code=status, media_type="application/json")


def nothing() -> Response:
    """204: done, and there is nothing to say."""
    return Response(status_code=204)


def without_none(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs that have a value: an optional property is left out, never null."""
    return {name: value for name, value in pairs if value is not None}


def page_of(items: Iterable[Any], request: PageRequest) -> Page[Any]:
    """One page of a short list that is at hand as a whole."""
    everything = tuple(items)
    chosen = everything[request.offset : request.offset + request.size]
    return Page(chosen, len(everything), request.number, request.size)


def decimal_text(value: Decimal) -> str:
    """`value` as both contracts want it: a plain decimal, no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def in_utc(value: datetime) -> datetime:
    """`value` for an answer: `reply` writes it as `time_text` does, at a hundredth of the price."""
    # The database answers in UTC; turning that into UTC costs more than the rest.
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def optional_decimal(value: Decimal | None) -> str | None:
    """`decimal_text`, None for None."""
    return None if value is None else decimal_text(value)


def time_text(value: datetime) -> str:
    """`value` in RFC 3339, UTC, with a `Z`."""
    return in_utc(value).isoformat()[:-6] + "Z"


def optional_time(value: datetime | None) -> str | None:
    """`time_text`, None for None."""
    return None if value is None else time_text(value)


def _decimal_from(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > DECIMAL_LENGTH_MAX or not _DECIMAL.match(value):
        raise ValueError('a decimal is sent as text, like "12.50"')
    return Decimal(value)


def _time_from(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a time is sent with its zone, like 2026-01-31T00:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time is outside of the calendar") from None
    if not 1900 <= value.year <= 2999:
        raise ValueError("this time is outside of 1900 to 2999")
    return value


def _moment_of_seconds(value: Any) -> datetime:
    # By type, because JSON's true is an int to Python.
    if type(value) is not int:
        raise ValueError("seconds since 1970 are expected")
    try:
        return _in_utc(datetime.fromtimestamp(value, UTC))
    except (OverflowError, OSError, ValueError):
        raise ValueError("seconds since 1970 are expected") from None


DecimalText = Annotated[
    Decimal,
    BeforeValidator(_decimal_from),
    PlainSerializer(decimal_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DECIMAL_PATTERN}),
]
Time = Annotated[
    datetime,
    BeforeValidator(_time_from),
    AfterValidator(_in_utc),
    PlainSerializer(time_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
UnixSeconds = Annotated[datetime, BeforeValidator(_moment_of_seconds), WithJsonSchema({"type": "integer"})]
UlidAnyCase = Annotated[
    str,
    StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$"),
    AfterValidator(str.upper),
]
UlidUpperCase = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
ResourceKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
CustomerKey = Annotated[str, StringConstraints(min_length=1, max_length=256)]
IdOrKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(lambda text: text.replace(KEPT_SLASH, "/")),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Description = Annotated[str, StringConstraints(max_length=1024)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
StripeTaxCode = Annotated[str, StringConstraints(pattern=r"^txcd_\d{8}$")]
Flag = Annotated[bool, Field(strict=True)]
