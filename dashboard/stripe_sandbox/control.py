"""The control API under `/_sandbox`: what a tester does to Stripe, and sees of it. JSON in and out, no key."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import isodate
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.stripe_sandbox import API_VERSION, collection, payments
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.faults import EFFECTS, RATE_LIMIT_REASONS, Fault
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.keys import RESOURCES
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.resources import checkout_sessions, payment_methods, setup_intents

CLOCK_SETTLE_SECONDS = 2.0


class ControlError(Exception):
    """A control request that cannot be done; answered as 400 with the sentence."""


class Control:
    """The handlers, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def reset(self, request: Request) -> dict[str, Any]:
        """Empty the sandbox."""
        self._sandbox.reset()
        return self._state()

    async def state(self, request: Request) -> dict[str, Any]:
        """Counts and settings."""
        return self._state()

    async def exchanges(self, request: Request) -> list[dict[str, Any]]:
        """Every API exchange since number `after`, oldest first."""
        after = int(request.query_params.get("after", "0"))
        return self._sandbox.exchanges.after(after)

    async def clock(self, request: Request) -> dict[str, Any]:
        """Move the clock: `{"advance": "P1D"}`, `{"now": "2026-12-01T00:00:00Z"}`, or `{"real": true}`."""
        body = await _json(request)
        sandbox = self._sandbox
        await sandbox.sender.settle(CLOCK_SETTLE_SECONDS)
        now = sandbox.clock.now()
        if body.get("real"):
            sandbox.move_clock(datetime.now(UTC).timestamp())
        elif "advance" in body:
            sandbox.move_clock((datetime.fromtimestamp(now, UTC) + _duration(body["advance"])).timestamp())
        elif "now" in body:
            sandbox.move_clock(_moment(body["now"]))
        else:
            raise ControlError("Give `advance` (an ISO 8601 duration), `now` (RFC 3339) or `real`.")
        return {"now": _shown(sandbox.clock.now()), "unix": sandbox.clock.now(), "offset": sandbox.clock.offset}

    async def order_fault(self, request: Request) -> dict[str, Any]:
        """Order a fault."""
        body = await _json(request)
        unknown = set(body) - set(Fault.__dataclass_fields__)
        if unknown:
            raise ControlError(f"Unknown: {', '.join(sorted(unknown))}.")
        if body.get("effect") not in EFFECTS:
            raise ControlError(f"`effect` must be one of {', '.join(EFFECTS)}.")
        if body.get("reason", "endpoint-rate") not in RATE_LIMIT_REASONS:
            raise ControlError(f"`reason` must be one of {', '.join(RATE_LIMIT_REASONS)}.")
        given = {name: value for name, value in body.items() if value is not None}
        if "method" in given:
            given["method"] = given["method"].upper()
        return asdict(self._sandbox.faults.order(Fault(**given)))

    async def clear_faults(self, request: Request) -> dict[str, Any]:
        """Back to good weather."""
        self._sandbox.faults.clear()
        return {"faults": []}

    async def list_faults(self, request: Request) -> dict[str, Any]:
        """What is ordered."""
        return {"faults": self._sandbox.faults.listing()}

    async def limits(self, request: Request) -> dict[str, Any]:
        """Switch Stripe's request rates on or off: `{"enabled": true, "rate": 25}`."""
        body = await _json(request)
        limiter = self._sandbox.limiter
        limiter.enabled = bool(body.get("enabled", limiter.enabled))
        limiter.rate = float(body.get("rate", limiter.rate))
        return {"enabled": limiter.enabled, "rate": limiter.rate}

    async def webhooks(self, request: Request) -> dict[str, Any]:
        """Set how webhooks are delivered."""
        body = await _json(request)
        if body.get("mode", "deliver") not in ("deliver", "hold", "drop"):
            raise ControlError("`mode` must be deliver, hold or drop.")
        if body.get("order", "fifo") not in ("fifo", "shuffle"):
            raise ControlError("`order` must be fifo or shuffle.")
        try:
            return asdict(
                self._sandbox.sender.configure({name: value for name, value in body.items() if value is not None})
            )
        except ValueError as error:
            raise ControlError(str(error)) from None

    async def flush(self, request: Request) -> dict[str, Any]:
        """Deliver what is held or waits for its next attempt, now."""
        return {"delivered": await self._sandbox.sender.flush()}

    async def complete_checkout(self, request: Request) -> dict[str, Any]:
        """What a person does on the checkout page."""
        body = await _json(request)
        ctx = self._owner(request.path_params["session"])
        with ctx.store.work():
            session = ctx.need("checkout.session", request.path_params["session"])
            if session["status"] != "open":
                raise ControlError(f"The session is {session['status']}.")
            method = payment_methods.resolve(ctx, body.get("payment_method", "pm_card_visa"), "payment_method")
            checkout_sessions.complete(
                ctx, session, method, email=body.get("email"), name=body.get("name"),
                address_given=body.get("address"), tax_id=_tax_id(body.get("tax_id")),
            )  # fmt: skip
            _authenticate_setup(ctx, session, body.get("three_d_secure", "approve"))
            answer = ctx.render(session)
        self._sandbox.sender.wake()
        return answer

    async def pay_page(self, request: Request) -> dict[str, Any]:
        """What a person does on the hosted invoice page: `{"payment_method", "three_d_secure": "approve" | "fail"}`."""
        body = await _json(request)
        ctx = self._owner(request.path_params["invoice"])
        with ctx.store.work():
            invoice = ctx.need("invoice", request.path_params["invoice"])
            pay_as_customer(ctx, invoice, body.get("payment_method", "pm_card_visa"))
            intent = collection.default_intent(ctx, invoice)
            if intent and intent["status"] == "requires_action":
                payments.authenticate(ctx, intent, body.get("three_d_secure", "approve") != "fail")
            answer = ctx.render(ctx.need("invoice", invoice["id"]))
        self._sandbox.sender.wake()
        return answer

    async def account(self, request: Request) -> dict[str, Any]:
        """Settings of one account: `{"account": "demo", "permissions": {...}, "retry_days": [3, 5, 7],
        "after_retries": "uncollectible" | "leave", "country", "currency", "name", "bank_debit_seconds"}`."""
        body = await _json(request)
        with self._sandbox.store.work():
            ctx = self._sandbox.context_for_account(body.pop("account", "demo"))
            state = ctx.state()
            for name, value in body.items():
                if name == "permissions":
                    if unknown := set(value) - set(RESOURCES):
                        raise ControlError(f"Unknown permissions: {', '.join(sorted(unknown))}.")
                    state["permissions"] = state.get("permissions", {}) | value
                elif name in ("retry_days", "after_retries", "country", "currency", "name", "bank_debit_seconds"):
                    state[name] = value
                else:
                    raise ControlError(f"Unknown setting: {name}.")
            ctx.save_state(state)
        return state

    async def roll_secret(self, request: Request) -> dict[str, Any]:
        """A new signing secret for an endpoint; the old one signs too until `overlap_seconds` (a day) are over."""
        body = await _json(request)
        ctx = self._owner(request.path_params["endpoint"])
        with ctx.store.work():
            return roll_secret(ctx, request.path_params["endpoint"], body.get("overlap_seconds", 86400))

    async def snapshot(self, request: Request) -> Response:
        """The whole state as a SQLite file."""
        self._sandbox.exchanges.flush()
        path = self._sandbox.store.path.with_suffix(".snapshot")
        self._sandbox.store.copy_to(path)
        content = path.read_bytes()
        path.unlink()
        return Response(content, media_type="application/vnd.sqlite3")

    def _state(self) -> dict[str, Any]:
        sandbox = self._sandbox
        kinds = sandbox.store.all("SELECT kind, count(*) AS n FROM objects GROUP BY kind ORDER BY kind")
        events = sandbox.store.one("SELECT count(*) AS n FROM events")
        deliveries = sandbox.store.all("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
        accounts = sandbox.store.all("SELECT name, id FROM accounts ORDER BY name")
        sandbox.exchanges.flush()
        exchanges = sandbox.store.one("SELECT coalesce(max(n), 0) AS n FROM exchanges")
        return {
            "api_version": API_VERSION,
            "now": _shown(sandbox.clock.now()),
            "clock_offset": sandbox.clock.offset,
            "accounts": {row["name"]: row["id"] for row in accounts},
            "objects": {row["kind"]: row["n"] for row in kinds},
            "events": events["n"] if events else 0,
            "deliveries": {row["state"]: row["n"] for row in deliveries},
            "exchanges": exchanges["n"] if exchanges else 0,
            "webhooks": asdict(sandbox.sender.options),
            "faults": sandbox.faults.listing(),
            "limits": {"enabled": sandbox.limiter.enabled, "rate": sandbox.limiter.rate},
        }

    def _owner(self, id: str) -> Context:
        ctx = self._sandbox.page_context(id)
        if ctx is None:
            raise ControlError(f"There is no {id}.")
        return ctx


def routes(sandbox: Sandbox) -> list[Route]:
    """The control API's routes."""
    control = Control(sandbox)
    table = [
        ("/reset", "POST", control.reset),
        ("/state", "GET", control.state),
        ("/exchanges", "GET", control.exchanges),
        ("/clock", "POST", control.clock),
        ("/faults", "POST", control.order_fault),
        ("/faults", "DELETE", control.clear_faults),
        ("/faults", "GET", control.list_faults),
        ("/limits", "POST", control.limits),
        ("/webhooks", "POST", control.webhooks),
        ("/webhooks/flush", "POST", control.flush),
        ("/webhooks/{endpoint}/roll", "POST", control.roll_secret),
        ("/checkout/{session}/complete", "POST", control.complete_checkout),
        ("/invoices/{invoice}/pay_page", "POST", control.pay_page),
        ("/account", "POST", control.account),
        ("/snapshot", "GET", control.snapshot),
    ]
    return [Route(f"/_sandbox{path}", _answering(handler), methods=[method]) for path, method, handler in table]


def pay_as_customer(ctx: Context, invoice: dict[str, Any], name: str) -> None:
    """Pay an open invoice with a payment method by name, as the hosted page does: the method is attached first."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise ControlError(f"The invoice is {invoice['status']}.")
    method = payment_methods.resolve(ctx, name, "payment_method")
    if not method["customer"]:
        # The page charges first and saves what worked; a card that declines is told as a failed payment, not refused.
        method["customer"] = invoice["customer"]
        ctx.save(method)
        ctx.emit("payment_method.attached", method)
    collection.attempt(ctx, invoice, method, off_session=False)


def roll_secret(ctx: Context, endpoint_id: str, overlap_seconds: int) -> dict[str, Any]:
    """Replace an endpoint's secret; both sign until the overlap is over (real time)."""
    endpoint = ctx.need("webhook_endpoint", endpoint_id)
    until = datetime.now(UTC).timestamp() + overlap_seconds
    old = [{"secret": endpoint["_secret"], "until": until}]
    endpoint["_old_secrets"] = old if overlap_seconds > 0 else []
    endpoint["_secret"] = f"whsec_{secret(32)}"
    ctx.save(endpoint)
    return {"id": endpoint["id"], "secret": endpoint["_secret"], "old_secret_until": until}


def _answering(handler: Any) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            _refuse_other_sites(request)
            result = await handler(request)
        except ControlError as error:
            return JSONResponse({"error": {"message": str(error), "type": "control_error"}}, 400)
        except ApiError as error:
            return JSONResponse({"error": error.body}, error.status)
        return result if isinstance(result, Response) else JSONResponse(result)

    return endpoint


def _refuse_other_sites(request: Request) -> None:
    """The control API has no key, so that a page of another site must not reach it through somebody's browser."""
    origin = request.headers.get("origin")
    if origin and origin.split("//", 1)[-1] != request.headers.get("host"):
        raise ControlError("The control API does not answer pages of other sites.")


def _authenticate_setup(ctx: Context, session: dict[str, Any], answer: str) -> None:
    intent = ctx.need("setup_intent", session["setup_intent"], "setup_intent")
    if intent["status"] != "requires_action" or answer == "leave":
        return
    setup_intents.authenticate(ctx, intent, answer != "fail")
    if intent["status"] == "succeeded":
        checkout_sessions.finish(ctx, session, intent)


def _tax_id(given: Any) -> dict[str, str] | None:
    if isinstance(given, str) and given:
        return {"type": "gb_vat" if given.upper().startswith("GB") else "eu_vat", "value": given}
    return given or None


async def _json(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise ControlError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ControlError("The body must be a JSON object.")
    return body


def _duration(text: str) -> Any:
    try:
        return isodate.parse_duration(text)
    except (isodate.ISO8601Error, TypeError):
        raise ControlError(f"Not an ISO 8601 duration: {text}") from None


def _moment(value: str | int | float) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ControlError(f"Not an RFC 3339 time: {value}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _shown(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
