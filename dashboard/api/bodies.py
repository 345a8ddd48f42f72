"""Reading request bodies with a limit, before anything is parsed."""

from fastapi import Request

from dashboard.kit.errors import TooLarge


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


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body is larger than {bytes_max // 1024} KiB.", remedy="Send less at once.")
