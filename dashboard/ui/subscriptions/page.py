"""`/subscriptions`: the list, and putting a customer on a plan."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState
from dashboard.ui.subscriptions.state import SubscriptionsState
from dashboard.ui.subscriptions.views import CustomerHit, SubscriptionRow
from dashboard.ui.subscriptions.words import STATUSES

S = SubscriptionsState
COLUMNS = [
    ui.Column("Subscription", sort="name"),
    ui.Column("Customer"),
    ui.Column("Status"),
    ui.Column("Plan", hide_below="lg"),
    ui.Column("Since", sort="active_from", hide_below="md"),
    ui.Column("Until", hide_below="md"),
]


@rx.memo
def subscription_row(row: rx.Var[SubscriptionRow]) -> rx.Component:
    return ui.row(
        ui.cell(ui.row_link(row.name, href=row.href)),
        ui.cell(ui.link(row.customer, href=row.customer_href, class_name="relative")),
        ui.cell(ui.status_badge(row.status, STATUSES)),
        ui.cell(rx.el.span(row.plan, class_name="font-mono text-xs"), hide_below="lg"),
        ui.cell(ui.date_time(row.since), hide_below="md"),
        ui.cell(rx.cond(row.until.iso != "", ui.date_time(row.until), ui.muted("open")), hide_below="md"),
    )


@page("/subscriptions", title="Subscriptions", on_load=S.load)
def subscriptions() -> rx.Component:
    create = ui.button("Create subscription", tone="primary", icon_name="plus", on_click=S.start_creating)
    return rx.fragment(
        ui.page_header(
            "Subscriptions",
            rx.cond(ShellState.may_operate, create, rx.fragment()),
            description="Who is on which plan. Each keeps the version it was made from.",
        ),
        ui.tabs(S.tabs, label="Status"),
        ui.toolbar(
            ui.search_box(S.search, S.find, label="Search subscriptions", placeholder="Name or plan"),
            rx.cond(
                S.customer_name != "",
                ui.inline(ui.badge(S.customer_name, "info", "user"), ui.button("Show all", on_click=S.clear)),
                rx.fragment(),
            ),
        ),
        ui.list_table(
            S,
            COLUMNS,
            subscription_row,
            label="Subscriptions",
            nothing_fits=("No subscription fits", "Choose another status, or search for less."),
            nothing_yet=ui.empty_state(
                "No subscriptions yet",
                "Publish a plan, then put a customer on it: their fees and usage are billed by themselves.",
                icon_name="repeat",
            ),
        ),
        ui.dialog(
            "create-subscription",
            rx.cond(S.creating, _form(), rx.fragment()),
            title="Create subscription",
            shown=S.creating,
            on_close=S.stop_creating,
            width="medium",
        ),
    )


def _form() -> rx.Component:
    return ui.form(
        ui.form_error(S.errors["form"]),
        rx.cond(
            S.errors["form"] & (S.chosen.id != ""),
            ui.inline(ui.link_button("Open ", S.chosen.name, href="/customers/" + S.chosen.id, size="small")),
            rx.fragment(),
        ),
        _customer(),
        rx.cond(
            S.plans.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]
            ui.select_field(
                "plan",
                "Plan",
                S.plans,
                errors=S.errors,
                empty="Choose a plan",
                hint="For terms of its own, build a draft under Plans and leave it unpublished: it stands here too.",
            ),
            ui.callout(
                "Build a plan first: a published one is for everybody, a draft can be for one customer.", tone="warning"
            ),
        ),
        ui.grid(
            ui.text_field(
                "timing",
                "Starts (UTC)",
                errors=S.errors,
                optional=True,
                type="datetime-local",
                hint="Empty: now.",
            ),
            ui.text_field(
                "billing_anchor",
                "Billing anchor (UTC)",
                errors=S.errors,
                optional=True,
                type="datetime-local",
                hint="Billing periods count from here. Empty: from the start.",
            ),
        ),
        ui.text_field("name", "Name", errors=S.errors, optional=True, hint="Empty: the plan's name."),
        ui.form_actions(
            ui.button("Cancel", on_click=S.stop_creating), ui.submit_button("Create subscription", busy=S.busy)
        ),
        on_submit=S.create,
    )


def _customer() -> rx.Component:
    picked = rx.el.div(
        rx.el.div(
            rx.el.p(S.chosen.name, class_name="font-medium"),
            rx.el.p(S.chosen.detail, class_name="text-[13px] text-muted empty:hidden"),
            class_name="min-w-0 flex-1",
        ),
        ui.button("Change", ui.screen_reader_only(" customer"), size="small", on_click=S.choose_another),
        class_name="flex items-center gap-3 rounded-control border border-line-strong px-3 py-2",
    )
    search = rx.el.div(
        rx.el.input(
            type="search",
            name="customer_search",
            on_change=S.find_customers.debounce(200),
            placeholder="Name, key or email",
            auto_complete="off",
            # An input of no form: Enter in the search must not send the form around it.
            custom_attrs={"id": "customer_search", "form": "no_form"},
            class_name=(
                "h-9 w-full rounded-control border border-line-strong bg-panel px-3 text-base md:text-sm text-ink"
            ),
        ),
        rx.el.ul(rx.foreach(S.hits, _hit), aria_label="Customers found", class_name="flex flex-col"),
        rx.cond(
            S.hits.length() == 0,  # pyright: ignore[reportAttributeAccessIssue]
            rx.el.p("No customer fits.", class_name="px-2.5 text-muted"),
            rx.fragment(),
        ),
        class_name="flex flex-col gap-1",
    )
    return rx.el.div(
        rx.cond(
            S.chosen.id != "",
            rx.el.p("Customer", class_name="font-medium text-ink"),
            rx.el.label("Customer", html_for="customer_search", class_name="font-medium text-ink"),
        ),
        rx.cond(S.chosen.id != "", picked, search),
        rx.cond(
            S.errors["customer_id"],
            rx.el.p(S.errors["customer_id"], role="alert", class_name="text-[13px] text-danger-ink"),
            rx.fragment(),
        ),
        class_name="flex min-w-0 flex-col gap-1.5",
    )


def _hit(hit: rx.Var[CustomerHit]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(hit.name, class_name="font-medium text-ink"),
            rx.el.span(hit.detail, class_name="text-[13px] text-muted"),
            type="button",
            on_click=S.choose_customer(hit.id),
            class_name=(
                "flex w-full flex-wrap justify-between gap-x-4 rounded-control px-2.5 py-1.5 text-left hover:bg-sunken"
            ),
        )
    )
