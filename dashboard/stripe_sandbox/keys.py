"""API keys: which account a key opens, and what a restricted key may do there.

`sk_test_sandbox_<account>` opens everything, `rk_test_sandbox_<account>` what its permissions say. Accounts are made on
first use. Everything else, live keys above all, is refused as Stripe refuses a key that it does not know.
"""

import base64
import binascii
import hashlib
import json
import re
import string
from dataclasses import dataclass

from dashboard.stripe_sandbox.errors import ApiError, unauthorized
from dashboard.stripe_sandbox.store import Store

_KEY = re.compile(r"(sk|rk)_test_sandbox_([A-Za-z0-9_-]{1,64})")

# What a usage billing integration needs, and therefore what a new restricted key may do.
DEFAULT_PERMISSIONS = {
    "accounts_kyc_basic": "read", "charge": "read", "checkout_session": "write", "customer": "write",
    "customer_portal": "write", "event": "read", "invoice": "write", "payment_intent": "read",
    "payment_method": "write", "plan": "write", "product": "write", "setup_intent": "write",
    "tax_settings": "read", "webhook": "write",
}  # fmt: skip

_RESOURCES = (
    ("/v1/account", "accounts_kyc_basic"), ("/v1/balance", "balance"), ("/v1/billing_portal", "customer_portal"),
    ("/v1/billing/", "billing_meter"), ("/v1/charges", "charge"), ("/v1/refunds", "charge"),
    ("/v1/checkout", "checkout_session"), ("/v1/coupons", "coupon"), ("/v1/credit_notes", "credit_note"),
    ("/v1/customers", "customer"), ("/v1/events", "event"), ("/v1/invoice", "invoice"),
    ("/v1/payment_intents", "payment_intent"), ("/v1/payment_methods", "payment_method"), ("/v1/prices", "plan"),
    ("/v1/products", "product"), ("/v1/setup_intents", "setup_intent"), ("/v1/tax_codes", "tax_settings"),
    ("/v1/tax_rates", "tax_rate"), ("/v1/tax/", "tax_settings"), ("/v1/test_helpers", "test_clock"),
    ("/v1/webhook_endpoints", "webhook"),
)  # fmt: skip
RESOURCES = sorted({resource for _, resource in _RESOURCES})


@dataclass(frozen=True)
class Caller:
    """Who calls: an account, and whether with a restricted key."""

    account: str
    account_name: str
    key: str
    restricted: bool


def authenticate(header: str, store: Store, now: int) -> Caller:
    """Reads `Authorization` (Bearer, or Basic with the key as user). Raises ApiError 401."""
    key = _presented_key(header)
    if not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    match = _KEY.fullmatch(key)
    if not match:
        raise invalid_key(key)
    name = match[2]
    return Caller(open_account(store, name, now), name, key, restricted=match[1] == "rk")


def invalid_key(key: str) -> ApiError:
    """The 401 for a key that is unknown, rolled or revoked."""
    head = key[:8] if re.match(r"(sk|rk|pk)_(test|live)_", key) else ""
    return unauthorized(f"Invalid API Key provided: {head}****{key[-4:]}")


def open_account(store: Store, name: str, now: int) -> str:
    """The id of the account with this name, made on first use. The same name always gives the same id."""
    id = account_id(name)
    store.execute(
        "INSERT OR IGNORE INTO accounts (name, id, created, state) VALUES (?,?,?,?)",
        (name, id, now, json.dumps({"permissions": DEFAULT_PERMISSIONS})),
    )
    return id


def account_id(name: str) -> str:
    """`acct_1…` for an account name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest())
    letters = string.digits + string.ascii_letters
    text = ""
    for _ in range(15):
        number, rest = divmod(number, len(letters))
        text += letters[rest]
    return f"acct_1{text}"


def permission_for(method: str, path: str) -> tuple[str, str]:
    """The permission an endpoint asks for: `("customer", "write")`."""
    resource = next((resource for prefix, resource in _RESOURCES if path.startswith(prefix)), "unknown")
    return resource, "read" if method == "GET" else "write"


def check_permission(caller: Caller, permissions: dict[str, str], method: str, path: str) -> None:
    """Raises ApiError 403 when a restricted key lacks what the endpoint asks for; names the permission."""
    resource, needed = permission_for(method, path)
    granted = permissions.get(resource, "none")
    if caller.restricted and granted != "write" and granted != needed:
        raise forbidden(caller, resource, needed)


def forbidden(caller: Caller, resource: str, needed: str) -> ApiError:
    """The 403 of a restricted key."""
    return ApiError(
        403,
        f"The provided key '{caller.key[:8]}****{caller.key[-4:]}' does not have the required permissions for this "
        f"endpoint on account '{caller.account}'. Having the 'rak_{resource}_{needed}' permission would allow this "
        "request to continue.",
        executed=False,
    )


def _presented_key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return value.strip() if scheme.lower() == "bearer" else ""
