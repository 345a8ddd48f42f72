"""Expansion: replaces ids by the objects that they name, as deep as a caller asks (at most four levels)."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter
from dashboard.stripe_sandbox.routing import INCLUDABLE
from dashboard.stripe_sandbox.schema import objects


def expand(ctx: Context, answer: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """The answer with every path of `paths` expanded. Raises ApiError 400 for what cannot be expanded."""
    if not paths:
        return answer
    answer = copy.deepcopy(answer)  # stored objects share their inner parts with what is shown
    for path in paths:
        _walk(ctx, answer, path.split("."), path)
    return answer


def _walk(ctx: Context, node: Any, parts: list[str], path: str) -> None:
    if isinstance(node, list):
        for element in node:
            _walk(ctx, element, parts, path)
        return
    if not parts or not isinstance(node, dict):
        return
    if node.get("object") == "list" and parts[0] == "data":
        _walk(ctx, node["data"], parts[1:], path)
        return
    tree = objects().get(node.get("object", ""), {}).get("expand", {})
    _walk_tree(ctx, node, node, parts, tree, path)


def _walk_tree(
    ctx: Context, root: dict[str, Any], node: dict[str, Any], parts: list[str], tree: Any, path: str
) -> None:
    """Follow one object's own fields, through inline parts of it, to a reference."""
    name, rest = parts[0], parts[1:]
    reader = INCLUDABLE.get((node.get("object", ""), name))
    if reader and name not in node:
        node[name] = copy.deepcopy(reader(ctx, node))
    step = tree.get(name) if isinstance(tree, dict) else None
    if reader:
        _walk(ctx, node[name], rest, path)
    elif step is True:
        node[name] = _resolve(ctx, node.get(name))
        _walk(ctx, node[name], rest, path)
    elif isinstance(step, dict) and "in" in step:
        _walk(ctx, node.get(name), rest, path)
    elif isinstance(step, dict):
        _follow_inline(ctx, root, node.get(name), rest, step, path)
    else:
        raise invalid_parameter("expand", f"This property cannot be expanded ({path}).")


def _follow_inline(ctx: Context, root: dict[str, Any], node: Any, parts: list[str], tree: Any, path: str) -> None:
    if not parts:
        return
    for part in node if isinstance(node, list) else [node]:
        if not isinstance(part, dict):
            continue
        if part.get("object") == "list":
            _walk(ctx, part, parts, path)
        else:
            _walk_tree(ctx, root, part, parts, tree, path)


def _resolve(ctx: Context, value: Any) -> Any:
    if isinstance(value, list):
        return [_resolve(ctx, element) for element in value]
    if not isinstance(value, str):
        return value
    obj = ctx.get(value)
    if obj is None:
        return value
    if obj.get("deleted"):
        return {"id": obj["id"], "object": obj["object"], "deleted": True}
    return copy.deepcopy(ctx.render(obj))
