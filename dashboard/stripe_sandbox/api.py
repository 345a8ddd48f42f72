"""The API's front door: from bytes to a Stripe answer, in the order in which Stripe checks a request.

Key, version, faults and limits, parameters, idempotency key, lock; then the operation itself in one transaction
together with its events, its webhook queue and its idempotency record.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dashboard.stripe_sandbox import API_VERSION, keys
from dashboard.stripe_sandbox.connections import cut_connection
from dashboard.stripe_sandbox.context import Context, Rendered
from dashboard.stripe_sandbox.errors import ApiError, lock_timeout, rate_limited
from dashboard.stripe_sandbox.expansion import expand
from dashboard.stripe_sandbox.faults import HANG_MS, Fault
from dashboard.stripe_sandbox.forms import parse_form
from dashboard.stripe_sandbox.idempotency import KeptAnswer, fingerprint
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.routing import HANDLERS, match
from dashboard.stripe_sandbox.schema import operations

logger = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class CutConnection(Exception):
    """The connection is to break instead of carrying an answer."""


@dataclass
class Request:
    """One API request as it came in."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    id: str = field(default_factory=lambda: new_id("request"))

    @property
    def form(self) -> str:
        """The raw parameters: of the query, and of the body."""
        return "&".join(part for part in (self.query, self.body) if part)

    @property
    def idempotency_key(self) -> str | None:
        """Only POST takes notice of it."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass
class Answer:
    """What goes back: status, JSON body, extra headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """Answers `/v1/…`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        started = time.perf_counter()
        caller: keys.Caller | None = None
        try:
            caller = self._caller(request)
            answer = await self._answer(request, caller)
        except ApiError as error:
            answer = self._refusal(request, error)
        except CutConnection:
            self._log(request, caller, Answer(0, {}), started)
            await cut_connection(scope, send)
            return
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            answer = self._refusal(request, server_error())
        body = json.dumps(answer.body, separators=(",", ":"))
        self._log(request, caller, answer, started, body)
        await _send(send, request, answer, body.encode())

    def _caller(self, request: Request) -> keys.Caller:
        sandbox = self._sandbox
        return keys.authenticate(request.headers.get("authorization", ""), sandbox.store, sandbox.clock.now())

    async def _answer(self, request: Request, caller: keys.Caller) -> Answer:
        _check_version(request)
        faults = self._faults(request)
        matched = match(request.method, request.path)
        if matched is None:
            raise ApiError(
                404, f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs.",
                executed=False,
            )  # fmt: skip
        name, path_ids = matched
        self._check_limits(request, caller, name)
        _strike_before(faults, caller, request)
        await _hang(faults)
        ctx = self._context(request, caller, faults)
        keys.check_permission(caller, ctx.state().get("permissions", {}), request.method, request.path)
        if request.idempotency_key:
            return await self._answer_once(request, ctx, name, path_ids, faults)
        params = operations()[name].read(parse_form(request.form))
        return await self._perform(request, ctx, name, path_ids, params, faults, None)

    async def _answer_once(
        self, request: Request, ctx: Context, name: str, path_ids: list[str], faults: list[Fault]
    ) -> Answer:
        key, store = request.idempotency_key or "", self._sandbox.idempotency
        raw = parse_form(request.form)
        mark = fingerprint(request.method, request.path, raw)
        kept = store.recall(ctx.account, key, mark, ctx.now)
        if kept:
            replay = {"Idempotent-Replayed": "true", "Original-Request": kept.request}
            return Answer(kept.status, kept.body, replay)
        params = operations()[name].read(raw)
        store.begin(ctx.account, key)
        try:
            return await self._perform(request, ctx, name, path_ids, params, faults, mark)
        finally:
            store.end(ctx.account, key)

    async def _perform(
        self,
        request: Request,
        ctx: Context,
        name: str,
        path_ids: list[str],
        params: dict[str, Any],
        faults: list[Fault],
        mark: str | None,
    ) -> Answer:
        lock = _lock_of(request, ctx, path_ids, params)
        if lock in self._sandbox.locks:
            raise lock_timeout()
        if lock:
            self._sandbox.locks.add(lock)
        try:
            await _delay(faults)
            answer = self._execute(request, ctx, name, path_ids, params, mark, faults)
        finally:
            if lock:
                self._sandbox.locks.discard(lock)
        if any(fault.effect == "cut_after" for fault in faults):
            raise CutConnection
        return answer

    def _execute(
        self,
        request: Request,
        ctx: Context,
        name: str,
        path_ids: list[str],
        params: dict[str, Any],
        mark: str | None,
        faults: list[Fault],
    ) -> Answer:
        """Run the operation and keep its answer, in one transaction (two when the operation refused)."""
        fail_after = any(fault.effect == "error_500_after" for fault in faults)
        try:
            with ctx.store.work():
                paths = params.pop("expand", None) or []
                result = HANDLERS[name](ctx, params, *path_ids)
                shown = result if isinstance(result, Rendered) else ctx.render(result)
                body = expand(ctx, shown, paths)
                answer = self._refusal(request, server_error()) if fail_after else Answer(200, body)
                self._keep(request, ctx, mark, answer)
        except ApiError as error:
            answer = self._refusal(request, error)
            if error.executed:
                with ctx.store.work():
                    self._keep(request, ctx, mark, answer)
        if request.method != "GET":
            self._sandbox.sender.wake()
        return answer

    def _keep(self, request: Request, ctx: Context, mark: str | None, answer: Answer) -> None:
        key = request.idempotency_key
        if mark and key:
            kept = KeptAnswer(answer.status, answer.body, request.id)
            self._sandbox.idempotency.keep(ctx.account, key, mark, kept, ctx.now)

    def _context(self, request: Request, caller: keys.Caller, faults: list[Fault]) -> Context:
        effects = {fault.effect for fault in faults}
        sandbox = self._sandbox
        return Context(
            sandbox.store,
            sandbox.clock,
            caller.account,
            caller.account_name,
            sandbox.base_url,
            request_id=request.id,
            idempotency_key=request.headers.get("idempotency-key") if request.method == "POST" else None,
            tax_inactive="tax_inactive" in effects,
            portal_unconfigured="portal_unconfigured" in effects,
            restricted=caller.restricted,
        )

    def _faults(self, request: Request) -> list[Fault]:
        faults = self._sandbox.faults.strike(request.method, request.path)
        if effect := request.headers.get("x-sandbox-fault"):
            delay = int(request.headers.get("x-sandbox-delay-ms", "0"))
            faults.append(Fault(effect, delay_ms=delay))
        return faults

    def _check_limits(self, request: Request, caller: keys.Caller, name: str) -> None:
        reason = self._sandbox.limiter.refuse(caller.account, name)
        if reason:
            raise rate_limited(reason)

    def _refusal(self, request: Request, error: ApiError) -> Answer:
        body = {**error.body, "request_log_url": f"{self._sandbox.base_url}/requests/{request.id}"}
        return Answer(error.status, {"error": body}, error.headers)

    def _log(
        self, request: Request, caller: keys.Caller | None, answer: Answer, started: float, body: str = ""
    ) -> None:
        self._sandbox.exchanges.add(
            at=self._sandbox.clock.now(),
            account=caller.account_name if caller else None,
            method=request.method,
            path=request.path,
            params=request.form,
            status=answer.status,
            response=body,
            idempotency_key=request.headers.get("idempotency-key"),
            request_id=request.id,
            duration_ms=round((time.perf_counter() - started) * 1000, 2),
        )


def server_error(status: int = 500) -> ApiError:
    """Stripe's own failure."""
    return ApiError(
        status, "An error occurred with our connection to Stripe.", type="api_error", executed=status == 500
    )


