"""The console at `/`: what is in the sandbox, what happened, and the switches that cause trouble on purpose."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.stripe_sandbox import API_VERSION
from dashboard.stripe_sandbox.faults import EFFECTS, Fault
from dashboard.stripe_sandbox.pages.rendering import notice, page, see
from dashboard.stripe_sandbox.program import Sandbox

PER_PAGE = 50
SHORT_STEPS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


class Console:
    """Server-rendered pages over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store

    async def objects(self, request: Request) -> Response:
        """All objects of an account, newest first, by kind."""
        account = self._account(request)
        kind, before = request.query_params.get("kind", ""), _number(request.query_params.get("before"))
        kinds = self._store.all(
            "SELECT kind, count(*) AS n FROM objects WHERE account = ? GROUP BY kind ORDER BY kind", (account,)
        )
        rows = self._store.all(
            "SELECT seq, id, kind, created, customer, json_extract(body, '$.status') AS status,"
            " coalesce(json_extract(body, '$.number'), json_extract(body, '$.name'),"
            " json_extract(body, '$.description'), json_extract(body, '$.url')) AS label FROM objects"
            " WHERE account = ? AND (? = '' OR kind = ?) AND seq < ? ORDER BY seq DESC LIMIT ?",
            (account, kind, kind, before or 1 << 60, PER_PAGE + 1),
        )
        return self._page(
            "console_objects.html",
            request,
            "objects",
            kinds=kinds,
            kind=kind,
            rows=rows[:PER_PAGE],
            more=_more(rows, "seq"),
        )

    async def show(self, request: Request) -> Response:
        """One object, its events and its pages."""
        id = request.path_params["id"]
        ctx = self._sandbox.page_context(id)
        obj = ctx.get(id) if ctx else None
        if ctx is None or obj is None:
            return notice("Not found", f"There is no {id}.", 404, link="/", label="Console")
        events = self._store.all(
            "SELECT id, type, created, pending FROM events WHERE account = ? AND object = ?"
            " ORDER BY seq DESC LIMIT 100",
            (ctx.account, id),
        )
        shown = ctx.render(obj)
        return self._page(
            "console_object.html", request, "objects", id=id, obj=shown, text=_pretty(shown), events=events,
            pages=self._pages_of(shown),
        )  # fmt: skip

    def _pages_of(self, shown: dict[str, Any]) -> list[tuple[str, str]]:
        """The hosted pages that an object names."""
        links = [(name, str(shown.get(name) or "")) for name in ("url", "hosted_invoice_url", "invoice_pdf")]
        return [(name, url) for name, url in links if url.startswith(self._sandbox.base_url)]

    async def events(self, request: Request) -> Response:
        """What happened."""
        account, wanted = self._account(request), request.query_params.get("type", "")
        before = _number(request.query_params.get("before"))
        rows = self._store.all(
            "SELECT seq, id, type, created, object, pending, failed FROM events"
            " WHERE account = ? AND (? = '' OR type GLOB ?) AND seq < ? ORDER BY seq DESC LIMIT ?",
            (account, wanted, wanted, before or 1 << 60, PER_PAGE + 1),
        )
        return self._page(
            "console_events.html", request, "events", rows=rows[:PER_PAGE], more=_more(rows, "seq"), type=wanted
        )

    async def event(self, request: Request) -> Response:
        """One event and its deliveries."""
        row = self._store.one("SELECT * FROM events WHERE id = ?", (request.path_params["id"],))
        if row is None:
            return notice("Not found", "There is no such event.", 404, link="/events", label="Events")
        deliveries = self._deliveries("d.event = ?", (row["id"],), 100)
        return self._page(
            "console_event.html",
            request,
            "events",
            row=row,
            text=_pretty(json.loads(row["body"])),
            deliveries=deliveries,
        )

    async def deliveries(self, request: Request) -> Response:
        """What was sent where, and how it went."""
        before = _number(request.query_params.get("before")) or 1 << 60
        rows = self._deliveries("d.account = ? AND d.id < ?", (self._account(request), before), PER_PAGE + 1)
        return self._page(
            "console_deliveries.html", request, "deliveries", deliveries=rows[:PER_PAGE], more=_more(rows, "id")
        )

    async def resend(self, request: Request) -> Response:
        """Send one delivery again."""
        if refusal := _cross_site(request):
            return refusal
        self._sandbox.sender.resend(int(request.path_params["id"]))
        await self._sandbox.sender.settle(1.0)
        return see(_back(request, "/deliveries"))

    async def requests(self, request: Request) -> Response:
        """The request log."""
        before = _number(request.query_params.get("before"))
        rows = self._sandbox.exchanges.latest(PER_PAGE + 1, before)
        return self._page("console_requests.html", request, "requests", rows=rows[:PER_PAGE], more=_more(rows, "n"))

    async def request(self, request: Request) -> Response:
        """One exchange in full."""
        row = self._sandbox.exchanges.find(request.path_params["id"])
        if row is None:
            return notice(
                "Not found", "That request is not in the log (any more).", 404, link="/requests", label="Request log"
            )
        return self._page("console_request.html", request, "requests", row=row, text=_pretty(row["response"]))

    async def switches(self, request: Request) -> Response:
        """Clock, webhook options and faults."""
        sandbox = self._sandbox
        return self._page(
            "console_switches.html", request, "switches", options=asdict(sandbox.sender.options),
            faults=sandbox.faults.listing(), effects=EFFECTS, limiter=sandbox.limiter.enabled,
            due=sandbox.store.all("SELECT at, action, target FROM due WHERE clock = '' ORDER BY at LIMIT 20"),
        )  # fmt: skip

    async def act(self, request: Request) -> Response:
        """Throw a switch."""
        if refusal := _cross_site(request):
            return refusal
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            await self._act(form)
        except ValueError as error:
            return notice("That did not work", str(error), 422, link="/switches", label="Back to the switches")
        return see("/switches" if form.get("do") != "reset" else "/")

    async def _act(self, form: dict[str, str]) -> None:
        sandbox = self._sandbox
        match form.get("do"):
            case "advance":
                await sandbox.sender.settle(1.0)
                sandbox.move_clock(sandbox.clock.now() + SHORT_STEPS[form["step"]].total_seconds())
            case "set_clock":
                sandbox.move_clock(datetime.fromisoformat(form["now"]).replace(tzinfo=UTC).timestamp())
            case "real_time":
                sandbox.move_clock(datetime.now(UTC).timestamp())
            case "webhooks":
                numbers = ("duplicate_every", "drop_every", "delay_ms", "bad_signature_every", "stale_timestamp_every")
                given: dict[str, Any] = {name: int(form.get(name) or 0) for name in numbers}
                sandbox.sender.configure(given | {"mode": form["mode"], "order": form["order"]})
            case "flush":
                await sandbox.sender.flush()
            case "fault":
                if form["effect"] not in EFFECTS:
                    raise ValueError("There is no such effect.")
                sandbox.faults.order(
                    Fault(
                        form["effect"],
                        form.get("method") or "*",
                        form.get("path") or "/v1/",
                        nth=int(form.get("nth") or 1),
                        times=int(form.get("times") or 1),
                        delay_ms=int(form.get("delay_ms") or 0),
                    )
                )
            case "clear_faults":
                sandbox.faults.clear()
            case "limits":
                sandbox.limiter.enabled = not sandbox.limiter.enabled
            case "reset":
                sandbox.reset()

    def _deliveries(self, where: str, values: tuple[Any, ...], limit: int) -> list[Any]:
        return self._store.all(
            "SELECT d.*, e.type, json_extract(o.body, '$.url') AS url FROM deliveries d JOIN events e ON e.id = d.event"
            " LEFT JOIN objects o ON o.id = d.endpoint AND o.account = d.account"
            f" WHERE {where} ORDER BY d.id DESC LIMIT {limit}",
            values,
        )

    def _account(self, request: Request) -> str:
        """The chosen account's id: the one in the address, else the first one there is."""
        chosen = request.query_params.get("account")
        row = self._store.one("SELECT id FROM accounts WHERE name = ?", (chosen,)) if chosen else None
        row = row or self._store.one("SELECT id FROM accounts ORDER BY created, name LIMIT 1")
        return row["id"] if row else ""

    def _page(self, template: str, request: Request, active: str, **values: Any) -> Response:
        accounts = [row["name"] for row in self._store.all("SELECT name FROM accounts ORDER BY created, name")]
        chosen = request.query_params.get("account") or (accounts[0] if accounts else "")
        return page(
            template, active=active, accounts=accounts, account=chosen, version=API_VERSION,
            now=self._sandbox.clock.now(), offset=self._sandbox.clock.offset, base_url=self._sandbox.base_url,
            path=request.url.path, **values,
        )  # fmt: skip


def routes(sandbox: Sandbox) -> list[Route]:
    """The console's pages."""
    console = Console(sandbox)
    return [
        Route("/", console.objects),
        Route("/objects/{id}", console.show),
        Route("/events", console.events),
        Route("/events/{id}", console.event),
        Route("/deliveries", console.deliveries),
        Route("/deliveries/{id:int}/resend", console.resend, methods=["POST"]),
        Route("/requests", console.requests),
        Route("/requests/{id}", console.request),
        Route("/switches", console.switches),
        Route("/switches", console.act, methods=["POST"]),
    ]


def _cross_site(request: Request) -> Response | None:
    """A page of another site must not throw switches through somebody's browser."""
    origin = request.headers.get("origin")
    if origin and origin.split("//", 1)[-1] != request.headers.get("host"):
        return notice("Refused", "This form was sent from another site.", 403)
    return None


def _back(request: Request, fallback: str) -> str:
    """The page of this console that the form was on."""
    to = request.query_params.get("to", "")
    return to if to.startswith("/") and not to.startswith("//") else fallback


def _more(rows: list[Any], column: str) -> int | None:
    return rows[PER_PAGE - 1][column] if len(rows) > PER_PAGE else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
