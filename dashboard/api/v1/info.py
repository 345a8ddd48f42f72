"""v1: the currencies there are."""

from fastapi import APIRouter, Response

from dashboard.api.auth import Viewer
from dashboard.api.shapes import reply
from dashboard.kit.currencies import currency, known_currencies

router = APIRouter(prefix="/api/v1/info", tags=["Info"])


@router.get("/currencies")
async def list_currencies(_: Viewer) -> Response:
    """Every currency, with its decimals. We keep no names; the code stands for one."""
    found = [currency(code) for code in known_currencies()]
    return reply(
        [{"code": c.code, "name": c.code, "symbol": c.symbol or c.code, "subunits": c.decimals} for c in found]
    )
