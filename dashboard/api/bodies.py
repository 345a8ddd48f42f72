"""Reading request bodies with a limit, and refusing what no JSON document of ours can hold."""

import json
import math
import re
from typing import Any

from fastapi import Request
from starlette.types import Message, Receive

from dashboard.kit.errors import InvalidInput, TooLarge

JSON_BODY_BYTES_MAX = 1024 * 1024
# What our databases cannot store (U+0000, halves of surrogate pairs), numbers that JSON does not have, and numbers so
# large that they would be read as infinite.
_SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|NaN|Infinity|\d[eE]\+?\d{3}|\d{309}")


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The raw body. Raises TooLarge as soon as it is known to be larger than `bytes_max`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body`, then goes on with the real one."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


def check_json(body: bytes) -> None:
    """Raises InvalidInput for letters that cannot be stored, NaN, Infinity and what is read as such. Other mistakes are
    found later."""
    if not _SUSPICIOUS.search(body):
        return
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return
    _refuse_unstorable(document)


def _refuse_constant(text: str) -> None:
    raise InvalidInput(f"{text} is not a number in JSON.")


def _refuse_unstorable(document: Any) -> None:
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, float) and math.isinf(one):
            raise InvalidInput("A number is too large.")
        elif isinstance(one, str) and any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in one):
            raise InvalidInput("A text holds a null character or half of a surrogate pair.")


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body is larger than {bytes_max // 1024} KiB.", remedy="Send less at once.")
