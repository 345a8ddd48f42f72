"""Password hashes: argon2id, off the event loop, and never more than two at a time."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# One hash fills 64 MiB (RFC 9106, second recommendation): a crowd at the door has to queue, not to exhaust the machine.
_HASHES_AT_ONCE = 2

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(_HASHES_AT_ONCE, thread_name_prefix="argon2")
_nobodys_hash: list[str] = []


async def hash_password(password: str) -> str:
    """The text to store for `password`; it carries its own salt and costs."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether `password` made `password_hash`. No hash takes as long as a wrong password, and is always false."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _matches, password_hash, password)


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with lower costs than today's, and should be made anew."""
    return _hasher.check_needs_rehash(password_hash)


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _hash_of_nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def _hash_of_nobody() -> str:
    if not _nobodys_hash:
        _nobodys_hash.append(_hasher.hash(secrets.token_urlsafe(32)))
    return _nobodys_hash[0]
