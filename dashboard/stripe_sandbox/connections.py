"""Breaks the connection of one request, as a failing network would: no answer, not even a status line.

An ASGI server has no way to say that, so the socket is found by the caller's address among this process's own.
"""

import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

DESCRIPTORS = "/dev/fd"
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def cut_connection(scope: dict[str, Any], send: Send) -> None:
    """Shut the request's socket down; where sockets cannot be listed, announce an answer and end in its middle."""
    client = scope.get("client")
    if client and _shut_down((client[0], int(client[1]))):
        return
    headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _shut_down(peer: tuple[str, int]) -> bool:
    try:
        names = os.listdir(DESCRIPTORS)
    except OSError:
        return False
    return any(_shut_down_if_talking_to(int(name), peer) for name in names)


def _shut_down_if_talking_to(descriptor: int, peer: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError):
        copy = os.dup(descriptor)
        try:
            candidate = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            return False
        with candidate:
            if candidate.getpeername()[:2] == peer:
                candidate.shutdown(socket.SHUT_RDWR)
                return True
    return False
