"""The fields that hold a Stripe key: the key is theirs alone, so they are emptied from here and never read."""

from typing import Any

import reflex as rx

KEY_FIELD = "stripe_api_key"
NEW_KEY_FIELD = "new_stripe_key"


def empty_field(id: str, *, focus: bool = False) -> Any:
    """For handlers: empties a key's field, and puts the cursor there if `focus`. Raises ValueError for other fields."""
    if id not in (KEY_FIELD, NEW_KEY_FIELD):
        raise ValueError(f"{id!r} is not a field for keys")
    then = "field.focus();" if focus else ""
    return rx.call_function(
        f"() => {{ const field = document.getElementById('{id}'); if (field) {{ field.value = ''; {then} }} }}"
    )
