"""What the documents claim, a test knows."""

import re
from pathlib import Path

from dashboard.cli import COMMANDS
from dashboard.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ROOMS = (
    "access",
    "customers",
    "usage",
    "catalog",
    "subscriptions",
    "billing",
    "stripe_app",
    "stripe_sandbox",
    "api",
    "ui",
)


def test_the_map_shows_every_room_and_no_other():
    shown = re.findall(r"^  (\w+)/ ", (ROOT / "docs" / "map.md").read_text(), flags=re.MULTILINE)
    there = {path.parent.name for path in (ROOT / "dashboard").glob("*/__init__.py")} - {"starting"}
    assert set(shown) == there


def test_every_room_says_what_it_owns():
    without = [room for room in ROOMS if not (ROOT / "dashboard" / room / "README.md").is_file()]
    assert without == []


def test_the_readme_names_every_command():
    assert [name for name in COMMANDS if name != "up" and f"`{name}" not in README and f"{name}`" not in README] == []


def test_every_variable_the_readme_names_is_read():
    named = set(re.findall(r"`METERDESK_(\w+)`", README))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_what_the_readme_links_to_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []
