"""Wrong passwords take longer and longer, counted per email and per address, in the database.

An attempt is counted as failed before it is checked and forgiven after it succeeded, so many guesses at the same moment
win nothing. Refused attempts do not count: waiting is enough, whatever somebody else keeps trying.
"""

import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.access.errors import SignInSlowedDown
from dashboard.access.tables import SignInTriesRow
from dashboard.kit.crypto import fingerprint
from dashboard.kit.database import Work

EMAIL_TRIES_FREE = 5
ADDRESS_TRIES_FREE = 30
WAIT_FIRST = timedelta(seconds=5)
WAIT_LONGEST = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(hours=1)


async def count_attempt(work: Work, email: str, address: str) -> None:
    """Counts one attempt for `email` from `address`. Raises SignInSlowedDown while either still has to wait."""
    await work.session.execute(delete(SignInTriesRow).where(col(SignInTriesRow.last_at) < work.now - FORGOTTEN_AFTER))
    await _count(work, _email_key(email), EMAIL_TRIES_FREE)
    await _count(work, _address_key(address), ADDRESS_TRIES_FREE)


async def forgive_attempt(work: Work, email: str, address: str) -> None:
    """Takes the count of a successful attempt back: all of the email's, and this one of the address's.

    (Whoever has one account must not be able to wipe the slate for guesses at others.)
    """
    await forgive_email(work, email)
    row = await _locked_row(work.session, _address_key(address))
    if row is not None:
        row.failures = max(0, row.failures - 1)
        row.next_at = row.last_at + wait_after(row.failures, ADDRESS_TRIES_FREE)


async def forgive_email(work: Work, email: str) -> None:
    """Wipes the slate of an email whose owner has just got a new password."""
    await work.session.execute(delete(SignInTriesRow).where(col(SignInTriesRow.who) == _email_key(email)))


def wait_after(failures: int, tries_free: int) -> timedelta:
    """How long to wait after so many failures in a row: not at first, then twice as long each time, up to a limit."""
    over = failures - tries_free
    if over < 0:
        return timedelta()
    return min(WAIT_LONGEST, WAIT_FIRST * 2 ** min(over, 16))


async def _count(work: Work, who: str, tries_free: int) -> None:
    await _insert_if_missing(work.session, who, work.now)
    row = await _locked_row(work.session, who)
    assert row is not None
    if work.now < row.next_at:
        seconds = (row.next_at - work.now).total_seconds()
        raise SignInSlowedDown(
            "Too many wrong passwords.", retry_after_seconds=seconds, remedy=f"Try again in {_duration_text(seconds)}."
        )
    row.failures += 1
    row.last_at = work.now
    row.next_at = work.now + wait_after(row.failures, tries_free)


async def _locked_row(session: AsyncSession, who: str) -> SignInTriesRow | None:
    return await session.scalar(select(SignInTriesRow).where(col(SignInTriesRow.who) == who).with_for_update())


async def _insert_if_missing(session: AsyncSession, who: str, now: datetime) -> None:
    # Two first attempts at the same moment: one row, and the second waits for the first one's lock.
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {"who": who, "failures": 0, "last_at": now, "next_at": now}
    await session.execute(dialect.insert(SignInTriesRow).values(row).on_conflict_do_nothing())


def _email_key(email: str) -> str:
    # People type passwords into the wrong field: what was typed is not kept.
    return fingerprint(f"email:{email}")


def _address_key(address: str) -> str:
    return fingerprint(f"address:{network_of(address)}")


def network_of(address: str) -> str:
    """Whom an address stands for: itself in IPv4, its /64 in IPv6 (one customer of a provider owns all of that)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _duration_text(seconds: float) -> str:
    whole = max(1, -int(-seconds // 1))
    if whole < 90:
        return f"{whole} second{'' if whole == 1 else 's'}"
    return f"{-(-whole // 60)} minutes"
