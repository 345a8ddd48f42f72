"""Ids of our own rows: ULIDs, 26 letters, ordered by the time they were made (OpenMeter's id format)."""

import re

from ulid import ULID

ULID_PATTERN = re.compile(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")


def new_id() -> str:
    """A fresh ULID."""
    return str(ULID())


def is_id(text: str) -> bool:
    """Whether `text` has the form of one of our ids (it says nothing about whether such a row exists)."""
    return ULID_PATTERN.fullmatch(text) is not None
