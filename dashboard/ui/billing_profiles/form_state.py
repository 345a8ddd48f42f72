"""One billing profile: its form, and the dates its waiting times lead to while one types."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.profiles import get_billing_profile
from dashboard.billing.views import BillingProfile, CollectionMethod, Workflow
from dashboard.catalog.tax_codes import tax_codes_by_id
from dashboard.kit.errors import Gone, MeterdeskError
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.ui import components as ui
from dashboard.ui.billing_profiles.fields import METHODS, ProfileFields, fields_of
from dashboard.ui.billing_profiles.preview import PreviewStep, example_period_end, preview
from dashboard.ui.billing_profiles.profiles import PATH, create_profile_from_form, update_profile_from_form
from dashboard.ui.billing_profiles.waits import USUAL_COLLECTION, USUAL_DRAFT, USUAL_DUE, Wait, text_from_wait
from dashboard.ui.listing import Address
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.tax_codes.picker_state import Picked, TaxCodePicker
from dashboard.ui.tax_codes.stripe_codes import own_choice, stripe_code_name

NEW = "new"
TAX_FIELD = "tax_code"
_WAIT_PARTS = {f"{name}_{part}" for name in ("collection", "draft", "due") for part in ("amount", "unit")}


@dataclass(frozen=True, slots=True)
class Typed:
    """What decides the dates, as it stands in the form."""

    method: str = CollectionMethod.CHARGE_AUTOMATICALLY.value
    collection: Wait = USUAL_COLLECTION
    draft: Wait = USUAL_DRAFT
    due: Wait = USUAL_DUE
    approval: str = "auto"


class BillingProfileForm(rx.State):
    """What the form shows. `version` redraws its fields when they were loaded."""

    loading: bool = True
    problem: str = ""
    title: str = ""
    fields: ProfileFields = ProfileFields()
    is_default: bool = False
    accounts: list[ui.Option] = []
    method: str = CollectionMethod.CHARGE_AUTOMATICALLY.value
    alignment: str = "subscription"
    tax: str = "off"
    steps: list[PreviewStep] = []
    preview_problem: str = ""
    saving: bool = False
    errors: dict[str, str] = {}

    _typed: Typed = Typed()

    @rx.event
    @needs("viewer")
    async def load(self) -> AsyncIterator[Any]:
        """Fills the form with a profile, or with sensible values for a new one."""
        self.loading, self.problem, self.errors, self.saving, self.title = True, "", {}, False, ""
        yield
        profile_id = Address.of(self).path.rsplit("/", 1)[-1]
        try:
            self.accounts = await _accounts()
            profile = None if profile_id == NEW else await _live_profile(profile_id)
            self.title = profile.name if profile else "Create billing profile"
            self.is_default = bool(profile and profile.is_default)
            self.fields = fields_of(profile) if profile else await _fresh()
            await self._begin(profile)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False

    @rx.event
    @needs("admin")
    def choose(self, name: str, value: str) -> None:
        """A choice that shows or hides other fields."""
        value = str(value)
        if name == "method" and value in METHODS:
            self.method = value
            self._retype(method=value)
        if name == "approval":
            self._retype(approval=value)
        if name == "alignment":
            self.alignment = value
        if name == "tax":
            self.tax = value

    @rx.event
    @needs("admin")
    def type_wait(self, name: str, value: str) -> None:
        """A waiting time changed: the dates follow."""
        if name not in _WAIT_PARTS:
            return
        wait, part = name.split("_")
        before: Wait = getattr(self._typed, wait)
        after = Wait(str(value), before.unit) if part == "amount" else Wait(before.amount, str(value))
        self._retype(**{wait: after})

    @rx.event
    @needs("admin")
    async def save(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Creates the profile, or replaces it."""
        self.saving, self.errors = True, {}
        yield
        try:
            actor = await acting(self)
            form = (await self.get_state(TaxCodePicker))._completed(form)
            if self.fields.id:
                await update_profile_from_form(actor, self.fields.id, form)
                yield ui.toast_success("Billing profile saved", "Invoices made before stay as they are.")
            else:
                await create_profile_from_form(actor, form)
                yield ui.toast_success("Billing profile created")
            yield rx.redirect(PATH)
        except MeterdeskError as error:
            self.errors = {"form": error.for_people(), **error.fields}
            yield rx.call_function(_SHOW_FIRST_ERROR)
        finally:
            self.saving = False

    async def _begin(self, profile: BillingProfile | None) -> None:
        fields = self.fields
        self.method, self.alignment, self.tax = fields.method, fields.alignment, fields.tax
        self._typed = Typed(fields.method, fields.collection, fields.draft, fields.due, fields.approval)
        self._tell_dates()
        picker = await self.get_state(TaxCodePicker)
        picker._begin(fields.app_id, {TAX_FIELD: await _picked(profile)}, with_library=True)

    def _retype(self, **changes: Any) -> None:
        self._typed = Typed(**{name: changes.get(name, getattr(self._typed, name)) for name in Typed.__slots__})
        self._tell_dates()

    def _tell_dates(self) -> None:
        typed = self._typed
        try:
            workflow = Workflow(
                collection_method=CollectionMethod(typed.method),
                collection_interval=text_from_wait(typed.collection.amount, typed.collection.unit, field="collection"),
                draft_period=text_from_wait(typed.draft.amount, typed.draft.unit, field="draft"),
                due_after=text_from_wait(typed.due.amount, typed.due.unit, field="due"),
                auto_advance=typed.approval != "manual",
            )
            self.steps, self.preview_problem = preview(workflow, example_period_end(running().clock.now())), ""
        except MeterdeskError as error:
            self.steps, self.preview_problem = [], error.for_people()


_SHOW_FIRST_ERROR = (
    "() => setTimeout(() => { const field = document.querySelector('form [aria-invalid=true]'); "
    "if (field) { field.focus(); field.scrollIntoView({block: 'center'}); } else window.scrollTo({top: 0}); }, 50)"
)


async def _accounts() -> list[ui.Option]:
    async with running().database.read() as session:
        apps = await list_stripe_apps(session)
    return [ui.Option(app.id, f"{app.account_name} ({'sandbox' if app.is_sandbox else app.mode})") for app in apps]


async def _live_profile(profile_id: str) -> BillingProfile:
    async with running().database.read() as session:
        profile = await get_billing_profile(session, profile_id)
    if profile.deleted_at is not None:
        raise Gone(f"The billing profile {profile.name} was deleted.", remedy="Look in the list of billing profiles.")
    return profile


async def _fresh() -> ProfileFields:
    async with running().database.read() as session:
        apps = await list_stripe_apps(session)
    if not apps:
        return ProfileFields()
    app = apps[0]
    return ProfileFields(
        app_id=app.id,
        supplier_name=app.account_name,
        supplier_country=app.country or "",
        currency=app.default_currency or "",
    )


async def _picked(profile: BillingProfile | None) -> Picked:
    if profile is None:
        return Picked()
    tax = profile.workflow.default_tax
    if tax.tax_code_id:
        async with running().database.read() as session:
            own = (await tax_codes_by_id(session, [tax.tax_code_id])).get(tax.tax_code_id)
        if own is not None:
            choice = own_choice(own)
            return Picked(choice.value, choice.code, choice.name)
    code = tax.stripe_code or ""
    return Picked(code, code, await stripe_code_name(profile.app_id, code)) if code else Picked()
