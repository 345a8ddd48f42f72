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


def _vectors_dir() -> Path:
    named = os.environ.get("VECTORS_DIR")
    return Path(named) if named else _ROOT / os.environ.get("METERDESK_SHARED", "../shared") / "vectors"


def _vectors() -> list[Any]:
    folder = _vectors_dir()
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files and "VECTORS_DIR" in os.environ:
        raise pytest.UsageError(f"VECTORS_DIR names {folder}, where there are no vectors")
    if not files:
        reason = f"no vectors in {folder}: set VECTORS_DIR, or METERDESK_SHARED to the folder of shared material"
        return [pytest.param({}, id="vectors", marks=pytest.mark.skip(reason=reason))]
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [
        pytest.param(vector, id=f"{vector['id']}-{vector['kind']}")
        for document in documents
        for vector in document.get("vectors", [])
    ]


@pytest.mark.parametrize("vector", _vectors())
def test_vector(vector: Mapping[str, Any]) -> None:
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], None] | None = KINDS.get(vector["kind"])
    assert check is not None, f"nothing here knows the kind {vector['kind']}"
    check(vector["input"], vector["expect"])
