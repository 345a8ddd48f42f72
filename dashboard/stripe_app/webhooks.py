"""A stranger with a letter: checked on its raw bytes, filed, answered at once. Applying it is somebody else's work."""

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError

from dashboard.kit.database import STRIPE
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.errors import BadSignature, StripeAppNotFound, WebhookTooLarge
from dashboard.stripe_app.inbox import WEBHOOK, came_after_all, file_events
from dashboard.stripe_app.signature import verify_signature
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState

LARGEST_BODY = 512 * 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """What to tell Stripe: taken. `message` is for people who look at deliveries in Stripe's dashboard."""

    app_id: str
    event_id: str
    is_new: bool
    message: str


async def receive_webhook(
    desk: StripeDesk, app_id: str, body: bytes, signature: str | None, *, now: float | None = None
) -> Receipt:
    """Files one delivery and makes the worker apply it, in one transaction. A known event is thanked for again.

    `now` is seconds since 1970 by a real clock (signatures carry real time). Raises WebhookTooLarge, StripeAppNotFound
    (unknown or uninstalled app), BadSignature.
    """
    if len(body) > LARGEST_BODY:
        raise WebhookTooLarge("A webhook is at most 512 KiB.")
    row = await _app(desk, app_id)
    verify_signature(body, signature, _secrets(desk, row), time.time() if now is None else now)
    letter = _read(body)
    try:
        async with desk.database.transaction(STRIPE) as work:
            filed = await file_events(work, app_id, [letter], via=WEBHOOK)
            if not filed:
                await came_after_all(work, app_id, letter["id"])
    except IntegrityError:
        # The same letter came in through the other door in this very moment.
        filed = []
    message = "Filed; it is applied in a moment." if filed else "Known already."
    return Receipt(app_id, letter["id"], bool(filed), message)


async def _app(desk: StripeDesk, app_id: str) -> StripeAppRow:
    async with desk.database.read() as session:
        row = await session.get(StripeAppRow, app_id)
    if row is None or row.deleted_at is not None or row.state == AppState.INSTALLING:
        raise StripeAppNotFound("There is no such Stripe app.")
    return row


def _secrets(desk: StripeDesk, row: StripeAppRow) -> list[str]:
    sealed = [row.sealed_webhook_secret]
    if row.previous_secret_until is not None and desk.database.clock.now() < row.previous_secret_until:
        sealed.append(row.sealed_previous_secret)
    return [desk.secrets.open(secret) for secret in sealed if secret]


def _read(body: bytes) -> dict[str, Any]:
    try:
        letter = json.loads(body)
    except ValueError:
        raise BadSignature("The webhook's body is not JSON.") from None
    if not isinstance(letter, dict) or not isinstance(letter.get("id"), str) or not isinstance(letter.get("type"), str):
        raise BadSignature("The webhook's body is not an event.")
    if not isinstance(letter.get("created"), int):
        raise BadSignature("The webhook's event has no time.")
    return letter
