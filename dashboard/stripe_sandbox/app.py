"""The ASGI application: the API under /v1, the control API, the hosted pages, and the console."""

from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from dashboard.stripe_sandbox import console, control, pages, resources
from dashboard.stripe_sandbox.api import Api, Receive, Send
from dashboard.stripe_sandbox.program import Sandbox


class SandboxApp:
    """One sandbox as an ASGI application; starts and stops with the server's lifespan."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._api = Api(sandbox)
        self._pages = Starlette(routes=[*control.routes(sandbox), *pages.routes(sandbox), *console.routes(sandbox)])

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"].startswith("/v1/"):
            await self._api(scope, receive, send)
        else:
            await self._pages(scope, receive, send)  # type: ignore[arg-type]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.sandbox.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(data_dir: Path, base_url: str) -> SandboxApp:
    """The application over the state in `data_dir`; `base_url` is where browsers reach it."""
    resources.load()
    return SandboxApp(Sandbox(data_dir, base_url))
