"""Picking a tax code, of one's own or of Stripe's some 600: search, choose, clear. One field is open at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import reflex as rx

from dashboard.kit.errors import MeterdeskError
from dashboard.ui.roles import needs
from dashboard.ui.tax_codes.stripe_codes import TaxChoice, find_own_codes, find_stripe_codes


@dataclass(frozen=True, slots=True)
class Picked:
    """What a field of the form holds; `value` is what it posts."""

    value: str = ""
    code: str = ""
    name: str = ""


class TaxCodePicker(rx.State):
    """`picked` holds the choice of each field on the page by the field's name."""

    open_field: str = ""
    search: str = ""
    hits: list[TaxChoice] = []
    problem: str = ""
    app_id: str = ""
    with_library: bool = False
    picked: dict[str, Picked] = {}

    _offered: dict[str, TaxChoice] = {}

    @rx.event
    @needs("viewer")
    async def open(self, field: str) -> Any:
        """Opens the search of a field with the codes most companies use."""
        self.open_field = "" if self.open_field == field else str(field)
        self.search = ""
        if not self.open_field:
            return None
        await self._search("")
        return rx.set_focus(search_id(self.open_field)) if self.open_field in self.picked else None

    @rx.event(supersedes=True)
    @needs("viewer")
    async def find(self, text: str) -> None:
        """Searches by name, description or code."""
        self.search = str(text)[:100]
        await self._search(self.search)

    @rx.event
    @needs("viewer")
    def choose(self, field: str, value: str) -> None:
        """Takes one of the hits."""
        # The list may have changed under the finger; what was offered a moment ago counts.
        hit = self._offered.get(value)
        if hit is not None and field in self.picked:
            self.picked = {**self.picked, field: Picked(hit.value, hit.code, hit.name)}
            self.open_field = ""

    @rx.event
    @needs("viewer")
    def clear(self, field: str) -> None:
        """Leaves the field without a code."""
        if field in self.picked:
            self.picked = {**self.picked, field: Picked()}
        self.open_field = ""

    def _begin(self, app_id: str, fields: dict[str, Picked], *, with_library: bool = False) -> None:
        """For load handlers: which fields the page has, what they hold, and whether one's own codes are offered too."""
        self.open_field, self.search, self.hits, self.problem, self._offered = "", "", [], "", {}
        self.with_library = with_library
        self.app_id, self.picked = app_id, {name: replace(picked) for name, picked in fields.items()}

    def _completed(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """What a form posted, with what is picked here: who saves right after picking posts what was there before."""
        return {**form, **{name: picked.value for name, picked in self.picked.items() if name in form}}

    async def _search(self, text: str) -> None:
        own = await find_own_codes(text) if self.with_library else []
        try:
            self.hits, self.problem = own + await find_stripe_codes(self.app_id, text), ""
        except MeterdeskError as error:
            self.hits, self.problem = own, error.for_people()
        self._offered = {**self._offered, **{hit.value: hit for hit in self.hits}}


def search_id(field: str) -> str:
    """The id of a field's search box."""
    return f"{field}_search"
