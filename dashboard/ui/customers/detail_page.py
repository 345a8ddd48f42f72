"""`/customers/[customer_id]`: readiness, Stripe, billing, invoices and details of one customer."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.api_calls import api_call_button, api_call_dialog
from dashboard.ui.customers.billing_section import CustomerBillingState, billing_section
from dashboard.ui.customers.charges_section import charges_section
from dashboard.ui.customers.charges_state import ChargesState
from dashboard.ui.customers.detail_state import CheckoutRow, CustomerState, HitRow, Need
from dashboard.ui.customers.forms import customer_fields
from dashboard.ui.customers.usage_section import usage_section
from dashboard.ui.customers.usage_state import CustomerUsageState
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = CustomerState
CHECKOUTS = {
    "open": ui.Status("Open", "open"),
    "complete": ui.Status("Completed", "success"),
    "expired": ui.Status("Expired", "neutral"),
    "failed": ui.Status("Failed", "danger"),
}


@page(
    "/customers/[customer_id]",
    title="Customer",
    name=S.customer.name,
    parent="/customers",
    on_load=[S.load, CustomerBillingState.load, ChargesState.load, CustomerUsageState.load],
)
def customer() -> rx.Component:
    return rx.cond(
        S.missing,
        rx.fragment(
            ui.page_header("Customer"),
            ui.empty_state(
                "There is no such customer",
                "They may have been deleted.",
                icon_name="users",
                action=ui.link_button("All customers", href="/customers"),
            ),
        ),
        rx.cond(
            S.loading, rx.fragment(ui.page_header("Customer"), ui.skeleton_card(), ui.skeleton_card()), _customer()
        ),
    )


def _customer() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            S.customer.name,
            rx.cond(ShellState.may_operate, _actions(), rx.fragment()),
            description=rx.cond(S.customer.key != "", S.customer.key, S.customer.id),
            beside=_ready_badge(),
        ),
        rx.cond(S.problem != "", ui.callout(S.problem, title="That did not work", tone="danger"), rx.fragment()),
        rx.cond(S.checkout_url != "", _fresh_checkout(), rx.fragment()),
        _readiness(),
        ui.grid(_stripe_card(), billing_section()),
        usage_section(),
        charges_section(),
        _details_card(),
        ui.inline(api_call_button("customer-api")),
        api_call_dialog(
            "customer-api",
            ("Link a Stripe customer", S.call_link),
            ("Create a checkout link", S.call_checkout),
            ("Open the customer portal", S.call_portal),
        ),
        rx.cond(ShellState.may_operate, _danger(), rx.fragment()),
        _edit_dialog(),
        _link_dialog(),
    )


def _actions() -> rx.Component:
    return ui.inline(
        ui.button("Edit", icon_name="pencil", on_click=S.start_editing),
        ui.button(
            "Open customer portal",
            icon_name="external-link",
            on_click=S.open_portal,
            busy=S.busy == "portal",
            disabled=~S.linked,
        ),
        ui.button(
            "Create checkout link",
            tone="primary",
            icon_name="credit-card",
            on_click=S.create_checkout_link,
            busy=S.busy == "checkout",
            disabled=~S.has_app,
        ),
    )


def _ready_badge() -> rx.Component:
    return rx.cond(
        S.readiness_known,
        rx.cond(S.ready, ui.badge("Ready to bill", "success"), ui.badge("Not ready", "warning")),
        ui.badge("Checking", "progress"),
    )


def _fresh_checkout() -> rx.Component:
    return ui.callout(
        "Send it to the customer. Their payment method appears here by itself once they have completed the page.",
        title="Checkout link",
        tone="success",
        action=ui.inline(
            ui.copy_button(S.checkout_url, "Copy checkout link"),
            ui.external_button("Open", href=S.checkout_url, size="small"),
        ),
    )


def _readiness() -> rx.Component:
    return rx.cond(
        S.readiness_known & ~S.ready,
        ui.card(
            rx.el.ul(rx.foreach(S.needs_list, _need), class_name="flex flex-col gap-3"),
            title="What this customer still needs",
        ),
        rx.fragment(),
    )


def _need(need: rx.Var[Need]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            need.tone == "danger",
            ui.icon("circle-x", 16, "mt-0.5 text-danger-ink"),
            ui.icon("triangle-alert", 16, "mt-0.5 text-warning-ink"),
        ),
        rx.el.div(rx.el.p(need.message, class_name="font-medium"), rx.el.p(need.remedy, class_name="text-muted")),
        class_name="flex gap-2.5",
    )


def _stripe_card() -> rx.Component:
    return ui.card(
        rx.cond(S.linked, _linked(), _unlinked()),
        rx.cond(S.checkouts.length() > 0, _checkouts(), rx.fragment()),
        title="Stripe",
        actions=rx.cond(
            S.linked & ShellState.may_operate,
            ui.dropdown_menu(
                ui.menu_button("Read again from Stripe", on_click=S.refresh_link, icon_name="refresh-cw"),
                ui.menu_button("Link another Stripe customer", on_click=S.start_linking, icon_name="link"),
                ui.menu_button("Unlink…", on_click=ui.open_dialog("unlink"), icon_name="unlink", danger=True),
                label="Stripe actions",
            ),
            rx.fragment(),
        ),
    )


def _linked() -> rx.Component:
    link = S.link
    return ui.stack(
        rx.cond(
            link.is_deleted,
            ui.callout("Link another Stripe customer, or create a new one.", title="Deleted in Stripe", tone="danger"),
            rx.fragment(),
        ),
        rx.foreach(S.notices, lambda notice: ui.callout(notice, tone="warning")),
        ui.definition_list(
            (
                "Stripe customer",
                rx.cond(
                    link.dashboard_url != "",
                    ui.identifier(link.stripe_customer_id, href=link.dashboard_url),
                    ui.identifier(link.stripe_customer_id),
                ),
            ),
            ("Payment method", _payment_method()),
            ("Email at Stripe", _stripe_email()),
            ("Tax location", rx.cond(link.tax != "", link.tax, ui.muted("not asked"))),
            columns=2,
        ),
        ui.confirm_dialog(
            "unlink",
            rx.el.p("Their next invoices cannot be collected until they are linked again. Stripe keeps the customer."),
            title="Unlink from Stripe?",
            confirm="Unlink",
            on_confirm=S.unlink,
        ),
    )


def _payment_method() -> rx.Component:
    link = S.link
    source = rx.match(
        link.payment_source,
        ("ours", "set here"),
        ("stripe", "Stripe's default"),
        "",
    )
    return rx.cond(
        link.payment != "",
        rx.el.span(
            link.payment,
            rx.el.span(
                rx.cond(link.payment_expiry != "", link.payment_expiry + " · ", ""),
                source,
                class_name="block text-muted",
            ),
        ),
        ui.muted("none"),
    )


def _stripe_email() -> rx.Component:
    return rx.cond(
        S.link.email != "",
        S.link.email,
        rx.cond(
            (S.customer.email != "") & ShellState.may_operate,
            ui.button("Send ", S.customer.email, size="small", on_click=S.send_email_to_stripe, busy=S.busy == "email"),
            ui.muted("none"),
        ),
    )


def _unlinked() -> rx.Component:
    return rx.cond(
        S.has_app,
        ui.stack(
            rx.el.p(
                "Not linked to a Stripe customer yet. A checkout link makes one by itself.", class_name="text-muted"
            ),
            rx.cond(
                ShellState.may_operate,
                ui.inline(
                    ui.button("Link Stripe customer", icon_name="link", on_click=S.start_linking),
                    ui.button(
                        "Create in Stripe", icon_name="plus", on_click=S.create_in_stripe, busy=S.busy == "create"
                    ),
                ),
                rx.fragment(),
            ),
        ),
        ui.empty_state(
            "Stripe is not connected",
            "Connect it first, then customers can be linked.",
            icon_name="credit-card",
            action=ui.link_button("Set up Stripe", href="/settings/stripe"),
        ),
    )


def _checkouts() -> rx.Component:
    return rx.el.div(
        rx.el.h3("Checkout links", class_name="mb-2 text-[13px] font-medium text-muted"),
        rx.el.ul(rx.foreach(S.checkouts, _checkout), class_name="flex flex-col gap-2"),
        class_name="mt-4 border-t border-line pt-4",
    )


def _checkout(row: rx.Var[CheckoutRow]) -> rx.Component:
    return rx.el.li(
        ui.status_badge(row.status, CHECKOUTS),
        ui.date_time(row.created),
        rx.cond(
            row.url != "",
            ui.inline(ui.copy_button(row.url, "Copy checkout link"), ui.external_link("Open", href=row.url)),
            rx.fragment(),
        ),
        rx.cond(row.problem != "", rx.el.span(row.problem, class_name="text-danger-ink"), rx.fragment()),
        class_name="flex flex-wrap items-center gap-3",
    )


def _details_card() -> rx.Component:
    customer = S.customer

    def shown(value: rx.Var[str]) -> rx.Component:
        return rx.cond(value != "", value, ui.muted("none"))

    return ui.card(
        ui.definition_list(
            ("Id", ui.identifier(customer.id)),
            ("Key", shown(customer.key)),
            ("Email", shown(customer.email)),
            ("Currency", shown(customer.currency)),
            ("Billing address", shown(customer.address)),
            ("Usage subjects", shown(customer.subjects)),
            ("Created", ui.date_time(customer.created)),
            columns=2,
        ),
        title="Details",
    )


def _danger() -> rx.Component:
    return rx.fragment(
        ui.danger_card(
            ui.button("Delete customer…", tone="danger", on_click=ui.open_dialog("delete-customer")),
            description="Refused while an invoice is open or charges are pending. Stripe keeps its customer.",
        ),
        ui.confirm_dialog(
            "delete-customer",
            rx.el.p("They can no longer be billed. Their invoices stay for the books."),
            title="Delete this customer?",
            confirm="Delete customer",
            on_confirm=S.delete,
            type_to_confirm=S.customer.name,
        ),
    )


def _edit_dialog() -> rx.Component:
    return ui.dialog(
        "edit-customer",
        rx.cond(
            S.editing,
            ui.form(
                customer_fields(S.errors, "edit", S.values),
                ui.form_actions(ui.button("Cancel", on_click=S.stop_editing), ui.submit_button("Save")),
                on_submit=S.save,
            ),
            rx.fragment(),
        ),
        title="Edit customer",
        shown=S.editing,
        on_close=S.stop_editing,
        width="medium",
    )


def _link_dialog() -> rx.Component:
    return ui.dialog(
        "link-customer",
        ui.stack(
            ui.form(
                ui.text_field(
                    "stripe_customer_id",
                    "Stripe customer id",
                    errors=S.errors,
                    placeholder="cus_…",
                    auto_complete="off",
                    hint="Checked in Stripe before it is stored: existence, test or live, payment method.",
                ),
                ui.form_actions(ui.submit_button("Link", busy=S.busy == "link")),
                on_submit=S.link_typed,
            ),
            rx.el.hr(class_name="border-line"),
            ui.form(
                ui.text_field(
                    "text", "Or search in Stripe", errors=S.errors, placeholder="Name or email", auto_complete="off"
                ),
                ui.form_actions(ui.submit_button("Search", tone="secondary", busy=S.busy == "search")),
                on_submit=S.search_stripe,
            ),
            rx.cond(
                S.searched,
                rx.cond(
                    S.hits.length() > 0,
                    rx.el.ul(rx.foreach(S.hits, _hit), class_name="divide-y divide-line"),
                    ui.muted("Nobody at Stripe fits."),
                ),
                rx.fragment(),
            ),
        ),
        title="Link Stripe customer",
        shown=S.linking,
        on_close=S.stop_linking,
    )


def _hit(hit: rx.Var[HitRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.p(hit.title, class_name="truncate font-medium"),
            rx.el.p(hit.detail, class_name="truncate text-[13px] text-muted"),
            class_name="min-w-0 flex-1",
        ),
        rx.cond(
            hit.taken,
            ui.badge("Linked already", "neutral"),
            ui.button("Link", size="small", on_click=S.link_to(hit.id), busy=S.busy == "link"),
        ),
        class_name="flex items-center gap-3 py-2",
    )
