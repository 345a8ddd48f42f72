"""The gateway against a small real server that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from dashboard.stripe_app.errors import (
    StripeCardDeclined,
    StripeInvalidRequest,
    StripeObjectMissing,
    StripePermissionMissing,
    StripeTaxProblem,
    StripeUnauthorized,
    StripeUnreachable,
)
from dashboard.stripe_app.gateway import API_VERSION, Gateways
from dashboard.stripe_app.gateway_calls import CallBudget

KEY = "sk_test_sandbox_secretletters"
CUT = "cut"


def refusal(status: int, headers: dict[str, str] | None = None, **error: Any) -> tuple[int, dict, dict[str, str]]:
    return status, {"error": {"type": "invalid_request_error", "message": "No.", **error}}, headers or {}


def fine(**body: Any) -> tuple[int, dict, dict[str, str]]:
    return 200, {"id": "obj_1", "object": "customer", **body}, {}


@dataclass
class Server:
    """Gives the scripted answers in turn and keeps what it was asked."""

    script: list[Any] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.text())
        turn = self.script.pop(0) if self.script else fine()
        if turn == CUT:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        status, body, headers = turn
        return web.json_response(body, status=status, headers=headers)


@dataclass
class Waits:
    """Instead of waiting: how long it would have been."""

    seconds: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def stripe_saying(*script: Any, limiter: Any = None, budget: CallBudget | None = None) -> AsyncIterator[Any]:
    server, waits = Server(list(script)), Waits()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    gateways = Gateways(sandbox_url=server.url, limiter=limiter, budget=budget, sleep=waits.sleep)
    try:
        yield gateways.open(KEY, account="acct_1"), server, waits
    finally:
        await gateways.close()
        await runner.cleanup()


async def test_every_call_carries_our_api_version_and_the_key_as_bearer():
    async with stripe_saying() as (gateway, server, _):
        await gateway.account()
    [request] = server.asked
    assert request.headers["Stripe-Version"] == API_VERSION == "2026-10-28.endive"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "X-Stripe-Client-Telemetry" not in request.headers


async def test_an_answer_is_a_plain_dictionary():
    async with stripe_saying(fine(name="Acme", tax={"automatic_tax": "supported"})) as (gateway, _, _):
        answer = await gateway.customer("cus_1")
    assert answer["tax"].get("automatic_tax") == "supported"
    assert isinstance(answer, dict)


@pytest.mark.parametrize(
    "trouble",
    [
        refusal(429, code="rate_limit"),
        refusal(429, code="lock_timeout"),
        refusal(409, code="idempotency_key_in_use"),
        refusal(500),
        refusal(503),
        refusal(400, {"Stripe-Should-Retry": "true"}),
        CUT,
    ],
    ids=["rate limit", "lock", "same key in flight", "500", "503", "Stripe says so", "cut"],
)
async def test_passing_trouble_is_tried_again_with_the_same_idempotency_key(trouble):
    async with stripe_saying(trouble, trouble, fine(id="cus_9")) as (gateway, server, waits):
        answer = await gateway.create_customer({"name": "Acme"}, "our-key")
    assert answer["id"] == "cus_9"
    assert [request.headers["Idempotency-Key"] for request in server.asked] == ["our-key"] * 3
    assert len(waits.seconds) == 2
    assert 0.3 < waits.seconds[0] < waits.seconds[1] < 2


async def test_trouble_that_lasts_ends_in_unreachable_after_the_budget():
    budget = CallBudget(attempts=3)
    async with stripe_saying(*[refusal(500)] * 9, budget=budget) as (gateway, server, _):
        with pytest.raises(StripeUnreachable) as trouble:
            await gateway.account()
    assert len(server.asked) == 3
    assert trouble.value.executed


async def test_a_wait_longer_than_the_budget_is_not_begun():
    slow = refusal(429, {"Retry-After": "60"})
    async with stripe_saying(slow) as (gateway, _, waits):
        with pytest.raises(StripeUnreachable) as trouble:
            await gateway.account()
    assert trouble.value.retry_after_seconds == 60
    assert waits.seconds == []


async def test_retry_after_is_honoured():
    async with stripe_saying(refusal(429, {"Retry-After": "7"})) as (gateway, _, waits):
        await gateway.account()
    assert waits.seconds == [7]


@pytest.mark.parametrize("header", ["Stripe-Should-Retry", "Idempotent-Replayed"])
async def test_a_500_that_would_only_be_replayed_is_not_asked_for_again(header):
    value = "false" if header == "Stripe-Should-Retry" else "true"
    async with stripe_saying(refusal(500, {header: value})) as (gateway, server, _):
        with pytest.raises(StripeUnreachable):
            await gateway.create_customer({}, "our-key")
    assert len(server.asked) == 1


async def test_nobody_listening_is_unreachable_and_says_nothing_of_the_key():
    async def no_wait(_seconds: float) -> None:
        return None

    gateways = Gateways(sandbox_url="http://127.0.0.1:9", sleep=no_wait)
    with pytest.raises(StripeUnreachable) as trouble:
        await gateways.open(KEY).account()
    assert KEY not in repr(trouble.value) + trouble.value.for_people()
    await gateways.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, message=f"Invalid API Key provided: {KEY}"), StripeUnauthorized),
        (refusal(403, message="The key lacks rak_invoice_write"), StripePermissionMissing),
        (refusal(404, code="resource_missing", param="id"), StripeObjectMissing),
        (refusal(400, code="resource_missing", param="customer"), StripeObjectMissing),
        (refusal(402, type="card_error", code="card_declined", decline_code="lost_card"), StripeCardDeclined),
        (refusal(400, code="customer_tax_location_invalid"), StripeTaxProblem),
        (refusal(400, code="parameter_unknown", param="foo"), StripeInvalidRequest),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value[0]),
)
async def test_a_refusal_is_ours_by_kind_and_stripes_by_words(answer, kind):
    async with stripe_saying(answer) as (gateway, server, _):
        with pytest.raises(kind) as refused:
            await gateway.account()
    assert len(server.asked) == 1
    assert refused.value.message == answer[1]["error"]["message"].replace(KEY, "sk_test_…")
    assert refused.value.what_to_do
    assert refused.value.stripe_code == answer[1]["error"].get("code")
    assert refused.value.decline_code == answer[1]["error"].get("decline_code")
    assert KEY not in repr(refused.value) + str(refused.value.details)


async def test_lists_are_read_to_their_end():
    pages = [
        (200, {"data": [{"id": f"il_{n}"} for n in range(100)], "has_more": True}, {}),
        (200, {"data": [{"id": "il_100"}], "has_more": False}, {}),
    ]
    async with stripe_saying(*pages) as (gateway, server, _):
        lines = await gateway.invoice_lines("in_1")
    assert len(lines) == 101
    assert server.asked[1].query["starting_after"] == "il_99"


async def test_the_limiter_is_asked_before_every_try_and_told_when_stripe_wants_a_pause():
    asked, held = [], []

    class Limiter:
        async def acquire(self, account: str, endpoint: str, *, livemode: bool, priority: int) -> None:
            asked.append((account, endpoint))

        def hold_back(self, account: str, seconds: float, *, livemode: bool) -> None:
            held.append((account, seconds))

    busy = refusal(429, {"Retry-After": "3"})
    async with stripe_saying(refusal(500), busy, limiter=Limiter()) as (gateway, _, _):
        await gateway.account()
    assert asked == [("acct_1", "account.retrieve")] * 3
    assert held == [("acct_1", 3)]


async def test_sixty_calls_at_once_share_the_connections_of_one_client():
    async with stripe_saying() as (gateway, server, _):
        await asyncio.gather(*(gateway.account() for _ in range(60)))
    assert len(server.asked) == 60


async def test_a_key_that_is_not_the_sandboxs_never_goes_there():
    async with stripe_saying() as (_, server, waits):
        gateways = Gateways(sandbox_url=server.url, api_base="http://127.0.0.1:9", sleep=waits.sleep)
        with pytest.raises(StripeUnreachable):
            await gateways.open("sk_test_51AbCdEf").account()
        await gateways.close()
    assert server.asked == []


async def test_a_gateway_does_not_show_its_key():
    async with stripe_saying() as (gateway, _, _):
        assert KEY not in repr(gateway)
