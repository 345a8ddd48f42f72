"""A Meterdesk beside a Stripe sandbox of its own, today or later, and what the tests of the settings do in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from conftest import OWNER, Server, free_port, running_server
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.contract.sandbox_support import start

SIZE: ViewportSize = {"width": 1280, "height": 900}
STRIPE = "/settings/stripe"


@dataclass(frozen=True, slots=True)
class House:
    """The server, its sandbox, and the owner's session."""

    server: Server
    sandbox_url: str
    cookies: dict[str, str]

    def sign_in(self, browser: Browser) -> BrowserContext:
        """A browser of the owner's."""
        context = browser.new_context(base_url=self.server.url, viewport=SIZE)
        context.add_cookies(
            [{"name": one, "value": value, "url": self.server.url} for one, value in self.cookies.items()]
        )
        return context

    def sandbox(self, method: str, path: str, /, **body: Any) -> None:
        """An order to the sandbox, such as a fault."""
        httpx.request(method, f"{self.sandbox_url}/_sandbox{path}", json=body, timeout=30).raise_for_status()

    def endpoints(self, account: str) -> list[str]:
        """The addresses of the webhook endpoints that the account has in Stripe."""
        key = (f"sk_test_sandbox_{account}", "")
        answer = httpx.get(f"{self.sandbox_url}/v1/webhook_endpoints", auth=key, timeout=30).raise_for_status()
        return [endpoint["url"] for endpoint in answer.json()["data"]]


def open_house(data_dir: Path, *command: str, **environment: str) -> Iterator[House]:
    """Starts both for the length of a fixture. Any key but the sandbox's own is refused there, as Stripe would.

    `command` stands in for `meterdesk up`.
    """
    sandbox_url = f"http://127.0.0.1:{free_port()}"
    stripe = {"METERDESK_SANDBOX_URL": sandbox_url, "METERDESK_STRIPE_API_BASE": sandbox_url}
    for server in running_server(data_dir, *command, **stripe, **environment):
        again = {**OWNER, "password_again": OWNER["password"]}
        answer = httpx.post(f"{server.url}/auth/setup", data=again, headers={"origin": server.url}, timeout=30)
        yield House(server, sandbox_url, dict(answer.cookies))


today = contextmanager(open_house)


@contextmanager
def later(data_dir: Path, by: timedelta, *command: str, **environment: str) -> Iterator[House]:
    """The same Meterdesk and sandbox, started again with both their clocks ahead; the owner signs in anew."""
    _move_the_sandbox(data_dir, by)
    sandbox_url = f"http://127.0.0.1:{free_port()}"
    stripe = {"METERDESK_SANDBOX_URL": sandbox_url, "METERDESK_STRIPE_API_BASE": sandbox_url}
    clock = {"METERDESK_CLOCK": f"offset:PT{by.total_seconds():.0f}S"}
    for server in running_server(data_dir, *command, **stripe, **clock, **environment):
        answer = httpx.post(f"{server.url}/auth/login", data=OWNER, headers={"origin": server.url}, timeout=30)
        yield House(server, sandbox_url, dict(answer.cookies))


def _move_the_sandbox(data_dir: Path, by: timedelta) -> None:
    """Sets the sandbox's clock while nobody else runs: what a worker did there a month too early would be forgotten by
    Stripe, which keeps its events for thirty days, before anybody had asked."""
    sandbox = start(data_dir)
    try:
        httpx.post(f"{sandbox.url}/_sandbox/clock", json={"now": (datetime.now(UTC) + by).isoformat()}, timeout=30)
    finally:
        sandbox.stop()


def settle(page: Page) -> None:
    """Waits until no colour or place is in motion: a transition that is cut off would end the check for axe."""
    page.wait_for_function(
        "() => document.getAnimations().every((one) => one.effect.getComputedTiming().iterations === Infinity)"
    )


def type_key(page: Page, key: str) -> None:
    """Opens the wizard's first step and types a key."""
    page.goto(f"{STRIPE}?step=key")
    page.get_by_label("Stripe API Key").fill(key)


def install(page: Page, account: str) -> str:
    """Installs a sandbox account by the wizard; answers the app's id."""
    type_key(page, f"sk_test_sandbox_{account}")
    page.get_by_role("button", name="Install Stripe app").click()
    expect(page.get_by_role("button", name="Auto Collection")).to_be_visible()
    found = re.search(r"app=(\w+)", page.url)
    assert found is not None
    return found[1]


def create_profile(page: Page, app_id: str, method: str = "charge_automatically") -> str:
    """Creates a billing profile by the wizard and leaves the default as it is; answers the profile's name."""
    page.goto(f"{STRIPE}?app={app_id}&step=profile&method={method}")
    name = page.get_by_label("Profile name").input_value()
    page.get_by_role("button", name="Create Billing Profile").click()
    page.get_by_label("Set this as the new default billing profile").uncheck()
    page.get_by_role("button", name="Keep Current Default Profile").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stripe is connected")
    return name
