from datetime import UTC, datetime

import pytest

from dashboard.usage.cloudevents import read_events
from dashboard.usage.errors import EventRefused

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
EVENT = '{"id": "1", "source": "app", "type": "prompt", "subject": "acme", "data": DATA}'


def with_data(data: str) -> bytes:
    return EVENT.replace("DATA", data).encode()


@pytest.mark.parametrize("data", ['{"tokens": 0.10}', '{"tokens": 12345678901234567890.1}', '{"text": "\\\\u0000"}'])
def test_data_is_kept_letter_for_letter(data):
    (event,) = read_events(with_data(data), NOW)
    assert event.data_json == data


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (with_data("[1]"), "$.data"),
        (with_data('{"a": "\\u0000"}'), "$.data"),
        (with_data('{"a": [{"\\u0000": 1}]}'), "$.data"),
        (with_data('{"a": 1e99999999999999999999}'), "$.data"),
        (with_data("{}").replace(b"acme", b"ac\\u0000me"), "$.subject"),
        (with_data("{}").replace(b"acme", "\N{GRINNING FACE}".encode() * 600), "$.subject"),
        (with_data("{}").replace(b'"1"', b'""'), "$.id"),
    ],
)
def test_what_no_database_can_keep_is_refused_with_its_place(body, place):
    with pytest.raises(EventRefused) as refused:
        read_events(body, NOW)
    assert place in refused.value.fields["event"]


def test_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(EventRefused):
        read_events(with_data('{"a": "\\ud800"}'), NOW)


def test_every_event_that_cannot_be_taken_is_named():
    good = with_data("{}")
    with pytest.raises(EventRefused) as refused:
        read_events(b"[" + b",".join([good, with_data("3"), good, b'{"id": "4"}']) + b"]", NOW)
    assert set(refused.value.fields) == {"[1]", "[3]"}
