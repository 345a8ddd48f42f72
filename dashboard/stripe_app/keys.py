"""What a Stripe key looks like, what its letters already tell, and which are kept."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from dashboard.stripe_app.errors import BadStripeKey
from dashboard.stripe_app.tables import StripeAppRow

SANDBOX_PREFIXES = ("sk_test_sandbox_", "rk_test_sandbox_")

_KEY = re.compile(r"(?P<kind>sk|rk)_(?P<mode>test|live)_[A-Za-z0-9_]{4,250}")
_OTHER_KINDS = {
    "pk_": "That is a publishable key, which may only be used in a browser.",
    "whsec_": "That is a webhook signing secret, not an API key.",
    "sk_org_": "That is an organisation key; it does not name one account.",
    "acct_": "That is an account id, not an API key.",
}


@dataclass(frozen=True, slots=True)
class KeyShape:
    """Test or live, restricted or not, Stripe's or the sandbox's. The key itself is not in here."""

    livemode: bool
    restricted: bool
    is_sandbox: bool
    masked: str


def key_shape(key: str) -> KeyShape:
    """What `key` is by its prefix. Raises BadStripeKey, which never repeats it, for anything Stripe does not issue."""
    for prefix, sentence in _OTHER_KINDS.items():
        if key.startswith(prefix):
            raise BadStripeKey(sentence, field="api_key")
    match = _KEY.fullmatch(key)
    if match is None:
        raise BadStripeKey("That does not look like a Stripe API key.", field="api_key")
    return KeyShape(match["mode"] == "live", match["kind"] == "rk", is_sandbox_key(key), _masked(key))


def is_sandbox_key(key: str) -> bool:
    """Whether the key belongs to the sandbox beside us rather than to Stripe."""
    return key.startswith(SANDBOX_PREFIXES)


def _masked(key: str) -> str:
    prefix = "_".join(key.split("_", 2)[:2])
    return f"{prefix}_…{key[-4:]}" if len(key) >= 24 else f"{prefix}_…"


def sealed_keys(connection: Connection) -> list[str]:
    """The keys of all accounts as they are kept, for whoever wants to see that they can still be opened."""
    return [key for key in connection.scalars(select(col(StripeAppRow.sealed_key))) if key is not None]
