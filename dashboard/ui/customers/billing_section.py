"""Which billing profile bills a customer, and what is different for them."""

from typing import Any

import reflex as rx

from dashboard.backend import running
from dashboard.billing.inputs import SetCustomerOverride
from dashboard.billing.overrides import (
    customer_billing,
    delete_customer_override,
    find_customer_override,
    set_customer_override,
)
from dashboard.billing.profiles import all_billing_profiles
from dashboard.billing.views import CollectionMethod, CustomerBilling
from dashboard.kit.durations import Duration
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.customers.detail_state import CustomerState
from dashboard.ui.live import LiveState
from dashboard.ui.roles import needs
from dashboard.ui.sessions import acting
from dashboard.ui.shell_state import ShellState

METHOD = "collection_method"
METHODS = {
    CollectionMethod.CHARGE_AUTOMATICALLY: "Auto Collection",
    CollectionMethod.SEND_INVOICE: "Send Invoice",
}


class CustomerBillingState(LiveState, rx.State):
    known: bool = False
    problem: str = ""
    profile_name: str = ""
    profile_href: str = ""
    is_pinned: bool = False
    is_default: bool = False
    method: str = ""
    method_source: str = ""
    approval: str = ""
    tax: str = ""
    due: str = ""
    profiles: list[ui.Option] = []
    pinned_id: str = ""
    own_method: str = ""
    errors: dict[str, str] = {}
    editing: bool = False

    @rx.event
    @needs("operator")
    async def start_editing(self):
        self.errors, self.editing = {}, True

    @rx.event
    @needs("operator")
    async def stop_editing(self):
        self.editing = False

    @rx.event
    @needs("operator")
    async def save(self, form: dict[str, Any]):
        self.errors = {}
        chosen, method = str(form.get("billing_profile_id") or ""), str(form.get(METHOD) or "")
        try:
            async with running().database.transaction(await acting(self)) as work:
                known = await find_customer_override(work.session, self.customer_id)
                # What was set elsewhere, by the API say, stays.
                fields = {name: value for name, value in (known.fields if known else {}).items() if name != METHOD}
                if chosen or method or fields:
                    wanted = {**fields, "billing_profile_id": chosen or None, METHOD: method or None}
                    await set_customer_override(work, self.customer_id, parse_input(SetCustomerOverride, wanted))
                elif known is not None:
                    await delete_customer_override(work, self.customer_id)
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
            return None
        self.editing = False
        await self._refresh()
        return [ui.toast_success("Billing changed"), CustomerState.check_readiness]

    def _enter(self):
        self.errors, self.editing = {}, False

    def _topics(self):
        return (f"customers/{self.customer_id}", "billing_profiles")

    async def _refresh(self):
        backend = running()
        async with backend.database.read() as session:
            profiles = await all_billing_profiles(session)
            override = await find_customer_override(session, self.customer_id)
            try:
                billing = await customer_billing(session, self.customer_id)
            except MeterdeskError as error:
                billing, self.problem = None, error.for_people()
        default = next((profile.name for profile in profiles if profile.is_default), "")
        self.profiles = [ui.Option("", f"Default ({default})" if default else "Default")]
        self.profiles += [ui.Option(profile.id, profile.name) for profile in profiles]
        self.pinned_id = (override.billing_profile_id if override else None) or ""
        self.own_method = str(override.fields.get(METHOD) or "") if override else ""
        self.known = billing is not None
        if billing is not None:
            self.problem = ""
            self._show(billing)

    def _show(self, billing: CustomerBilling):
        workflow = billing.workflow
        self.profile_name, self.is_pinned = billing.profile.name, billing.is_pinned
        self.profile_href = f"/settings/billing-profiles?profile={billing.profile.id}"
        self.is_default = billing.profile.is_default
        self.method = METHODS[workflow.collection_method]
        self.method_source = billing.sources.get(METHOD, "profile")
        self.approval = "Automatic" if workflow.auto_advance else "By a person"
        self.tax = ("On, enforced" if workflow.tax_enforced else "On") if workflow.tax_enabled else "Off"
        is_mailed = workflow.collection_method is CollectionMethod.SEND_INVOICE
        self.due = _days(workflow.due_after) if is_mailed else "At once"


def _days(duration: str) -> str:
    parsed = Duration.parse(duration)
    return f"{parsed.days} days" if str(parsed) == f"P{parsed.days}D" else duration


S = CustomerBillingState


def billing_section() -> rx.Component:
    """The card on the customer page."""
    return rx.fragment(
        ui.card(
            rx.cond(S.known, _shown(), _nobody()),
            title="Billing",
            actions=rx.cond(
                S.known & ShellState.may_operate,
                ui.button("Change", size="small", on_click=S.start_editing),
                rx.fragment(),
            ),
        ),
        ui.dialog(
            "customer-billing", _form(), title="Billing of this customer", shown=S.editing, on_close=S.stop_editing
        ),
    )


def _shown() -> rx.Component:
    source = rx.cond(S.method_source == "override", "set for this customer", "from the profile")
    return ui.definition_list(
        (
            "Billing profile",
            rx.el.span(
                ui.link(S.profile_name, href=S.profile_href),
                rx.el.span(
                    rx.cond(S.is_pinned, "chosen for this customer", "the default profile"),
                    class_name="block text-muted",
                ),
            ),
        ),
        ("Collection", rx.el.span(S.method, rx.el.span(source, class_name="block text-muted"))),
        ("Approval", S.approval),
        ("Due", S.due),
        ("Tax", S.tax),
        columns=2,
    )


def _nobody() -> rx.Component:
    return ui.stack(
        rx.el.p(S.problem, class_name="text-muted"),
        ui.inline(ui.link_button("Set up Stripe", href="/settings/stripe")),
    )


def _form() -> rx.Component:
    return rx.cond(
        S.editing,
        ui.form(
            rx.cond(S.errors["form"], ui.form_error(S.errors["form"]), rx.fragment()),
            ui.select_field(
                "billing_profile_id",
                "Billing profile",
                S.profiles,
                errors=S.errors,
                optional=True,
                default_value=S.pinned_id,
                hint="Without a choice the default profile bills this customer, also when it changes.",
            ),
            ui.select_field(
                "collection_method",
                "Collection",
                [
                    ui.Option("", "As the profile says"),
                    ui.Option("charge_automatically", "Auto Collection"),
                    ui.Option("send_invoice", "Send Invoice"),
                ],
                errors=S.errors,
                optional=True,
                default_value=S.own_method,
            ),
            ui.form_actions(ui.button("Cancel", on_click=S.stop_editing), ui.submit_button("Save")),
            on_submit=S.save,
        ),
        rx.fragment(),
    )
