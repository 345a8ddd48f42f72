"""Tax as Stripe has it set up for an account, and Stripe's library of tax codes."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.kit.database import STRIPE
from dashboard.kit.locks import lock_until_commit
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.tables import StripeAppRow, StripeTaxCodeRow
from dashboard.stripe_app.views import TaxCode, TaxSettings

SETTINGS_LIVE = timedelta(minutes=10)
LIBRARY_LIVES = timedelta(days=1)


async def tax_settings(desk: StripeDesk, app_id: str, *, fresh: bool = False) -> TaxSettings:
    """The account's tax set-up; at most ten minutes old, or read now with `fresh`. Raises what Stripe refuses."""
    row = await desk.app_row(app_id)
    is_recent = row.tax_settings_at is not None and desk.database.clock.now() - row.tax_settings_at < SETTINGS_LIVE
    if fresh or not is_recent:
        async with desk.stripe(app_id, priority=PEOPLE) as gateway:
            answer = await gateway.tax_settings()
        async with desk.database.transaction(STRIPE) as work:
            row = await work.session.get_one(StripeAppRow, app_id)
            row.tax_settings, row.tax_settings_at = _kept(answer), work.now
            work.changed(f"stripe_apps/{app_id}")
    return _view(row)


async def list_tax_codes(desk: StripeDesk, app_id: str, search: str = "", limit: int = 50) -> tuple[TaxCode, ...]:
    """Codes of Stripe's library whose id, name or description contains every word of `search`, in order of id.

    The library is fetched once a day; between, no call is made.
    """
    if await _library_is_stale(desk):
        await _fetch_library(desk, app_id)
    async with desk.database.read() as session:
        return await _search(session, search, limit)


async def get_tax_code(desk: StripeDesk, app_id: str, code: str) -> TaxCode | None:
    """One code of the library, None when Stripe does not know it."""
    if await _library_is_stale(desk):
        await _fetch_library(desk, app_id)
    async with desk.database.read() as session:
        row = await session.get(StripeTaxCodeRow, code)
    return TaxCode(row.id, row.name, row.description) if row else None


async def _search(session: AsyncSession, search: str, limit: int) -> tuple[TaxCode, ...]:
    query = select(StripeTaxCodeRow).order_by(col(StripeTaxCodeRow.id)).limit(limit)
    for word in search.lower().split():
        columns = (StripeTaxCodeRow.id, StripeTaxCodeRow.name, StripeTaxCodeRow.description)
        query = query.where(or_(*(func.lower(col(one)).contains(word, autoescape=True) for one in columns)))
    return tuple(TaxCode(row.id, row.name, row.description) for row in await session.scalars(query))


async def _library_is_stale(desk: StripeDesk) -> bool:
    async with desk.database.read() as session:
        fetched_at = await session.scalar(select(func.max(col(StripeTaxCodeRow.fetched_at))))
    return fetched_at is None or desk.database.clock.now() - fetched_at > LIBRARY_LIVES


async def _fetch_library(desk: StripeDesk, app_id: str) -> None:
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        codes = await gateway.tax_codes()
    async with desk.database.transaction(STRIPE) as work:
        await lock_until_commit(work.session, "the library of tax codes")
        await work.session.execute(delete(StripeTaxCodeRow))
        work.session.add_all(
            StripeTaxCodeRow(id=code["id"], name=code["name"], description=code["description"], fetched_at=work.now)
            for code in codes
        )


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    pending = (answer.get("status_details") or {}).get("pending") or {}
    defaults = answer.get("defaults") or {}
    return {
        "status": answer["status"],
        "missing_fields": pending.get("missing_fields") or [],
        "default_tax_code": defaults.get("tax_code"),
        "default_tax_behavior": defaults.get("tax_behavior"),
        "provider": defaults.get("provider"),
    }


def _view(row: StripeAppRow) -> TaxSettings:
    kept = row.tax_settings or {}
    assert row.tax_settings_at is not None
    return TaxSettings(
        status=kept["status"],
        missing_fields=tuple(kept["missing_fields"]),
        default_tax_code=kept["default_tax_code"],
        default_tax_behavior=kept["default_tax_behavior"],
        provider=kept["provider"],
        checked_at=row.tax_settings_at,
    )
