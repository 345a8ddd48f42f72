"""What every test may ask for: a clock, the folder of shared material, and what the plugins named here have."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from dashboard.access import passwords
from dashboard.kit.clock import FixedClock
from dashboard.settings import Settings

pytest_plugins = ["tests.servers", "tests.databases"]

ROOT = Path(__file__).parent.parent

# Whoever runs the tests may have an installation of their own: the tests never touch it.
for setting in Settings.model_fields:
    os.environ.pop(f"METERDESK_{setting.upper()}", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a browser last: Playwright leaves an event loop running, in which no asynchronous test can start.

    Processes take file after file in this order.
    """
    with_browser = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in with_browser or "e2e" in item.path.parts)


@pytest.fixture(autouse=True)
def cheap_password_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes cost next to nothing here. (What they cost in earnest is a promise of `test_access_rules`.)"""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=256, parallelism=1))


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at noon of a Thursday until the test moves it."""
    return FixedClock(datetime(2026, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of contracts, vectors and references beside the checkout (METERDESK_SHARED)."""
    folder = Path(os.environ.get("METERDESK_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared material: there is no {folder} (METERDESK_SHARED names another place)")
    return folder
