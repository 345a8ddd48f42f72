"""JSONPath into an event's data.

Nearly every meter says `$.tokens` or `$.request.model`. Those are walked directly, which costs a fraction of a general
JSONPath engine and is what keeps ingest fast; whatever else is asked for goes to jsonpath-ng and means its first match.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from jsonpath_ng.parser import parse

from dashboard.kit.errors import InvalidInput

MISSING: Final = object()
"""What a path finds where there is nothing; JSON's null is None."""

Finder = Callable[[Any], Any]

_LONGEST_PATH = 512
_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]'"*?@(),:$]+)|\[(?P<index>-?\d{1,9})\]|\['(?P<single>[^'\\]+)'\]|\["(?P<double>[^"\\]+)"\]"""
)


class BadJsonPath(InvalidInput):
    code = "bad_json_path"
    remedy = "Write a JSONPath such as $.tokens or $.request.model."


@lru_cache(maxsize=4096)
def compile_path(path: str) -> Finder:
    """A function from parsed JSON to what the path finds in it, or MISSING. Raises BadJsonPath."""
    if not path.startswith("$") or len(path) > _LONGEST_PATH:
        raise BadJsonPath(f"{path[:80]!r} does not start with $." if path[:1] != "$" else "That path is too long.")
    steps = _simple_steps(path)
    return _general_finder(path) if steps is None else _walker(steps)


def _simple_steps(path: str) -> tuple[str | int, ...] | None:
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        index = step["index"]
        steps.append(int(index) if index is not None else step["name"] or step["single"] or step["double"])
        position = step.end()
    return tuple(steps)


def _walker(steps: tuple[str | int, ...]) -> Finder:
    def find(data: Any) -> Any:
        for step in steps:
            if isinstance(step, str):
                if not isinstance(data, dict) or step not in data:
                    return MISSING
                data = data[step]
            else:
                if not isinstance(data, list) or not -len(data) <= step < len(data):
                    return MISSING
                data = data[step]
        return data

    return find


def _general_finder(path: str) -> Finder:
    try:
        expression = parse(path)
    # jsonpath-ng raises its own family for most broken texts, and a bare Exception for the rest.
    except Exception as error:
        raise BadJsonPath(f"{path[:80]!r} is not a JSONPath we can follow.") from error

    def find(data: Any) -> Any:
        return next((match.value for match in expression.find(data)), MISSING)

    return find
