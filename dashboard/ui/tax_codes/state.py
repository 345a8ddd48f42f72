"""The tax code library and the organisation's defaults."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.catalog.inputs import CreateTaxCode, UpdateTaxCode, UpdateTaxDefaults
from dashboard.catalog.tax_codes import (
    create_tax_code,
    delete_tax_code,
    get_tax_code,
    list_tax_codes,
    set_tax_defaults,
    tax_defaults,
    update_tax_code,
    where_used,
)
from dashboard.catalog.views import TaxCode
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import Page, PageRequest
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.fields import text_of
from dashboard.ui.listing import Address, ListState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.tax_codes.picker_state import Picked, TaxCodePicker
from dashboard.ui.tax_codes.stripe_codes import stripe_code_name
from dashboard.ui.tax_codes.uses import tax_code_uses

CODE_FIELD = "stripe_code"
NAMED = 3
_CHOICES = 500
"""More own tax codes than any company has; the selects of the defaults show them all."""


@dataclass(frozen=True, slots=True)
class TaxCodeRow:
    """A row of the library; `used` names the first places where it is used, `used_more` the others."""

    id: str = ""
    key: str = ""
    name: str = ""
    description: str = ""
    stripe_code: str = ""
    used: tuple[str, ...] = ()
    used_more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DefaultCodes:
    """The ids of the organisation's defaults; empty before the first start made them."""

    invoicing: str = ""
    credit_grant: str = ""


class TaxCodesState(ListState, rx.State):
    """What the page shows and asks. `editing.id` is empty for a new code."""

    problem: str = ""
    rows: list[TaxCodeRow] = []
    choices: list[ui.Option] = []
    defaults: DefaultCodes = DefaultCodes()
    editor_open: bool = False
    editing: TaxCodeRow = TaxCodeRow()
    deleting: TaxCodeRow = TaxCodeRow()
    refused_by: list[str] = []
    saving: str = ""
    errors: dict[str, str] = {}

    @rx.event
    @needs("admin")
    async def edit(self, tax_code_id: str) -> None:
        """Opens the form, with an empty id for a new code."""
        self.errors = {}
        self.editing = next((row for row in self.rows if row.id == tax_code_id), TaxCodeRow())
        code = self.editing.stripe_code
        picker = await self.get_state(TaxCodePicker)
        picker._begin("", {CODE_FIELD: Picked(code, code, await stripe_code_name("", code))})
        self.editor_open = True

    @rx.event
    @needs("admin")
    def close(self) -> None:
        """Closes whichever dialog is open."""
        self._close()

    @rx.event
    @needs("admin")
    async def save(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Makes the code, or changes the one that is open."""
        self.saving, self.errors = "code", {}
        yield
        try:
            await self._store(form)
            self.editor_open = False
            yield ui.toast_success("Tax code saved")
            await self._refresh()
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
        finally:
            self.saving = ""

    @rx.event
    @needs("admin")
    def ask_to_delete(self, tax_code_id: str) -> None:
        """Opens the question before a code is deleted."""
        self.refused_by, self.errors = [], {}
        self.deleting = next((row for row in self.rows if row.id == tax_code_id), TaxCodeRow())
        self.refused_by = [*self.deleting.used, *self.deleting.used_more]

    @rx.event
    @needs("admin")
    async def delete(self) -> AsyncIterator[Any]:
        """Takes the code out of use, or says what needs it."""
        self.saving, self.errors = "delete", {}
        yield
        try:
            async with running().database.transaction(await acting(self)) as work:
                await delete_tax_code(work, self.deleting.id, uses=tax_code_uses())
            yield ui.toast_success(f"“{self.deleting.name}” was deleted")
            self.deleting = TaxCodeRow()
            await self._refresh()
        except MeterdeskError as error:
            self.refused_by = list(error.details.get("uses", ()))
            self.errors = {} if self.refused_by else {"form": error.for_people()}
        finally:
            self.saving = ""

    @rx.event
    @needs("admin")
    async def save_defaults(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Chooses the organisation's defaults."""
        self.saving, self.errors = "defaults", {}
        yield
        try:
            chosen = {name: text_of(form, name) or None for name in UpdateTaxDefaults.model_fields}
            wanted = parse_input(UpdateTaxDefaults, chosen)
            async with running().database.transaction(await acting(self)) as work:
                await set_tax_defaults(work, wanted)
            yield ui.toast_success("Default tax codes saved")
            await self._refresh()
        except MeterdeskError as error:
            yield ui.toast_error(error)
        finally:
            self.saving = ""

    async def _store(self, form: dict[str, Any]) -> None:
        form = (await self.get_state(TaxCodePicker))._completed(form)
        values: dict[str, Any] = {
            "name": text_of(form, "name"),
            "description": text_of(form, "description"),
            "stripe_code": text_of(form, CODE_FIELD) or None,
        }
        actor = await acting(self)
        async with running().database.transaction(actor) as work:
            if not self.editing.id:
                key = text_of(form, "key") or key_from_name(values["name"])
                await create_tax_code(work, parse_input(CreateTaxCode, {**values, "key": key}))
                return
            # What the form does not show stays as it is.
            before = await get_tax_code(work.session, self.editing.id)
            others = [{"app_type": kind, "tax_code": code} for kind, code in before.other_mappings.items()]
            kept = {"metadata": before.metadata, "other_mappings": others}
            await update_tax_code(work, self.editing.id, parse_input(UpdateTaxCode, {**values, **kept}))

    def _enter(self) -> None:
        self.saving = ""
        self._close()

    def _close(self) -> None:
        self.editor_open, self.deleting, self.refused_by, self.errors = False, TaxCodeRow(), [], {}

    def _topics(self) -> tuple[str, ...]:
        return ("tax_codes", "plans", "billing_profiles")

    async def _refresh(self) -> None:
        try:
            await self._read()
            self.problem = ""
        except MeterdeskError as error:
            self.problem, self.loading = error.for_people(), False

    async def _read(self) -> None:
        address = Address.of(self)
        async with running().database.read() as session:
            page = await list_tax_codes(session, address.page_request(), search=address.search())
            self.rows = [_row(code, await where_used(session, code.id, uses=tax_code_uses())) for code in page.items]
            every = await list_tax_codes(session, PageRequest(size=_CHOICES))
            defaults = await tax_defaults(session)
        self.choices = _choices(every)
        self.defaults = DefaultCodes(defaults.invoicing.id, defaults.credit_grant.id) if defaults else DefaultCodes()
        self._show(address, address.pager(page))


def key_from_name(name: str) -> str:
    """`SaaS, business use` as `saas_business_use`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:64].strip("_")


def _row(code: TaxCode, used: tuple[str, ...]) -> TaxCodeRow:
    return TaxCodeRow(
        code.id, code.key, code.name, code.description or "", code.stripe_code or "", used[:NAMED], used[NAMED:]
    )


def _choices(page: Page[TaxCode]) -> list[ui.Option]:
    return [
        ui.Option(code.id, f"{code.name} ({code.stripe_code})" if code.stripe_code else code.name)
        for code in page.items
    ]
