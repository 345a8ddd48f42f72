"""What many resources do alike: metadata, plain updates, deletion stubs, checks of currency and country."""

import copy
from typing import Any

from dashboard.stripe_sandbox.context import Context, Rendered, changes
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter

ADDRESS_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")


def merge_metadata(old: dict[str, str] | None, new: dict[str, str] | str) -> dict[str, str]:
    """Stripe's rule: keys are added or replaced, an empty value removes a key, an empty string removes all."""
    if new == "" or isinstance(new, str):
        return {}
    merged = {**(old or {}), **new}
    return {key: value for key, value in merged.items() if value != ""}


def set_fields(obj: dict[str, Any], params: dict[str, Any], names: tuple[str, ...]) -> None:
    """Copy the named parameters that were given; an empty string means null. Metadata is merged."""
    for name in names:
        if name not in params:
            continue
        value = params[name]
        if name == "metadata":
            obj[name] = merge_metadata(obj.get(name), value)
        else:
            obj[name] = None if value == "" else value


def update(
    ctx: Context, obj: dict[str, Any], params: dict[str, Any], names: tuple[str, ...], event: str | None
) -> dict[str, Any]:
    """Change plain fields of a stored object and tell it with `previous_attributes`."""
    before = copy.deepcopy(obj)
    set_fields(obj, params, names)
    return save_changes(ctx, obj, before, event)


def save_changes(ctx: Context, obj: dict[str, Any], before: dict[str, Any], event: str | None) -> dict[str, Any]:
    """Save, and emit the event if anything visible changed."""
    ctx.save(obj)
    previous = changes(before, obj)
    if event and previous:
        ctx.emit(event, obj, previous)
    return obj


def deleted(obj: dict[str, Any]) -> Rendered:
    """The stub that stands for a deleted object."""
    return Rendered({"id": obj["id"], "object": obj["object"], "deleted": True})


def address(given: dict[str, Any] | str | None) -> dict[str, Any] | None:
    """A whole address with every field; null for an empty string."""
    if not given or isinstance(given, str):
        return None
    return {name: given.get(name) or None for name in ADDRESS_FIELDS}


def shipping(given: dict[str, Any] | str | None) -> dict[str, Any] | None:
    """A whole shipping block; null for an empty string."""
    if not given or isinstance(given, str):
        return None
    return {"address": address(given["address"]), "name": given["name"], "phone": given.get("phone") or None}


def require(params: dict[str, Any], *names: str) -> None:
    """Raises `parameter_missing` for a parameter that only this case needs."""
    for name in names:
        if params.get(name) in (None, ""):
            raise missing_parameter(name)


def one_of(params: dict[str, Any], *names: str) -> None:
    """Raises when more than one of the parameters is given."""
    given = [name for name in names if name in params]
    if len(given) > 1:
        raise invalid_parameter(given[0], f"You may only specify one of these parameters: {', '.join(given)}.")