def _check_version(request: Request) -> None:
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise ApiError(
            400, f"Invalid Stripe API version: {version}. This sandbox speaks {API_VERSION}.", executed=False
        )
    content_type = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if request.body and not content_type.startswith("application/x-www-form-urlencoded"):
        raise ApiError(
            400, f"Invalid request (check that your POST content type is application/x-www-form-urlencoded, not "
            f"{content_type}).", executed=False,
        )  # fmt: skip


def _strike_before(faults: list[Fault], caller: keys.Caller, request: Request) -> None:
    """The faults that answer instead of the operation."""
    for fault in faults:
        match fault.effect:
            case "rate_limit":
                raise rate_limited(fault.reason)
            case "lock_timeout":
                raise lock_timeout(fault.should_retry)
            case "error_500_before":
                raise server_error()
            case "unavailable":
                raise server_error(503)
            case "unauthorized":
                raise keys.invalid_key(caller.key)
            case "forbidden":
                raise keys.forbidden(caller, *keys.permission_for(request.method, request.path))
            case "cut_before":
                raise CutConnection


async def _delay(faults: list[Fault]) -> None:
    """Latency holds the object's lock while it waits, as a slow request does."""
    for fault in faults:
        if fault.effect != "hang":
            await asyncio.sleep(fault.delay_seconds())


async def _hang(faults: list[Fault]) -> None:
    """Wait longer than any client, then lose the connection; nothing was begun, nothing is locked."""
    for fault in faults:
        if fault.effect == "hang":
            await asyncio.sleep(fault.delay_seconds() or HANG_MS / 1000)
            raise CutConnection


def _lock_of(request: Request, ctx: Context, path_ids: list[str], params: dict[str, Any]) -> tuple[str, str] | None:
    """What a write locks: the object in the address, else the invoice or customer that it names."""
    if request.method == "GET":
        return None
    target = path_ids[0] if path_ids else params.get("invoice") or params.get("customer")
    return (ctx.account, target) if isinstance(target, str) else None


async def _read(scope: dict[str, Any], receive: Receive) -> Request:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    body = b"".join(chunks).decode("utf-8", errors="replace")
    return Request(scope["method"], scope["path"].rstrip("/"), query, headers, body)


async def _send(send: Send, request: Request, answer: Answer, body: bytes) -> None:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Request-Id": request.id,
        "Stripe-Version": API_VERSION,
        "Cache-Control": "no-cache, no-store",
        **({"Idempotency-Key": request.headers["idempotency-key"]} if "idempotency-key" in request.headers else {}),
        **answer.headers,
    }
    if answer.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
