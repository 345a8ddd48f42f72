"""Pages of a list: `limit`, `starting_after`, `ending_before`, and Stripe's list object."""

from typing import Any

from dashboard.stripe_sandbox.context import LABELS, Context
from dashboard.stripe_sandbox.errors import invalid_parameter, not_found


def page(
    ctx: Context,
    kind: str,
    params: dict[str, Any],
    url: str,
    where: dict[str, Any] | None = None,
    *,
    newest_first: bool = True,
) -> dict[str, Any]:
    """One page of stored objects as Stripe's list object. Raises for a cursor that does not exist."""
    limit = params.get("limit", 10)
    backwards = "ending_before" in params
    if backwards and "starting_after" in params:
        raise invalid_parameter("ending_before", "Only one of starting_after and ending_before can be given.")
    cursor = params.get("ending_before") or params.get("starting_after")
    bounds: dict[str, Any] = {}
    if cursor:
        position = _cursor(ctx, kind, cursor, "ending_before" if backwards else "starting_after")
        bounds = {"before" if newest_first is not backwards else "after": position}
    found = ctx.find(
        kind,
        where,
        created=created_range(params),
        newest_first=newest_first is not backwards,
        limit=limit + 1,
        **bounds,
    )
    has_more, found = len(found) > limit, found[:limit]
    if backwards:
        found.reverse()
    return listing([ctx.render(obj) for obj in found], url, has_more)


def slice_page(
    ctx: Context, items: list[dict[str, Any]], params: dict[str, Any], url: str, label: str = "object"
) -> dict[str, Any]:
    """One page of a list that is not stored as objects of its own."""
    limit = params.get("limit", 10)
    ids = [item["id"] for item in items]
    start, stop = 0, len(items)
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise not_found(label, params[name], name, 400)
    if "starting_after" in params:
        start = ids.index(params["starting_after"]) + 1
    if "ending_before" in params:
        stop = ids.index(params["ending_before"])
        start = max(start, stop - limit)
        return listing([ctx.render(item) for item in items[start:stop]], url, start > 0)
    chosen = items[start : start + limit]
    return listing([ctx.render(item) for item in chosen], url, start + limit < stop)


def listing(data: list[dict[str, Any]], url: str, has_more: bool = False) -> dict[str, Any]:
    """Stripe's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def created_range(params: dict[str, Any]) -> dict[str, int] | None:
    """The `created` filter as bounds; a bare number means that very second."""
    created = params.get("created")
    if isinstance(created, int):
        return {"gte": created, "lte": created}
    return created or None


def _cursor(ctx: Context, kind: str, id: str, param: str) -> int:
    obj = ctx.get(id)
    position = ctx.store.position(ctx.account, id)
    if position is None or obj is None or obj["object"] != kind:
        raise not_found(LABELS.get(kind, kind), id, param, 400)
    return position
