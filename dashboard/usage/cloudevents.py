"""CloudEvents from the wire: read fast, with the text of `data` kept to the letter.

A number like 0.1 or 12345678901234567890.1 passes through no float: `data` stays raw until a meter looks into it.
Source: CloudEvents 1.0.2, and OpenMeter's contract (`Event`: id, source, type, subject required; time defaults to now).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from dashboard.usage.errors import EventRefused
from dashboard.usage.extraction import parse_event_data
from dashboard.usage.times import EPOCH
from dashboard.usage.views import UsageEvent

EVENTS_PER_REQUEST_MAX = 10_000
TEXT_LENGTH_MAX = 1_024
INDEXED_BYTES_MAX = 2_048
"""How long a subject or type may be in UTF-8: an index of PostgreSQL holds no more than about 2,700 bytes."""
DATA_BYTES_MAX = 262_144
REFUSALS_SHOWN = 20

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]


class WireEvent(msgspec.Struct):
    """One CloudEvent as it is sent; what else it carries (extensions) is read over."""

    id: Text
    source: Text
    type: Text
    subject: Text
    specversion: str = "1.0"
    time: datetime | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_one = msgspec.json.Decoder(WireEvent)
_many = msgspec.json.Decoder(list[msgspec.Raw])


def read_events(body: bytes, now: datetime) -> list[UsageEvent]:
    """The events in `body`, one object or an array of them.

    Raises EventRefused, which names every event that cannot be taken and why; then none of them is.
    """
    texts = _texts(body)
    if len(texts) > EVENTS_PER_REQUEST_MAX:
        raise EventRefused(
            f"{len(texts)} events are too many for one request.",
            remedy=f"Send at most {EVENTS_PER_REQUEST_MAX} at once.",
        )
    events: list[UsageEvent] = []
    refusals: dict[str, str] = {}
    for number, text in enumerate(texts):
        try:
            events.append(_event(_one.decode(text), now))
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError, OverflowError) as error:
            refusals[f"[{number}]" if len(texts) > 1 else "event"] = str(error)
    if refusals:
        shown = dict(list(refusals.items())[:REFUSALS_SHOWN])
        places = ", ".join(f"{place}: {reason}" for place, reason in shown.items())
        raise EventRefused(f"{len(refusals)} of {len(texts)} events cannot be taken. {places}", fields=shown)
    return events


def _texts(body: bytes) -> Sequence[msgspec.Raw | bytes]:
    if body.lstrip()[:1] != b"[":
        return [body]
    try:
        return _many.decode(body)
    except msgspec.DecodeError as error:
        raise EventRefused(f"The body is not JSON: {error}.", field="body") from None


def _event(wire: WireEvent, now: datetime) -> UsageEvent:
    if wire.specversion not in ("1.0", "1.0.2"):
        raise ValueError(f"specversion {wire.specversion!r} is not 1.0 - at `$.specversion`")
    time = wire.time or now
    if time.tzinfo is None:
        raise ValueError("the time has no zone - at `$.time`")
    if time < EPOCH:
        raise ValueError("the time lies before 1970 - at `$.time`")
    for name, value in (("id", wire.id), ("source", wire.source), ("type", wire.type), ("subject", wire.subject)):
        if "\0" in value:
            raise ValueError(f"a null character cannot be stored - at `$.{name}`")
        if len(value) > INDEXED_BYTES_MAX // 4 and len(value.encode()) > INDEXED_BYTES_MAX:
            raise ValueError(f"longer than {INDEXED_BYTES_MAX} bytes - at `$.{name}`")
    return UsageEvent(wire.id, wire.source, wire.type, wire.subject, time.astimezone(UTC), _data(wire), now)


def _data(wire: WireEvent) -> str | None:
    data = bytes(wire.data).strip()
    if data == b"null":
        return None
    if data[:1] != b"{":
        raise ValueError("data is no JSON object - at `$.data`")
    if len(data) > DATA_BYTES_MAX:
        raise ValueError(f"data is larger than {DATA_BYTES_MAX} bytes - at `$.data`")
    text = data.decode()
    try:
        parsed = parse_event_data(text)
    except ValueError:
        raise ValueError("data holds what cannot be counted or kept - at `$.data`") from None
    if "\\u0000" in text and _holds_null_character(parsed):
        raise ValueError("a null character cannot be stored - at `$.data`")
    return text


def _holds_null_character(parsed: Any) -> bool:
    if isinstance(parsed, dict):
        return any(_holds_null_character(one) for pair in parsed.items() for one in pair)
    if isinstance(parsed, list):
        return any(_holds_null_character(one) for one in parsed)
    return isinstance(parsed, str) and "\0" in parsed
