"""The web program without screens (`meterdesk up --no-ui`): the REST API, and the worker if it shall work here."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dashboard.api.app import close_api, create_api
from dashboard.backend import open_backend
from dashboard.settings import Settings
from dashboard.worker import embedded, working


def create() -> FastAPI:
    """The application, for the server to call in the process that serves."""
    api = close_api(create_api())
    api.router.lifespan_context = _serving
    return api


@asynccontextmanager
async def _serving(_api: FastAPI) -> AsyncIterator[None]:
    async with open_backend(Settings()) as backend, working(backend) if embedded() else contextlib.nullcontext():
        yield
