"""The app: pages, REST API and lifespan joined. Reflex looks for this file; the server asks it for `app`."""

import contextlib
import logging
import uuid
from typing import Any

import reflex as rx
from fastapi import FastAPI
from reflex_base.event import EventSpec

from dashboard.api import session_routes
from dashboard.api.app import close_api, create_api
from dashboard.kit.errors import MeterdeskError
from dashboard.ui import components as ui
from dashboard.ui.guard import SessionGuard
from dashboard.ui.http import wrappers
from dashboard.ui.layout import in_frame, not_found
from dashboard.ui.log_filter import keep_sessions_out_of_logs
from dashboard.ui.routes import PAGES, PRODUCT, Page, load_pages
from dashboard.ui.serving import project_dir
from dashboard.worker import serving

logger = logging.getLogger(__name__)


def explain_failure(exception: Exception) -> EventSpec:
    """What a handler did not catch: a refusal says itself; of a mistake of ours the log gets all, people a number."""
    if isinstance(exception, MeterdeskError):
        return ui.toast_error(exception)
    number = uuid.uuid4().hex[:8]
    logger.error("failure %s in a handler", number, exc_info=exception)
    return rx.toast.error(
        "Something went wrong on our side.",
        description=f"Nothing more is known here; the server's log has it under {number}.",
        duration=600_000,
        close_button=True,
    )


def add_pages(app: rx.App) -> None:
    """Puts every page of the table into the app, in its frame, and one for addresses that are none."""
    load_pages()
    app.add_page(not_found, route="404", title=f"Not found · {PRODUCT}")
    for page in PAGES.values():
        app.add_page(
            in_frame(page),
            route=page.route,
            title=_window_title(page),
            on_load=list(page.on_load),
        )


def create_app() -> rx.App:
    """The Reflex app, with the REST API before it and the guard around both."""
    keep_sessions_out_of_logs()
    # Reflex finds its configuration by the working directory; data paths of the operator's depend on it too.
    with contextlib.chdir(project_dir()):
        rx.config.get_config()
    app = rx.App(
        stylesheets=["/theme.css"],
        html_lang="en",
        head_components=[
            rx.el.link(rel="icon", type="image/svg+xml", href="/favicon.svg"),
            rx.el.script(src="/shell.js", defer=True),
            rx.el.meta(name="robots", content="noindex"),
        ],
        api_transformer=[_api(), *wrappers()],
        backend_exception_handler=explain_failure,
    )
    app.add_middleware(SessionGuard(), index=0)
    app.register_lifespan_task(serving)
    add_pages(app)
    # Engine.IO reads None as "the page's own origin only", and an empty list as "everybody".
    assert app.sio is not None
    app.sio.eio.cors_allowed_origins = None
    return app


def _api() -> FastAPI:
    api = create_api()
    api.include_router(session_routes.router)
    return close_api(api)


def _window_title(page: Page) -> Any:
    if page.name is None:
        return f"{page.title} · {PRODUCT}"
    return rx.cond(page.name, page.name, page.title) + f" · {PRODUCT}"  # pyright: ignore[reportOperatorIssue]


app = create_app()
