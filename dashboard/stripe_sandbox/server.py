"""Runs the sandbox on a port: one process, one event loop."""

import asyncio
import logging
import socket
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
    """The same inside a running event loop. `public_url` is what the hosted pages' links begin with.

    Raises OSError when the port is taken.
    """
    _refuse_taken_port(host, port)
    app = create_app(data_dir, public_url or f"http://{host}:{port}")
    server = Server(app, host, port, interface=Interfaces.ASGI, log_level=LogLevels.error, websockets=False)
    try:
        await server.serve()
    finally:
        await app.sandbox.stop()


def _refuse_taken_port(host: str, port: int) -> None:
    """The server shares its port with whoever asks; two sandboxes behind one address would take turns answering."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"port {port} of {host} is taken: is another sandbox running there?") from None
