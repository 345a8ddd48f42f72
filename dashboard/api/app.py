"""The REST application: our routers, health, metrics, and JSON answers for paths nobody serves."""

import contextlib

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Match

from dashboard.api import checkout_return, docs_page
from dashboard.api.auth import refuse_open_routes
from dashboard.api.gate import ApiGate
from dashboard.api.problems import install_problem_handlers
from dashboard.api.v1 import routes as v1
from dashboard.api.v3 import routes as v3
from dashboard.backend import running
from dashboard.billing.queries import stuck_invoices
from dashboard.stripe_app.health_figures import refresh_health_figures

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
OPEN_PATHS = frozenset(
    {
        "/health",
        "/metrics",
        "/checkout/complete",
        "/api/openapi.json",
        "/api/docs",
        # Stripe has no key of ours; its signature is checked instead.
        "/api/v1/apps/{app_id}/stripe/webhook",
        "/api/{rest:path}",
        "/v3/{rest:path}",
        # Forms of the sign-in pages, which say who they are by other means.
        "/auth/login",
        "/auth/setup",
        "/auth/password",
        "/auth/logout",
    }
)


STUCK = Gauge("meterdesk_invoices_stuck", "Invoices that have not gone on for longer than they should (at most 50).")


def create_api() -> FastAPI:
    """The REST application. It takes its backend from the process it runs in, so build it at import."""
    api = FastAPI(
        title="Meterdesk",
        summary="The operator's desk for usage billing on Stripe; speaks OpenMeter's v1 and v3.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    install_problem_handlers(api)
    api.add_middleware(ApiGate)
    api.add_api_route("/health", health, methods=["GET"], include_in_schema=False)
    api.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
    # Routers are asked one after the other, each nesting twice: so they stand here side by side.
    for router in v1.ROUTERS:
        api.include_router(router)
    for router in v3.ROUTERS:
        api.include_router(router, prefix="/v3/openmeter")
    for router in v3.ROUTERS:
        api.include_router(router, prefix="/api/v3/openmeter", include_in_schema=False)
    api.include_router(checkout_return.router)
    api.include_router(docs_page.router)
    return api


def close_api(api: FastAPI) -> FastAPI:
    """Adds the last routes: unknown addresses under the API's prefixes answer in JSON, not with a page.

    Raises RuntimeError when an operation names no role and is not one of `OPEN_PATHS`.
    """
    for prefix in ("/api", "/v3"):
        api.add_api_route(prefix + "/{rest:path}", unknown_path, methods=METHODS, include_in_schema=False)
    refuse_open_routes(api.routes, OPEN_PATHS)
    return api


async def unknown_path(request: Request) -> Response:
    """Refuses an address that no operation has, or that has it for other methods only."""
    allowed = _methods_of(request)
    if allowed:
        detail = f"{request.url.path} takes {', '.join(allowed)}, not {request.method}."
        raise HTTPException(405, detail, headers={"Allow": ", ".join(allowed)})
    raise HTTPException(404, f"There is no operation {request.method} {request.url.path}.")


async def health() -> JSONResponse:
    """Alive, and what is wrong: 200 while the database answers, 503 with the reason when it does not."""
    backend = running()
    try:
        async with backend.database.read() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        return JSONResponse({"status": "down", "problems": [f"database: {type(error).__name__}"]}, status_code=503)
    return JSONResponse({"status": "ok", "problems": []})


async def metrics() -> Response:
    """Prometheus figures of this process, and how every Stripe account stands now."""
    backend = running()
    # Without its database a process can still tell what it counted.
    with contextlib.suppress(SQLAlchemyError, OSError):
        async with backend.database.read() as session:
            await refresh_health_figures(session, backend.stripe.public_url)
            STUCK.set(len(await stuck_invoices(session, backend.clock.now())))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _methods_of(request: Request) -> list[str]:
    """The methods that some operation takes under the address of `request`."""
    found: list[str] = []
    for method in METHODS:
        scope = {**request.scope, "method": method}
        for route in request.app.routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                if getattr(route, "endpoint", None) is not unknown_path:
                    found.append(method)
                break
    return found
