"""Questions about installed apps."""

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import Work
from dashboard.stripe_app.errors import StripeAppNotFound
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow
from dashboard.stripe_app.views import AppHealth, AppState, Delivery, EventState, StripeApp
from dashboard.stripe_app.webhook_endpoint import is_current

DASHBOARD = "https://dashboard.stripe.com"


async def list_stripe_apps(session: AsyncSession, *, include_deleted: bool = False) -> tuple[StripeApp, ...]:
    """Installed apps, oldest first; those still being installed are not among them."""
    query = select(StripeAppRow).where(col(StripeAppRow.state) != AppState.INSTALLING).order_by(col(StripeAppRow.id))
    if not include_deleted:
        query = query.where(col(StripeAppRow.deleted_at).is_(None))
    return tuple(app_view(row) for row in await session.scalars(query))


async def get_stripe_app(session: AsyncSession, app_id: str) -> StripeApp:
    """One app, uninstalled ones too. Raises StripeAppNotFound."""
    row = await session.get(StripeAppRow, app_id)
    if row is None or row.state == AppState.INSTALLING:
        raise StripeAppNotFound(f"There is no Stripe app {app_id}.")
    return app_view(row)


async def is_installed(session: AsyncSession, app_id: str) -> bool:
    """Whether this app is installed and can be given work (a billing profile may name it)."""
    row = await session.get(StripeAppRow, app_id)
    return row is not None and row.state in (AppState.READY, AppState.UNAUTHORIZED)


async def ready_app_ids(session: AsyncSession) -> list[str]:
    """The apps that work can be done for now."""
    query = select(col(StripeAppRow.id)).where(col(StripeAppRow.state) == AppState.READY).order_by(col(StripeAppRow.id))
    return list(await session.scalars(query))


async def expect_news(work: Work, app: StripeAppRow) -> None:
    """Something was begun that Stripe will soon tell about: an app that polls asks at once, and then more often."""
    if app.delivery != Delivery.POLLING:
        return
    await work.session.execute(
        update(StripeAppRow)
        .where(
            col(StripeAppRow.id) == app.id,
            col(StripeAppRow.delivery) == Delivery.POLLING,
            col(StripeAppRow.next_poll_at) > work.now,
        )
        .values(next_poll_at=work.now)
    )


async def installed_app_of(session: AsyncSession, account_id: str, livemode: bool) -> StripeAppRow | None:
    """The live row of an account in a mode, also one that is still being installed."""
    query = select(StripeAppRow).where(
        col(StripeAppRow.account_id) == account_id,
        col(StripeAppRow.livemode) == livemode,
        col(StripeAppRow.deleted_at).is_(None),
    )
    return await session.scalar(query)


async def app_health(session: AsyncSession, app_id: str, public_url: str | None) -> AppHealth:
    """How well we hear from Stripe, with sentences for what a person should look at. Raises StripeAppNotFound."""
    row = await session.get(StripeAppRow, app_id)
    if row is None:
        raise StripeAppNotFound(f"There is no Stripe app {app_id}.")
    counts = await _unsettled_counts(session, app_id)
    lag = None
    if row.last_event_at and row.last_event_received_at:
        lag = max(0.0, (row.last_event_received_at - row.last_event_at).total_seconds())
    current = is_current(row, public_url)
    failed = counts.get(EventState.FAILED, 0)
    return AppHealth(
        app_id=row.id,
        state=AppState(row.state),
        delivery=Delivery(row.delivery),
        last_event_at=row.last_event_at,
        last_event_received_at=row.last_event_received_at,
        lag_seconds=lag,
        last_poll_at=row.last_poll_at,
        poll_problem=row.last_poll_problem,
        gaps_healed=row.gaps_healed,
        waiting_events=counts.get(EventState.WAITING, 0) + counts.get(EventState.RECEIVED, 0),
        failed_events=failed,
        webhook_is_current=current,
        problems=_problems(row, current, failed),
    )


async def _unsettled_counts(session: AsyncSession, app_id: str) -> dict[str, int]:
    rows = await session.execute(
        select(col(StripeEventRow.state), func.count())
        .where(col(StripeEventRow.app_id) == app_id, col(StripeEventRow.state).in_(_UNSETTLED))
        .group_by(col(StripeEventRow.state))
    )
    return {state: count for state, count in rows}


_UNSETTLED = (EventState.RECEIVED, EventState.WAITING, EventState.FAILED)


def _problems(row: StripeAppRow, webhook_is_current: bool, failed: int) -> tuple[str, ...]:
    found: list[str] = []
    if row.state == AppState.UNAUTHORIZED:
        found.append("Stripe no longer accepts the API key. Everything waits; replace the key to go on.")
    if not webhook_is_current and row.deleted_at is None:
        found.append("The webhook does not fit the public address or API version of now. Register it again.")
    if row.webhook_problem:
        found.append(f"The webhook could not be registered: {row.webhook_problem}")
    if row.last_poll_problem:
        found.append(f"Events could not be polled: {row.last_poll_problem}")
    if failed:
        found.append(f"{failed} events could not be applied. Open the inbox to see why.")
    return tuple(found)


def app_view(row: StripeAppRow) -> StripeApp:
    """The row without its secrets."""
    return StripeApp(
        id=row.id,
        name=row.name,
        description=row.description,
        metadata=dict(row.labels),
        account_id=row.account_id,
        account_name=row.account_name,
        country=row.account_country,
        default_currency=row.default_currency,
        livemode=row.livemode,
        is_sandbox=row.is_sandbox,
        state=AppState(row.state),
        status_reason=row.status_reason,
        masked_key=row.masked_key,
        delivery=Delivery(row.delivery),
        webhook_url=row.webhook_url,
        webhook_api_version=row.webhook_api_version,
        portal_configuration_id=row.portal_configuration_id,
        dashboard_url=dashboard_url(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def dashboard_url(row: StripeAppRow, path: str = "") -> str | None:
    """The page of something in Stripe's own dashboard, such as `customers/cus_1`; the sandbox has none."""
    if row.is_sandbox:
        return None
    mode = "" if row.livemode else "/test"
    return f"{DASHBOARD}/{row.account_id}{mode}/{path}".rstrip("/")
