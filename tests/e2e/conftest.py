"""One real server for all browser tests, a signed-in browser, pictures and axe."""

import os
import re
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import LAUNCH_ARGUMENTS, find_chromium
from playwright.sync_api import Browser, BrowserContext, Page, expect

START_SECONDS = 240
# A busy machine is no mistake of a page: what has to come may take its time, the tests' own limit ends them.
expect.set_options(timeout=20_000)
METERDESK = str(Path(sysconfig.get_path("scripts")) / "meterdesk")
OWNER = {"name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse battery"}
ANIMATIONS_OVER = """() => Promise.all(document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().iterations !== Infinity)
  .map((one) => one.finished.catch(() => {})))"""
PICTURES = Path(__file__).parents[2] / "test-results" / "screens"

Picture = Callable[[Page, str], None]
Accessible = Callable[[Page], None]


@dataclass(frozen=True, slots=True)
class Server:
    """A running Meterdesk, and the Stripe sandbox beside it."""

    url: str
    sandbox_url: str
    data_dir: Path
    log: Path


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    program = find_chromium()
    arguments = {**browser_type_launch_args, "args": LAUNCH_ARGUMENTS}
    return arguments if program is None else {**arguments, "executable_path": program}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`meterdesk up` as people start it: free ports, an empty data directory, screens built if they changed."""
    yield from running_server(tmp_path_factory.mktemp("meterdesk"))


def running_server(data_dir: Path, *command: str, **environment: str) -> Iterator[Server]:
    """Meterdesk for the length of a fixture. `command` stands in for `meterdesk up`; it gets `--port N` too."""
    port, sandbox_url = free_port(), f"http://127.0.0.1:{free_port()}"
    found = Server(f"http://127.0.0.1:{port}", sandbox_url, data_dir, data_dir / f"server-{port}.log")
    own = {"METERDESK_DATA_DIR": str(data_dir), "METERDESK_SANDBOX_URL": sandbox_url}
    with found.log.open("w") as output:
        process = subprocess.Popen(
            [*(command or (METERDESK, "up")), "--port", str(port)],
            env={**os.environ, **own, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(found, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def owner_cookies(server: Server) -> dict[str, str]:
    """The owner's session, made once through the same form that people use."""
    again = {**OWNER, "password_again": OWNER["password"]}
    answer = httpx.post(f"{server.url}/auth/setup", data=again, headers={"origin": server.url})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/", answer.headers["location"]
    return dict(answer.cookies)


@pytest.fixture
def signed_in(browser: Browser, server: Server, owner_cookies: dict[str, str]) -> Iterator[BrowserContext]:
    """A browser in which the owner is signed in."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in owner_cookies.items()])
    yield context
    context.close()


@pytest.fixture
def desk(signed_in: BrowserContext) -> Page:
    """A page of the signed-in browser: `desk.goto("/customers")`."""
    return signed_in.new_page()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Saves what the page shows under test-results/screens, for eyes."""

    def take(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}.png", full_page=True)

    return take


@pytest.fixture
def accessible() -> Accessible:
    """Fails with the list of findings unless axe finds nothing wrong with the page as it is now."""

    def check(page: Page) -> None:
        told: list[str] = []
        # A message that fades away just then is too pale for a moment; what is wrong stays wrong.
        for _ in range(3):
            page.evaluate(ANIMATIONS_OVER)
            findings = Axe().run(page).response["violations"]
            told = [f"{one['id']}: {node['html'][:200]}" for one in findings for node in one["nodes"]]
            if not told:
                return
        raise AssertionError("\n".join(told))

    return check


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{server.url}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the server did not come up:\n{server.log.read_text()[-4000:]}")
