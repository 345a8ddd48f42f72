"""Pins every version this project is installed with, the transitive ones too, in pyproject.toml.

    uv run tools/pins.py            after a dependency was added: pin what is new, keep the rest
    uv run tools/pins.py --upgrade  let every version move to the newest that fits
    uv run tools/pins.py --check    fail when the pins are not what an installation would get

uv.lock names the registry it was made with, so it is not committed; these pins carry its versions without any host.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import Table

PROJECT = Path(__file__).parent.parent
PYPROJECT = PROJECT / "pyproject.toml"
INSTALLED = "constraint-dependencies"
BUILT_WITH = "build-constraint-dependencies"
PLAIN = ("--no-header", "--no-annotate")


def main() -> None:
    """Takes one of the three forms above from the command line."""
    parser = argparse.ArgumentParser(description="Pin every version in pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="fail when the pins are stale")
    parser.add_argument("--upgrade", action="store_true", help="move every version to the newest that fits")
    wanted = parser.parse_args()
    if wanted.upgrade:
        write_pins({INSTALLED: [], BUILT_WITH: []})
    pins = resolved(upgrade=wanted.upgrade)
    if wanted.check:
        sys.exit(_differences(pins))
    write_pins(pins)
    print(f"{len(pins[INSTALLED])} versions are pinned.")


def resolved(*, upgrade: bool) -> dict[str, list[str]]:
    """What an installation gets, as requirement lines: all that is installed, and all the package is built with."""
    _uv("lock", *(["--upgrade"] if upgrade else []))
    everything = ("--all-groups", "--all-extras", "--no-emit-project")
    installed = _uv("export", "--frozen", *everything, "--no-hashes", *PLAIN)
    builders = [str(line) for line in tomlkit.parse(PYPROJECT.read_text())["build-system"]["requires"]]  # pyright: ignore
    return {INSTALLED: _lines(installed), BUILT_WITH: _lines(_compile([*builders, *pins_of(BUILT_WITH)], *PLAIN))}


def pins_of(kind: str) -> list[str]:
    """The pins that pyproject.toml has now."""
    return [str(line) for line in _uv_table(tomlkit.parse(PYPROJECT.read_text())).get(kind, [])]


def write_pins(pins: dict[str, list[str]]) -> None:
    """Writes `pins` into pyproject.toml and leaves everything else there as it is."""
    document = tomlkit.parse(PYPROJECT.read_text())
    table = _uv_table(document)
    for kind, lines in pins.items():
        array = tomlkit.array()
        for line in lines:
            array.add_line(line)
        array.add_line(indent="")
        table[kind] = array
    PYPROJECT.write_text(tomlkit.dumps(document))


def _differences(pins: dict[str, list[str]]) -> int:
    stale = False
    for kind, lines in pins.items():
        written, needed = set(pins_of(kind)), set(lines)
        for line in sorted(written ^ needed):
            print(f"{kind}: {'missing' if line in needed else 'no longer needed'}: {line}")
            stale = True
    if stale:
        print("The pins are stale: run `uv run tools/pins.py` and commit pyproject.toml.")
    return 1 if stale else 0


def _uv_table(document: TOMLDocument) -> Table:
    tool = document.setdefault("tool", tomlkit.table(is_super_table=True))
    return tool.setdefault("uv", tomlkit.table())


def _compile(requirements: list[str], *options: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(requirements))
        file.flush()
        return _uv("pip", "compile", file.name, "--universal", "--python-version", "3.11", *options)


def _uv(*arguments: str) -> str:
    asked = subprocess.run(["uv", "--quiet", *arguments], cwd=PROJECT, capture_output=True, text=True)
    if asked.returncode != 0:
        sys.exit(f"uv {arguments[0]} failed:\n{asked.stderr}")
    return asked.stdout


def _lines(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("#", "-")))


if __name__ == "__main__":
    main()
