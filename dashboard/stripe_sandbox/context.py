"""What one piece of work may use: its account, the time, the objects, and the events that it causes."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dashboard.stripe_sandbox import API_VERSION
from dashboard.stripe_sandbox.clock import Clock
from dashboard.stripe_sandbox.errors import not_found
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.schema import objects
from dashboard.stripe_sandbox.store import Store

Renderer = Callable[["Context", dict[str, Any]], dict[str, Any]]
RENDERERS: dict[str, Renderer] = {}

LABELS = {
    "payment_intent": "payment_intent", "setup_intent": "setupintent", "payment_method": "PaymentMethod",
    "checkout.session": "checkout.session", "webhook_endpoint": "webhook endpoint", "invoiceitem": "invoiceitem",
    "billing_portal.configuration": "configuration", "tax_code": "tax code", "test_helpers.test_clock": "test clock",
    "line_item": "invoice line item", "tax_rate": "tax rate", "tax.registration": "tax registration",
}  # fmt: skip


class Rendered(dict[str, Any]):
    """An answer that is complete already and must not be rendered again."""


@dataclass
class Context:
    """One request, or one piece of work that fell due. Everything it writes is one transaction of the store."""

    store: Store
    clock: Clock
    account: str
    account_name: str
    base_url: str
    request_id: str | None = None
    idempotency_key: str | None = None
    tax_inactive: bool = False
    portal_unconfigured: bool = False
    restricted: bool = False
    _events: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The account's time. Objects on a test clock use `now_for`."""
        return self.clock.now()

    def now_for(self, obj: dict[str, Any] | None) -> int:
        """The time of the test clock that the object hangs on, else the account's."""
        clock_id = obj.get("test_clock") if obj else None
        test_clock = self.get(clock_id) if clock_id else None
        return test_clock["frozen_time"] if test_clock else self.now

    # objects

    def new(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        """An object with every field that Stripe always answers, overlaid with `fields`. Not yet saved."""
        obj = copy.deepcopy(objects()[kind]["blank"])
        obj["id"] = fields.pop("id", None) or new_id(kind)
        if objects()[kind]["dated"]:
            obj["created"] = self.now
        obj.update(fields)
        return obj

    def save(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Write the object at the end of this work."""
        self.store.save(self.account, obj)
        return obj

    def get(self, id: str | None) -> dict[str, Any] | None:
        """The object with this id, if it exists."""
        return self.store.get(self.account, id) if id else None

    def need(self, kind: str, id: str, param: str = "id", status: int | None = None) -> dict[str, Any]:
        """The live object of this kind; raises `resource_missing` (404 in the address, 400 in a parameter)."""
        obj = self.get(id)
        if obj is None or obj["object"] != kind or obj.get("deleted"):
            status = status or (404 if param in ("id", "intent") else 400)
            raise not_found(LABELS.get(kind, kind), id, param, status)
        return obj

    def find(self, kind: str, where: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
        """Objects of this account, newest first unless told otherwise."""
        return self.store.find(self.account, kind, where, **options)

    def delete(self, obj: dict[str, Any]) -> None:
        """Forget the object."""
        self.store.delete(self.account, obj["id"])

    # account settings

    def state(self) -> dict[str, Any]:
        """The account's own settings (tax, permissions, retry schedule…)."""
        row = self.store.one("SELECT state FROM accounts WHERE id = ?", (self.account,))
        return json.loads(row["state"]) if row else {}

    def save_state(self, state: dict[str, Any]) -> None:
        """Keep the account's settings."""
        self.store.execute("UPDATE accounts SET state = ? WHERE id = ?", (json.dumps(state), self.account))

    # rendering

    def render(self, obj: dict[str, Any]) -> dict[str, Any]:
        """What a caller sees: without private fields, with what is computed on reading."""
        shown = {name: value for name, value in obj.items() if not name.startswith("_")}
        renderer = RENDERERS.get(obj["object"])
        return renderer(self, shown) if renderer else shown

    # due work

    def schedule(self, action: str, target: dict[str, Any] | str, at: int) -> None:
        """Have `action` done to the target when its clock reaches `at`; replaces an earlier appointment."""
        id = target if isinstance(target, str) else target["id"]
        clock = "" if isinstance(target, str) else target.get("test_clock") or ""
        self.store.execute(
            "INSERT OR REPLACE INTO due (account, clock, at, action, target) VALUES (?,?,?,?,?)",
            (self.account, clock, at, action, id),
        )

    def unschedule(self, target: str, *actions: str) -> None:
        """Cancel appointments of the target: the named ones, or all."""
        sql = "DELETE FROM due WHERE account = ? AND target = ?"
        if actions:
            sql += f" AND action IN ({','.join('?' * len(actions))})"
        self.store.execute(sql, (self.account, target, *actions))

    # events

    def emit(self, type: str, obj: dict[str, Any], previous: dict[str, Any] | None = None) -> None:
        """Record that something happened, with the object as it is now, and queue it for the webhook endpoints."""
        data: dict[str, Any] = {"object": self.render(obj)}
        if previous:
            data["previous_attributes"] = previous
        endpoints = self._endpoints_for(type)
        event = {
            "id": new_id("event"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": type,
        }
        self._record(event, obj.get("id"), endpoints)

    def _record(self, event: dict[str, Any], subject: str | None, endpoints: list[str]) -> None:
        body = json.dumps(event, separators=(",", ":"))
        self.store.execute(
            "INSERT INTO events (id, account, type, created, object, pending, body) VALUES (?,?,?,?,?,?,?)",
            (event["id"], self.account, event["type"], event["created"], subject, len(endpoints), body),
        )
        if endpoints:
            self.store.execute_many(
                "INSERT INTO deliveries (event, endpoint, account, state, next_at) VALUES (?,?,?,'pending',?)",
                [(event["id"], endpoint, self.account, event["created"]) for endpoint in endpoints],
            )

    def _endpoints_for(self, type: str) -> list[str]:
        return [
            endpoint["id"]
            for endpoint in self.find("webhook_endpoint", newest_first=False)
            if endpoint["status"] == "enabled"
            and ("*" in endpoint["enabled_events"] or type in endpoint["enabled_events"])
        ]


def renders(kind: str) -> Callable[[Renderer], Renderer]:
    """Declare how objects of this kind are shown, where plain storage is not enough."""

    def register(renderer: Renderer) -> Renderer:
        RENDERERS[kind] = renderer
        return renderer

    return register


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """An update event's `previous_attributes`: what changed fields were before; inner ones only where they differ."""
    previous: dict[str, Any] = {}
    for name, old in before.items():
        new = after.get(name)
        if old == new or name.startswith("_"):
            continue
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            previous[name] = changes(old, new) | {key: None for key in new if key not in old}
        else:
            previous[name] = old
    return previous | {name: None for name in after if name not in before and not name.startswith("_")}
