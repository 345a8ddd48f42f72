"""A browser for the tests, whatever the machine has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAUNCH_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = """No browser for the tests. Tried, in this order: {names} on PATH; Playwright's own download;
`apt-get install chromium` as root. Install Chromium or Chrome, or run
`uv run playwright install chromium`, and try again."""


def find_chromium() -> str | None:
    """The program to start; None means Playwright's own. Installs one when there is none. Raises RuntimeError."""
    on_path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if on_path is not None:
        return on_path
    if _playwright_has_one() or _run([sys.executable, "-m", "playwright", "install", "chromium"]):
        return None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update"])
        if _run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]):
            return shutil.which("chromium")
    raise RuntimeError(MISSING.format(names=", ".join(NAMES)))


def _playwright_has_one() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def _run(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=600).returncode == 0
