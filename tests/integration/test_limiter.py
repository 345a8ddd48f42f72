import asyncio
import time

import pytest

from dashboard.kit.limiter import BACKGROUND, FINALIZING, PEOPLE, CallLimiter, Limits, somebody_waits
from tests.busiest import busiest_second
from tests.servers import _redis_server as _redis_server
from tests.servers import free_port
from tests.servers import redis_url as redis_url


@pytest.fixture(params=["memory", "redis"])
async def make_limiter(request):
    """Makes limiters as separate processes would, with one Redis between them or none."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    made = []

    def make(**limits) -> CallLimiter:
        made.append(CallLimiter(Limits(**limits), redis_url=url))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.close()


async def stamps_of(calls) -> list[float]:
    async def stamped(call) -> float:
        await call
        return time.monotonic()

    return sorted(await asyncio.gather(*(stamped(call) for call in calls)))


async def test_one_endpoint_never_gets_more_calls_in_a_second_than_its_limit(make_limiter):
    limiter = make_limiter(per_endpoint=20, total_in_test_mode=1000)
    stamps = await stamps_of([limiter.acquire("acct_1", "invoices.create", livemode=False) for _ in range(28)])
    assert busiest_second(stamps) <= 20
    assert stamps[-1] - stamps[0] < 2.5


async def test_all_endpoints_together_stay_within_the_accounts_total(make_limiter):
    limiter = make_limiter(per_endpoint=20, total_in_test_mode=20)
    stamps = await stamps_of([limiter.acquire("acct_1", f"endpoint {n % 10}", livemode=False) for n in range(28)])
    assert busiest_second(stamps) <= 20


async def test_a_steady_flow_comes_to_nearly_all_that_is_allowed(make_limiter):
    limiter = make_limiter(per_endpoint=20, total_in_test_mode=1000)
    stamps = await stamps_of([limiter.acquire("acct_1", "invoices.create", livemode=False) for _ in range(42)])
    assert busiest_second(stamps) <= 20
    # Whatever went out at once in the beginning is left aside.
    assert (len(stamps) - 11) / (stamps[-1] - stamps[10]) >= 0.9 * 20


async def test_live_mode_has_its_own_larger_total(make_limiter):
    limiter = make_limiter(per_endpoint=1000, total_in_test_mode=1, total_in_live_mode=500)
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire("acct_1", "invoices.create", livemode=True) for _ in range(50)))
    assert time.monotonic() - started < 0.5


async def test_a_busy_account_or_endpoint_does_not_hold_up_another(make_limiter):
    limiter = make_limiter(per_endpoint=5, total_in_test_mode=1000)
    busy = [asyncio.create_task(limiter.acquire("acct_1", "invoices.create", livemode=False)) for _ in range(20)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(0.5):
        await limiter.acquire("acct_1", "customers.retrieve", livemode=False)
        await limiter.acquire("acct_2", "invoices.create", livemode=False)
    assert not all(task.done() for task in busy)
    for task in busy:
        task.cancel()


async def test_people_go_before_invoices_on_their_way_and_those_before_the_rest():
    limiter = CallLimiter(Limits(per_endpoint=10, total_in_test_mode=10))
    order: list[int] = []

    async def call(priority: int) -> None:
        await limiter.acquire("acct_1", "invoices.create", livemode=False, priority=priority)
        order.append(priority)

    burst = [asyncio.create_task(call(BACKGROUND)) for _ in range(2)]
    await asyncio.gather(*burst)
    waiting = [asyncio.create_task(call(p)) for p in (BACKGROUND, BACKGROUND, FINALIZING, FINALIZING, PEOPLE, PEOPLE)]
    await asyncio.gather(*waiting)
    assert order[2:] == [PEOPLE, PEOPLE, FINALIZING, FINALIZING, BACKGROUND, BACKGROUND]
    await limiter.close()


async def test_what_a_person_set_off_goes_first_however_deep_it_is_asked():
    limiter = CallLimiter(Limits(per_endpoint=10, total_in_test_mode=10))
    order: list[str] = []

    async def call(name: str) -> None:
        await limiter.acquire("acct_1", "invoices.create", livemode=False, priority=BACKGROUND)
        order.append(name)

    async def on_a_screen() -> None:
        with somebody_waits():
            await call("person")

    await asyncio.gather(*(call("burst") for _ in range(2)))
    waiting = [asyncio.create_task(call("rest")) for _ in range(3)]
    await asyncio.gather(*waiting, on_a_screen())
    assert order[2:] == ["person", "rest", "rest", "rest"]
    await limiter.close()


async def test_nothing_goes_out_before_the_other_side_wants_to_hear_from_us_again(make_limiter):
    limiter = make_limiter()
    limiter.hold_back("acct_1", 0.3, livemode=False)
    started = time.monotonic()
    await limiter.acquire("acct_2", "invoices.create", livemode=False)
    assert time.monotonic() - started < 0.2
    await limiter.acquire("acct_1", "invoices.create", livemode=False)
    assert time.monotonic() - started >= 0.3


async def test_a_caller_who_gives_up_does_not_hold_up_those_behind_it(make_limiter):
    limiter = make_limiter(per_endpoint=5, total_in_test_mode=5)
    await limiter.acquire("acct_1", "invoices.create", livemode=False)
    gone = [asyncio.create_task(limiter.acquire("acct_1", "invoices.create", livemode=False)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    async with asyncio.timeout(2):
        await limiter.acquire("acct_1", "invoices.create", livemode=False)
    assert limiter.waiting_count() == 0


async def test_two_processes_share_one_limit_through_redis(redis_url):
    both = [CallLimiter(Limits(per_endpoint=20, total_in_test_mode=20), redis_url=redis_url) for _ in range(2)]
    calls = [both[n % 2].acquire("acct_1", "invoices.create", livemode=False) for n in range(28)]
    assert busiest_second(await stamps_of(calls)) <= 20
    for limiter in both:
        await limiter.close()


async def test_without_its_redis_each_process_keeps_the_limit_alone():
    limiter = CallLimiter(
        Limits(per_endpoint=20, total_in_test_mode=20), redis_url=f"redis://127.0.0.1:{free_port()}/0"
    )
    stamps = await stamps_of([limiter.acquire("acct_1", "invoices.create", livemode=False) for _ in range(30)])
    assert busiest_second(stamps) <= 20
    await limiter.close()
