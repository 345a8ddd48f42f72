"""The calculation vectors, one test each: `VECTORS_DIR`, or `vectors` in the shared material beside the checkout.

`README.md` in that folder is the specification. Every `kind` has one function here that calls the product and compares.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from vector_kinds import KINDS

_ROOT = Path(__file__).resolve().parents[2]

Vector = Mapping[str, Any]


def _vectors_dir() -> Path:
    named = os.environ.get("VECTORS_DIR")
    return Path(named) if named else _ROOT / os.environ.get("METERDESK_SHARED", "../shared") / "vectors"


def vectors_in(folder: Path) -> list[Vector]:
    """All vectors of the folder's files, in the folders below it too; a file without any, like the table of
    transitions, gives none. Raises UsageError naming a file that is not JSON."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.json"))
    return [vector for file in files for vector in _vectors_of(file)]


def _vectors_of(file: Path) -> list[Vector]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise pytest.UsageError(f"{file} is not JSON: {error}") from error
    return (document.get("vectors") or []) if isinstance(document, dict) else []


def check(vector: Vector) -> None:
    """Calls the product with the vector's input and compares. Raises AssertionError where they differ."""
    compare: Callable[[Vector, Vector], None] | None = KINDS.get(vector.get("kind") or "")
    assert compare is not None, f"nothing here knows the kind {vector.get('kind')!r}"
    compare(vector.get("input") or {}, vector.get("expect") or {})


def parameters() -> list[Any]:
    folder = _vectors_dir()
    vectors = vectors_in(folder)
    if not vectors and os.environ.get("VECTORS_DIR"):
        raise pytest.UsageError(f"VECTORS_DIR names {folder.absolute()}, where there are no vectors")
    if not vectors:
        reason = f"no vectors in {folder}: set VECTORS_DIR, or METERDESK_SHARED to the folder of shared material"
        return [pytest.param({}, id="vectors", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(vector, id=f"{vector.get('id')}-{vector.get('kind')}") for vector in vectors]


@pytest.mark.parametrize("vector", parameters())
def test_vector(vector: Vector) -> None:
    check(vector)
