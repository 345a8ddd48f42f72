"""The web program without screens (`meterdesk up --no-ui`): the REST API, and the worker if it shall work here."""

from fastapi import FastAPI

from dashboard.api.app import close_api, create_api
from dashboard.worker import serving


def create() -> FastAPI:
    """The application, for the server to call in the process that serves."""
    api = close_api(create_api())
    api.router.lifespan_context = lambda _: serving()
    return api
