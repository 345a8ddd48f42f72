"""Test clocks: customers whose time stands still until it is advanced."""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import deleted
from dashboard.stripe_sandbox.routing import DUE_ACTIONS, due_action, operation

KEPT_SECONDS = 30 * 86400
FURTHEST = 2 * 366 * 86400
PATH = "/v1/test_helpers/test_clocks"


@operation(f"POST {PATH}")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    clock = ctx.new(
        "test_helpers.test_clock",
        deletes_after=ctx.now + KEPT_SECONDS,
        frozen_time=params["frozen_time"],
        name=params.get("name") or None,
        status="ready",
        status_details={},
    )
    ctx.save(clock)
    if params.get("customer"):
        customer = ctx.need("customer", params["customer"], "customer")
        if customer["test_clock"] or ctx.find("invoice", {"customer": customer["id"]}, limit=1):
            raise invalid_parameter("customer", "The customer is on a test clock already, or has invoices.")
        customer["test_clock"] = clock["id"]
        ctx.save(customer)
    ctx.schedule("test_clock.delete", clock["id"], clock["deletes_after"])
    ctx.emit("test_helpers.test_clock.created", clock)
    return clock


@operation(f"GET {PATH}/{{test_clock}}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("test_helpers.test_clock", id)


@operation(f"POST {PATH}/{{test_clock}}/advance")
def advance(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    clock = ctx.need("test_helpers.test_clock", id)
    target = params["frozen_time"]
    if target <= clock["frozen_time"]:
        raise invalid_parameter("frozen_time", "The time must be after the clock's current time.")
    if target > clock["frozen_time"] + FURTHEST:
        raise invalid_parameter("frozen_time", "A clock can be advanced by at most two years at once.")
    if clock["status"] != "ready":
        raise refused("The clock is already advancing.", "test_clock_in_use")
    clock |= {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    ctx.save(clock)
    ctx.emit("test_helpers.test_clock.advancing", clock)
    ctx.schedule("test_clock.arrive", clock["id"], ctx.now)
    return clock


@due_action("test_clock.arrive")
def arrive(ctx: Context, id: str) -> None:
    """Do what falls due on the clock in its order, then rest at the target."""
    clock = ctx.get(id)
    if not clock or clock.get("deleted") or clock["status"] != "advancing":
        return
    target = clock["status_details"]["advancing"]["target_frozen_time"]
    while row := _next_due(ctx, id, target):
        clock["frozen_time"] = max(clock["frozen_time"], row["at"])
        ctx.save(clock)
        ctx.store.execute("DELETE FROM due WHERE id = ?", (row["id"],))
        DUE_ACTIONS[row["action"]](ctx, row["target"])
    clock |= {"frozen_time": target, "status": "ready", "status_details": {}}
    ctx.save(clock)
    ctx.emit("test_helpers.test_clock.ready", clock)


@operation(f"DELETE {PATH}/{{test_clock}}")
def delete(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return _delete(ctx, ctx.need("test_helpers.test_clock", id))


@due_action("test_clock.delete")
def delete_when_due(ctx: Context, id: str) -> None:
    clock = ctx.get(id)
    if clock:
        _delete(ctx, clock)


@operation(f"GET {PATH}")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return page(ctx, "test_helpers.test_clock", params, PATH)


def _next_due(ctx: Context, clock: str, until: int) -> Any:
    ctx.find("test_helpers.test_clock", {"id": clock}, limit=1)  # so that what was just saved is seen
    sql = "SELECT * FROM due WHERE account = ? AND clock = ? AND at <= ? ORDER BY at, id LIMIT 1"
    return ctx.store.one(sql, (ctx.account, clock, until))


def _delete(ctx: Context, clock: dict[str, Any]) -> dict[str, Any]:
    """The clock goes, and with it its customers and all they had."""
    for customer in ctx.find("customer", {"clock": clock["id"]}):
        customer["deleted"] = True
        ctx.save(customer)
    ctx.store.execute("DELETE FROM due WHERE account = ? AND clock = ?", (ctx.account, clock["id"]))
    ctx.unschedule(clock["id"])
    ctx.emit("test_helpers.test_clock.deleted", clock)
    ctx.delete(clock)
    return deleted(clock)
