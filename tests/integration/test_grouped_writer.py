"""Many requests, few commits."""

import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from dashboard.kit.grouped_writer import GroupedWriter


class Store:
    """Takes its time, and cannot store what is negative."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.down: Exception | None = None

    async def write(self, requests):
        self.groups.append(list(requests))
        await asyncio.sleep(0.01)
        if self.down is not None:
            raise self.down
        if any(one < 0 for one in requests):
            raise ValueError("negative")
        return [one * 10 for one in requests]


@pytest.fixture
def store():
    return Store()


def writer(store, most=100):
    return GroupedWriter(store.write, size=lambda one: abs(one), most_per_commit=most)


async def test_what_arrives_while_one_is_written_shares_the_next_commit_and_each_gets_its_own_answer(store):
    writing = writer(store)
    assert await asyncio.gather(*[writing.store(one) for one in range(5)]) == [0, 10, 20, 30, 40]
    assert sorted(one for group in store.groups for one in group) == list(range(5))
    assert len(store.groups) <= 2


async def test_what_cannot_be_stored_is_refused_alone(store):
    writing = writer(store)
    answers = await asyncio.gather(*[writing.store(one) for one in (1, 2, -3, 4)], return_exceptions=True)
    assert [one if isinstance(one, int) else type(one) for one in answers] == [10, 20, ValueError, 40]


async def test_a_database_that_is_down_is_not_asked_again_for_each(store):
    store.down = OperationalError("insert", {}, Exception("gone"))
    writing = writer(store)
    answers = await asyncio.gather(*[writing.store(one) for one in range(1, 6)], return_exceptions=True)
    assert {type(one) for one in answers} == {OperationalError}
    assert len(store.groups) <= 2


async def test_a_group_is_no_larger_than_it_may_be_unless_one_alone_is(store):
    writing = writer(store, most=10)
    await asyncio.gather(*[writing.store(one) for one in (1, 6, 5, 50, 2)])
    assert all(sum(group) <= 10 or len(group) == 1 for group in store.groups)
