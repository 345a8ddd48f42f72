"""The small shapes both API generations share: ids, keys, decimals as text, times."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"


def decimal_text(value: Decimal) -> str:
    """`value` as both contracts want it: a plain decimal, no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def time_text(value: datetime) -> str:
    """`value` in RFC 3339, UTC, with a `Z`."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _decimal_from(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError('a decimal is sent as text, like "12.50"')
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError("not a decimal") from None


def _with_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone, like 2026-01-31T00:00:00Z")
    return value.astimezone(UTC)


DecimalText = Annotated[
    Decimal,
    BeforeValidator(_decimal_from),
    PlainSerializer(decimal_text, return_type=str),
    Field(json_schema_extra={"type": "string", "pattern": DECIMAL_PATTERN}),
]
Time = Annotated[datetime, AfterValidator(_with_zone), PlainSerializer(time_text, return_type=str, when_used="json")]
UlidAnyCase = Annotated[
    str,
    StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$"),
    AfterValidator(str.upper),
]
UlidUpperCase = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
ResourceKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
CustomerKey = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Description = Annotated[str, StringConstraints(max_length=1024)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
StripeTaxCode = Annotated[str, StringConstraints(pattern=r"^txcd_\d{8}$")]
