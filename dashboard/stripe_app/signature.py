"""Stripe's webhook signature, on raw bytes. Source: https://docs.stripe.com/webhooks (verify manually)."""

import hashlib
import hmac
from collections.abc import Iterable

from dashboard.stripe_app.errors import BadSignature

TOLERANCE_SECONDS = 300


def verify_signature(body: bytes, header: str | None, secrets: Iterable[str], now: float) -> None:
    """Returns when one of `secrets` signed `body` within 300 seconds of `now`, before or after.

    The SDK's own check lets letters from the future pass. Raises BadSignature.
    """
    timestamp, signatures = _read(header)
    if abs(now - timestamp) > TOLERANCE_SECONDS:
        raise BadSignature("This webhook was signed more than five minutes away from now.")
    signed = f"{timestamp}.".encode() + body
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(expected, given) for given in signatures):
            return
    raise BadSignature("The signature of this webhook is not Stripe's.")


def _read(header: str | None) -> tuple[int, list[bytes]]:
    parts = [part.strip().partition("=") for part in (header or "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value.encode() for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 15 or not signatures:
        raise BadSignature("This webhook carries no readable Stripe-Signature.")
    return int(times[0]), signatures
