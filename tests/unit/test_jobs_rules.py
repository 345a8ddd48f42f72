import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard.kit.jobs.catalogue import pause_after
from dashboard.kit.jobs.internals import Bell
from dashboard.kit.jobs.run import plain_json


def test_pauses_double_from_one_second_to_two_minutes():
    assert [pause_after(attempt) for attempt in range(1, 10)] == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_a_pause_the_other_side_asked_for_wins_when_it_is_longer():
    assert pause_after(1, 30) == 30
    assert pause_after(8, 30) == 120


def test_what_goes_into_the_record_is_what_will_come_out_of_it():
    assert plain_json({"lines": (1, 2), "total": None}) == {"lines": [1, 2], "total": None}


@pytest.mark.parametrize("value", [Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), b"x", {1}], ids=repr)
def test_what_json_cannot_hold_is_refused_and_not_turned_into_text(value):
    with pytest.raises(TypeError):
        plain_json({"value": value})


def test_numbers_that_postgresql_would_not_take_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        plain_json(float("inf"))


def test_a_bell_ends_the_wait_of_whoever_listens_to_it():
    bell, waited = Bell(), []
    listener = threading.Thread(target=lambda: waited.append(bell.wait(30)))
    started = time.monotonic()
    listener.start()
    bell.ring()
    listener.join(10)
    assert waited == [False]
    assert time.monotonic() - started < 5


def test_a_bell_rung_while_nobody_waited_is_heard_once():
    bell = Bell()
    bell.ring()
    started = time.monotonic()
    bell.wait(30)
    assert time.monotonic() - started < 5
    assert bell.wait(0.01) is False


def test_a_bell_that_rings_again_and_again_is_answered_together_and_no_ring_is_lost():
    bell = Bell(between_looks=0.5)
    bell.ring()
    bell.wait(30)
    started = time.monotonic()
    for _ in range(20):
        bell.ring()
    threading.Timer(0.02, bell.ring).start()
    assert bell.wait(30) is False
    assert time.monotonic() - started >= 0.25
    # All of them were one look: only the clock ends the next wait.
    waits_from = time.monotonic()
    bell.wait(0.3)
    assert time.monotonic() - waits_from >= 0.29


def test_after_the_end_no_wait_lasts():
    bell = Bell()
    bell.set()
    assert bell.is_set()
    assert bell.wait(30) is True
