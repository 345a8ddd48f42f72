import itertools
import re
import tomllib

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = PROJECT["tool"]["uv"]["constraint-dependencies"] + PROJECT["tool"]["uv"]["build-constraint-dependencies"]


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_everything_the_project_asks_for_by_name_is_pinned_to_one_version():
    asked = [
        *PROJECT["project"]["dependencies"],
        *itertools.chain(*PROJECT["project"]["optional-dependencies"].values()),
        *itertools.chain(*PROJECT["dependency-groups"].values()),
        *PROJECT["build-system"]["requires"],
    ]
    pinned = {name_of(pin) for pin in PINS}
    assert {name_of(requirement) for requirement in asked} - pinned == set()
    assert [pin for pin in PINS if "==" not in pin] == []


def test_no_pin_names_a_host():
    assert [pin for pin in PINS if "://" in pin or "@" in pin] == []


def test_the_lock_file_with_its_hosts_is_not_committed():
    assert "uv.lock" in (ROOT / ".gitignore").read_text().split()
