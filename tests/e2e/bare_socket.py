"""A tab without a browser: speaks to the event socket as an attacker would, with any cookie, token and origin."""

import json
import uuid
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from simple_websocket import Client

NAMESPACE = "/_event"


class BareTab:
    """One connection to the event socket. Raises `simple_websocket.ConnectionError` when the door stays shut."""

    def __init__(
        self,
        server_url: str,
        *,
        cookies: dict[str, str] | None = None,
        token: str | None = None,
        origin: str | None = None,
    ) -> None:
        self.token = token or str(uuid.uuid4())
        query = urlencode({"token": self.token, "EIO": "4", "transport": "websocket"})
        headers = {}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if origin:
            headers["Origin"] = origin
        self._socket = Client(f"{server_url.replace('http', 'ws', 1)}{NAMESPACE}/?{query}", headers=headers)
        # The greeting may come together with the handshake, where this client overlooks it: do not wait for it.
        self._socket.send(f"40{NAMESPACE},")
        while not (self._receive() or "40").startswith("40"):
            pass

    def __enter__(self) -> "BareTab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fire(self, event: str, payload: dict[str, Any] | None = None, path: str = "/") -> None:
        """Sends an event, as if from the page at `path`."""
        data = {"name": event, "payload": payload or {}, "router_data": {"pathname": path, "asPath": path, "query": {}}}
        self._socket.send(f"42{NAMESPACE},{json.dumps(['event', data])}")

    def answers(self, first_seconds: float = 20, quiet_seconds: float = 0.5) -> list[dict[str, Any]]:
        """Everything the server sends until it has been quiet for so long; the first answer may take longer."""
        found = []
        while (text := self._receive(quiet_seconds if found else first_seconds)) is not None:
            if text.startswith(f"42{NAMESPACE},"):
                name, update = json.loads(text.removeprefix(f"42{NAMESPACE},"))
                if name == "event":
                    found.append(json.loads(update) if isinstance(update, str) else update)
        return found

    def answer(self, seconds: float = 10) -> dict[str, Any]:
        """The next update the server sends."""
        while (text := self._receive(seconds)) is not None:
            if text.startswith(f"42{NAMESPACE},"):
                name, update = json.loads(text.removeprefix(f"42{NAMESPACE},"))
                if name == "event":
                    return json.loads(update) if isinstance(update, str) else update
        raise TimeoutError(f"no answer within {seconds} s")

    def _receive(self, timeout: float = 10) -> str | None:
        while (text := self._socket.receive(timeout=timeout)) is not None:
            if text == "2":
                self._socket.send("3")
                continue
            return str(text)
        return None
