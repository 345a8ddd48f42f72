"""Stripe products that carry tax codes onto invoice lines: made once, found again by an id of our making."""

from typing import Any

from sqlalchemy import delete, select
from sqlmodel import col

from dashboard.kit.database import SYSTEM, Work
from dashboard.stripe_app.calls import Intent, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.draft_lines import TaxTreatment
from dashboard.stripe_app.errors import StripeInvalidRequest, StripeObjectMissing
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.tables import StripeProductRow

METADATA_PRODUCT = "meterdesk_product"


async def ensure_products(
    desk: StripeDesk, gateway: Gateway, app_id: str, wanted: dict[str, TaxTreatment]
) -> dict[str, str]:
    """Stripe's product id for every wanted key; asks Stripe only for those never seen before."""
    if not wanted:
        return {}
    async with desk.database.read() as session:
        rows = await session.scalars(
            select(StripeProductRow).where(
                col(StripeProductRow.app_id) == app_id, col(StripeProductRow.key).in_(list(wanted))
            )
        )
        known = {row.key: row.product_id for row in rows}
    for key, treatment in wanted.items():
        if key not in known:
            known[key] = await _make(desk, gateway, app_id, key, treatment)
    return known


async def forget_products(desk: StripeDesk, app_id: str, keys: list[str]) -> None:
    """Drops what we remember of these products, so that the next need looks at Stripe again."""
    async with desk.database.transaction(SYSTEM) as work:
        await work.session.execute(
            delete(StripeProductRow).where(col(StripeProductRow.app_id) == app_id, col(StripeProductRow.key).in_(keys))
        )


async def _make(desk: StripeDesk, gateway: Gateway, app_id: str, key: str, treatment: TaxTreatment) -> str:
    product_id = f"meterdesk_{key}"

    async def look() -> dict[str, Any] | None:
        try:
            found = await gateway.product(product_id)
        except StripeObjectMissing:
            return None
        if found.get("deleted"):
            return None
        return found if found["active"] else await gateway.update_product(product_id, {"active": True})

    async def call(idempotency_key: str) -> dict[str, Any]:
        params = {
            "id": product_id,
            "name": treatment.product_name,
            "tax_code": treatment.tax_code,
            "metadata": {METADATA_PRODUCT: key},
        }
        try:
            return await gateway.create_product(params, idempotency_key)
        except StripeInvalidRequest as refusal:
            # An earlier install of this account made it: it is the same product.
            found = await look() if refusal.stripe_code == "resource_already_exists" else None
            if found is None:
                raise
            return found

    async def record(work: Work, made: dict[str, Any]) -> None:
        if await work.session.get(StripeProductRow, (app_id, key)) is None:
            work.session.add(
                StripeProductRow(
                    app_id=app_id,
                    key=key,
                    product_id=made["id"],
                    name=treatment.product_name,
                    tax_code=treatment.tax_code,
                    created_at=work.now,
                )
            )

    made = await once(desk.database, Intent(app_id, key, "product-create", app_id), look=look, call=call, record=record)
    return made["id"]
