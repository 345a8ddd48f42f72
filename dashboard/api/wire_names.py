"""Refusals name fields as our inputs call them; a caller knows them by the names of their API generation."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dashboard.kit.errors import MeterdeskError


@contextmanager
def wire_names(names: Mapping[str, str]) -> Iterator[None]:
    """Within the block, refusals that name one of our fields (or something below it) name the caller's instead."""
    try:
        yield
    except MeterdeskError as error:
        error.fields = {_renamed(place, names): sentence for place, sentence in error.fields.items()}
        raise


def _renamed(place: str, names: Mapping[str, str]) -> str:
    for ours, theirs in sorted(names.items(), key=lambda pair: -len(pair[0])):
        if place == ours:
            return theirs
        if place.startswith(f"{ours}."):
            return theirs + place.removeprefix(ours)
    return place
