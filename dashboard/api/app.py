"""The REST application: our routers, health, metrics, and JSON answers for paths nobody serves."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from dashboard.api.problems import install_problem_handlers
from dashboard.backend import running


def create_api() -> FastAPI:
    """The REST application. It takes its backend from the process it runs in, so build it at import."""
    api = FastAPI(
        title="Meterdesk",
        summary="The operator's desk for usage billing on Stripe; speaks OpenMeter's v1 and v3.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    install_problem_handlers(api)
    api.add_api_route("/health", health, methods=["GET"], include_in_schema=False)
    api.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
    return api


def close_api(api: FastAPI) -> FastAPI:
    """Adds the last routes: unknown addresses under the API's prefixes answer in JSON, not with a page."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    for prefix in ("/api", "/v3"):
        api.add_api_route(prefix + "/{rest:path}", unknown_path, methods=methods, include_in_schema=False)
    return api


async def unknown_path(request: Request) -> Response:
    """Refuses an address that no operation has."""
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
    """Prometheus figures of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
