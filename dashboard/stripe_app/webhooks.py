"""A stranger with a letter: checked on its raw bytes, filed, answered at once. Applying it is somebody else's work."""

import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import col

from dashboard.kit.crypto import SecretBox
from dashboard.kit.database import Database
from dashboard.kit.grouped_writer import GroupedWriter
from dashboard.stripe_app.errors import BadSignature, StripeAppNotFound, WebhookTooLarge
from dashboard.stripe_app.inbox import Delivered, file_delivered
from dashboard.stripe_app.signature import verify_signature
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState

LARGEST_BODY = 512 * 1024
BYTES_PER_COMMIT = 4 * 1024 * 1024
REMEMBERED_SECONDS = 1.0
"""A busy app's row is read so often, not for every letter. An app that left takes letters for so long; they are filed,
and ignored because it left."""
NOTED_FOR = timedelta(seconds=5)
"""Nor is it written for every letter: when the last one came is said to within so long."""

# Made once: a letter is answered in two milliseconds, of which this would take a fifth.
_APP = select(
    col(StripeAppRow.deleted_at),
    col(StripeAppRow.state),
    col(StripeAppRow.sealed_webhook_secret),
    col(StripeAppRow.sealed_previous_secret),
    col(StripeAppRow.previous_secret_until),
    col(StripeAppRow.last_event_received_at),
).where(col(StripeAppRow.id) == bindparam("app_id"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What to tell Stripe: taken. `message` is for people who look at deliveries in Stripe's dashboard."""

    app_id: str
    event_id: str
    is_new: bool
    message: str


@dataclass(slots=True)
class _Slot:
    """What is known of an app whose letters come in here, and since when (by a clock that never jumps)."""

    sealed_secret: str | None
    sealed_previous_secret: str | None
    previous_secret_until: datetime | None
    noted_at: datetime | None
    read_at: float


class Letterbox:
    """Takes in what Stripe posts; letters that come together are filed in one transaction. One per process."""

    def __init__(self, database: Database, secrets: SecretBox) -> None:
        self._database = database
        self._secrets = secrets
        self._slots: dict[str, _Slot] = {}
        self._writer = GroupedWriter[Delivered, bool](
            partial(file_delivered, database), size=lambda one: one.size, most_per_commit=BYTES_PER_COMMIT
        )

    async def receive(self, app_id: str, body: bytes, signature: str | None, *, now: float | None = None) -> Receipt:
        """Files one delivery, to be applied at once by a worker. A known event is thanked for again.

        `now` is seconds since 1970 by a real clock (signatures carry real time). Raises WebhookTooLarge,
        StripeAppNotFound (unknown or uninstalled app), BadSignature.
        """
        if len(body) > LARGEST_BODY:
            raise WebhookTooLarge("A webhook is at most 512 KiB.")
        slot = await self._verified_slot(app_id, body, signature, time.time() if now is None else now)
        letter = _read(body)
        is_new = await self._writer.store(Delivered(app_id, letter, len(body), self._is_to_be_noted(slot)))
        message = "Filed; it is applied in a moment." if is_new else "Known already."
        return Receipt(app_id, letter["id"], is_new, message)

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.close()

    async def _verified_slot(self, app_id: str, body: bytes, signature: str | None, now: float) -> _Slot:
        slot = self._slots.get(app_id)
        if slot is not None and time.monotonic() - slot.read_at < REMEMBERED_SECONDS:
            try:
                verify_signature(body, signature, self._open_secrets(slot), now)
                return slot
            except BadSignature:
                # Perhaps the secret has just been replaced.
                pass
        slot = self._slots[app_id] = await self._read_slot(app_id)
        verify_signature(body, signature, self._open_secrets(slot), now)
        return slot

    async def _read_slot(self, app_id: str) -> _Slot:
        read_at = time.monotonic()
        async with self._database.read() as session:
            app = (await session.execute(_APP, {"app_id": app_id})).one_or_none()
        if app is None or app.deleted_at is not None or app.state == AppState.INSTALLING:
            self._slots.pop(app_id, None)
            raise StripeAppNotFound("There is no such Stripe app.")
        return _Slot(
            app.sealed_webhook_secret,
            app.sealed_previous_secret,
            app.previous_secret_until,
            app.last_event_received_at,
            read_at,
        )

    def _open_secrets(self, slot: _Slot) -> list[str]:
        sealed = [slot.sealed_secret]
        if slot.previous_secret_until is not None and self._database.clock.now() < slot.previous_secret_until:
            sealed.append(slot.sealed_previous_secret)
        return [self._secrets.open(secret) for secret in sealed if secret]

    def _is_to_be_noted(self, slot: _Slot) -> bool:
        now = self._database.clock.now()
        if slot.noted_at is not None and timedelta() <= now - slot.noted_at < NOTED_FOR:
            return False
        slot.noted_at = now
        return True


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
