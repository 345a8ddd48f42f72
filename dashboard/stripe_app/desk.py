"""What every verb of this room needs at hand. `backend.py` builds one per process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from dashboard.kit.crypto import SecretBox
from dashboard.kit.database import STRIPE, Database
from dashboard.kit.locks import Locks
from dashboard.stripe_app.errors import (
    StripeAppDeleted,
    StripeAppNotFound,
    StripeAppNotReady,
    StripeUnauthorized,
    StripeUnreachable,
)
from dashboard.stripe_app.gateway import Gateway, Gateways
from dashboard.stripe_app.gateway_calls import BACKGROUND
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState
from dashboard.stripe_app.webhooks import Letterbox

WRITER_WAIT_SECONDS = 60.0


def usable_app(row: StripeAppRow | None, app_id: str) -> StripeAppRow:
    """The row that was found of an app, if it may be used now.

    Raises StripeAppNotFound, StripeAppDeleted, StripeAppNotReady, StripeUnauthorized.
    """
    if row is None or row.state == AppState.INSTALLING:
        raise StripeAppNotFound(f"There is no Stripe app {app_id}.")
    if row.deleted_at is not None:
        raise StripeAppDeleted("This Stripe app was uninstalled.")
    if row.state == AppState.UNINSTALLING:
        raise StripeAppNotReady("This Stripe app is being uninstalled.")
    if row.state == AppState.UNAUTHORIZED:
        raise StripeUnauthorized(row.status_reason or "Stripe no longer accepts this API key.", http_status=401)
    return row


@dataclass(slots=True)
class StripeDesk:
    """Holds no state but its letterbox's. `public_url` is where Stripe can reach us; None means we poll."""

    database: Database
    secrets: SecretBox
    gateways: Gateways
    public_url: str | None = None
    events_poll_seconds: float = 10.0
    letters_kept: timedelta = timedelta(days=90)
    locks: Locks | None = None
    letterbox: Letterbox = field(init=False)

    def __post_init__(self) -> None:
        self.letterbox = Letterbox(self.database, self.secrets)

    @asynccontextmanager
    async def writing_for(self, customer_id: str) -> AsyncIterator[None]:
        """One at a time writes to Stripe for a customer: Stripe locks its customers and refuses who comes second.

        Raises StripeUnreachable when somebody else writes for longer than a whole call with all its tries takes.
        """
        async with self.holding(f"stripe customer of {customer_id}", wait_seconds=WRITER_WAIT_SECONDS) as ours:
            if not ours:
                raise StripeUnreachable("Another invoice of this customer is being written to Stripe for a long time.")
            yield

    @asynccontextmanager
    async def holding(self, name: str, *, wait_seconds: float = 0) -> AsyncIterator[bool]:
        """The desk's lock of that name, as `Locks.holding` answers it. A desk without locks is alone: always ours."""
        if self.locks is None:
            yield True
            return
        async with self.locks.holding(name, wait_seconds=wait_seconds) as ours:
            yield ours

    @asynccontextmanager
    async def stripe(
        self, app_id: str, *, priority: int = BACKGROUND, row: StripeAppRow | None = None
    ) -> AsyncIterator[Gateway]:
        """The gateway of an installed app, for the length of the block. Never inside a transaction.

        A 401 inside the block marks the app unauthorized; until its key is replaced nothing more is asked of Stripe.
        `row` is the app as `app_row` answered it a moment ago; without it, it is read.
        Raises StripeAppNotFound, StripeAppDeleted, StripeAppNotReady, StripeUnauthorized.
        """
        row = row or await self.app_row(app_id)
        try:
            yield self.gateway_of(row, priority=priority)
        except StripeUnauthorized as refusal:
            await self._mark_unauthorized(row, refusal.message)
            raise

    async def app_row(self, app_id: str) -> StripeAppRow:
        """The row of an app that may be used now. Raises what `usable_app` raises."""
        async with self.database.read() as session:
            return usable_app(await session.get(StripeAppRow, app_id), app_id)

    def gateway_of(self, row: StripeAppRow, *, priority: int = BACKGROUND) -> Gateway:
        """A gateway with the row's own key, whatever its state."""
        key = self.secrets.open(row.sealed_key or "")
        return self.gateways.open(key, account=row.account_id, livemode=row.livemode, priority=priority)

    async def _mark_unauthorized(self, refused: StripeAppRow, reason: str) -> None:
        async with self.database.transaction(STRIPE) as work:
            row = await work.session.get(StripeAppRow, refused.id)
            # The key may have been replaced while Stripe said no to the old one.
            if row is None or row.state != AppState.READY or row.sealed_key != refused.sealed_key:
                return
            row.state, row.status_reason, row.updated_at = AppState.UNAUTHORIZED, reason, work.now
            work.audit("stripe_app.unauthorized", "stripe_app", row.id, reason=reason)
            work.changed("stripe_apps", f"stripe_apps/{row.id}")
