"""Runs the sandbox on a port: one process, one event loop."""

import asyncio
import logging
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from dashboard.stripe_sandbox.app import create_app

logger = logging.getLogger(__name__)


def serve(host: str = "127.0.0.1", port: int = 12111, data_dir: Path | str = ".meterdesk") -> None:
    """Serve the sandbox until interrupted. State is kept in `stripe_sandbox.sqlite3` in the data directory."""
    try:
        asyncio.run(run(host, port, Path(data_dir)))
    except KeyboardInterrupt:
        logger.info("sandbox stopped")


async def run(host: str, port: int, data_dir: Path, public_url: str | None = None) -> None:
    """The same inside a running event loop. `public_url` is what the hosted pages' links begin with."""
    app = create_app(data_dir, public_url or f"http://{host}:{port}")
    server = Server(app, host, port, interface=Interfaces.ASGI, log_level=LogLevels.error, websockets=False)
    try:
        await server.serve()
    finally:
        await app.sandbox.stop()
