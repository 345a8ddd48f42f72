"""Looks at an installation from outside and says, for each part, how it is and what to do about it."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import create_engine

from dashboard.kit.crypto import KEY_FILE, SecretBox, SecretKeyMismatch
from dashboard.kit.database import sync_url
from dashboard.kit.errors import MeterdeskError
from dashboard.settings import Settings
from dashboard.starting.checks import prepare_data_dir
from dashboard.starting.migrations import check_migrated, current_revision, database_url
from dashboard.stripe_app.keys import sealed_keys
from dashboard.usage.clickhouse import open_clickhouse

ANSWER_TIMEOUT_SECONDS = 5.0
STRIPE_API_BASE = "https://api.stripe.com"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is. `good` is None for something worth knowing that is neither right nor wrong."""

    subject: str
    good: bool | None
    sentence: str
    what_to_do: str = ""

    @property
    def mark(self) -> str:
        """Three characters for the beginning of the line."""
        return {True: "ok ", False: "!! ", None: "-- "}[self.good]


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding after the other, as they come in."""
    data_dir = _data_dir(settings)
    yield data_dir
    if data_dir.good:
        database = _database(settings)
        yield database
        yield _secret_key(settings, may_read=database.good is True)
    if settings.events_url is not None:
        yield _usage_events(settings.events_url)
    yield _public_url(settings)
    yield _stripe(settings)
    yield _sandbox(settings)


def _data_dir(settings: Settings) -> Finding:
    try:
        folder = prepare_data_dir(settings.data_dir)
    except MeterdeskError as error:
        return Finding("Data directory", False, error.message, error.what_to_do)
    return Finding("Data directory", True, f"{folder} can be written to.")


def _database(settings: Settings) -> Finding:
    try:
        url = database_url(settings)
        kind = "SQLite" if url.get_backend_name() == "sqlite" else "PostgreSQL"
        if current_revision(url) is None:
            return Finding("Database", None, f"{kind}, still empty.", "The first `meterdesk up` fills it.")
        check_migrated(url)
    except MeterdeskError as error:
        return Finding("Database", False, error.message, error.what_to_do)
    return Finding("Database", True, f"{kind} answers, and its schema is this version's.")


def _usage_events(address: str) -> Finding:
    try:
        asyncio.run(open_clickhouse(address).close())
    except MeterdeskError as error:
        return Finding("Usage events", False, error.message, error.what_to_do)
    return Finding("Usage events", True, "ClickHouse answers.")


def _secret_key(settings: Settings, *, may_read: bool) -> Finding:
    file = settings.data_dir / KEY_FILE
    if settings.secret_key is not None:
        key, place = settings.secret_key.get_secret_value(), "METERDESK_SECRET_KEY"
    elif file.exists():
        if file.stat().st_mode & 0o077:
            return Finding("Secret key", False, f"Others on this machine can read {file}.", f"Run `chmod 600 {file}`.")
        key, place = file.read_text().strip(), str(file)
    else:
        return Finding("Secret key", None, "There is none yet.", "The first `meterdesk up` makes one.")
    try:
        for sealed in _sealed_keys(settings) if may_read else ():
            SecretBox(key).open(sealed)
    except SecretKeyMismatch as error:
        return Finding("Secret key", False, f"{error.message} ({place})", error.what_to_do)
    return Finding("Secret key", True, f"{place} is there, and opens what is sealed.", "Keep a copy of it elsewhere.")


def _sealed_keys(settings: Settings) -> list[str]:
    engine = create_engine(sync_url(database_url(settings)))
    try:
        with engine.connect() as connection:
            return sealed_keys(connection)
    finally:
        engine.dispose()


def _public_url(settings: Settings) -> Finding:
    url = settings.public_url
    if url is None:
        polled = f"Not set: Stripe's events are fetched every {settings.events_poll_seconds:g} s instead of being sent."
        return Finding("Public URL", None, polled, "Set METERDESK_PUBLIC_URL once Stripe can reach this server.")
    problem = _problem_of(f"{url}/health", expected=(200,))
    if problem:
        remedy = "Start Meterdesk, and let your proxy pass this address on to it. (Your network may hide it from here.)"
        return Finding("Public URL", False, f"{url} {problem}.", remedy)
    return Finding("Public URL", True, f"{url} leads to this Meterdesk.")


def _stripe(settings: Settings) -> Finding:
    base = settings.stripe_api_base or STRIPE_API_BASE
    # Without a key Stripe answers 401, which is all we want to know.
    problem = _problem_of(f"{base}/v1/account", expected=(200, 401))
    if problem:
        remedy = "Let this machine reach that address, directly or by HTTPS_PROXY. The sandbox works without."
        return Finding("Stripe", False, f"{base} {problem}.", remedy)
    return Finding("Stripe", True, f"{base} answers.")


def _sandbox(settings: Settings) -> Finding:
    problem = _problem_of(settings.sandbox_url, expected=(200, 401, 404))
    if problem:
        remedy = "`meterdesk up` starts it, or `meterdesk sandbox` by itself. Real Stripe accounts do not need it."
        return Finding("Stripe sandbox", None, f"{settings.sandbox_url} {problem}.", remedy)
    return Finding("Stripe sandbox", True, f"{settings.sandbox_url} answers.")


def _problem_of(url: str, *, expected: tuple[int, ...]) -> str | None:
    """What hinders a GET of `url`, as the rest of a sentence; None when the answer is as expected."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ValueError) as error:
        return f"does not answer ({getattr(error, 'reason', error)})"
    return None if status in expected else f"answers with status {status}"
