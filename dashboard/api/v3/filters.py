"""v3's `filter[field]` and `filter[field][operator]` of the query."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from dashboard.kit.errors import InvalidInput
from dashboard.kit.paging import PAGE_SIZE_MAX, Page, PageRequest

Item = TypeVar("Item")

TEXT_OPERATORS = frozenset({"eq", "neq", "contains", "oeq", "ocontains", "gt", "gte", "lt", "lte", "exists"})
EXACT_OPERATORS = frozenset({"eq", "neq", "oeq"})
_NAME = re.compile(r"filter\[([a-z_0-9]+)\](?:\[([a-z_0-9]+)\])?")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one field."""

    field: str
    operator: str
    value: str

    def holds(self, actual: str | None) -> bool:
        """Whether a field with this value fits. Parts are found in any case; an absent field fits only what asks so."""
        if self.operator == "exists":
            return (actual is not None) == (self.value == "true")
        if actual is None:
            return self.operator == "neq"
        match self.operator:
            case "eq":
                return actual == self.value
            case "neq":
                return actual != self.value
            case "contains":
                return self.value.casefold() in actual.casefold()
            case "oeq":
                return actual in self.choices
            case "ocontains":
                return any(choice.casefold() in actual.casefold() for choice in self.choices)
            case "gt":
                return actual > self.value
            case "gte":
                return actual >= self.value
            case "lt":
                return actual < self.value
            case _:
                return actual <= self.value

    @property
    def choices(self) -> list[str]:
        """The values of a comma separated list."""
        return [part.strip() for part in self.value.split(",") if part.strip()]


def filters_of(request: Request, known: Mapping[str, Collection[str]]) -> list[Condition]:
    """The conditions of a request; `known` maps a field to the operators it takes.

    Raises InvalidInput for other fields and operators.
    """
    found: list[Condition] = []
    for name, value in request.query_params.multi_items():
        if not name.startswith("filter"):
            continue
        match = _NAME.fullmatch(name)
        field, operator = (match[1], match[2] or "eq") if match else ("", "")
        if field not in known:
            raise InvalidInput(f"{name} is not a filter here; there are {', '.join(known)}.", field=name)
        if operator not in known[field]:
            raise InvalidInput(
                f"{field} cannot be filtered by {operator}; there are {', '.join(sorted(known[field]))}.", field=name
            )
        if operator == "exists" and value not in ("true", "false"):
            raise InvalidInput("exists takes true or false.", field=name)
        found.append(Condition(field, operator, value))
    return found


async def all_that_fit(
    fetch: Callable[[PageRequest], Awaitable[Page[Item]]], fits: Callable[[Item], bool]
) -> list[Item]:
    """Every entry of a list that fits, for conditions its room does not know."""
    found: list[Item] = []
    number, more = 1, True
    while more:
        page = await fetch(PageRequest(number, PAGE_SIZE_MAX))
        found += [item for item in page.items if fits(item)]
        number, more = number + 1, number < page.page_count
    return found
