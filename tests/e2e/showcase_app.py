"""Every component on one page, for eyes and for axe. Built and served by tests only; see test_showcase.py."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import reflex as rx
from reflex_base.vars.object import ObjectVar

from dashboard.backend import running
from dashboard.dashboard import app
from dashboard.ui import components as ui
from dashboard.ui.layout import in_frame
from dashboard.ui.listing import Pager, SortLink, Tab
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.routes import PAGES, page
from dashboard.ui.shell_state import show_environment
from dashboard.ui.views import Moment, TimelineEntry, moment

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
STATUSES = {
    "draft": ui.Status("Draft", "neutral", "pencil-line"),
    "syncing": ui.Status("Syncing", "progress"),
    "approval": ui.Status("Needs approval", "review"),
    "issued": ui.Status("Issued", "open"),
    "paid": ui.Status("Paid", "success"),
    "action": ui.Status("Action required", "warning"),
    "failed": ui.Status("Payment failed", "danger"),
    "uncollectible": ui.Status("Uncollectible", "spent"),
}


@dataclass(frozen=True, slots=True)
class Row:
    href: str
    number: str
    customer: str
    status: str
    total: str
    issued: Moment


class ShowcaseState(rx.State):
    loading: bool = True
    rows: list[Row] = []
    sort: dict[str, SortLink] = {}
    tabs: list[Tab] = []
    pager: Pager = Pager()
    errors: dict[str, str] = {}
    events: list[TimelineEntry] = []
    query: str = ""
    shown: bool = False
    busy: bool = False
    heard: int = 0

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        await show_environment(self, "sandbox")
        names = list(STATUSES)
        self.rows = [
            Row(
                "/showcase",
                f"INV-{1000 + i}",
                "Acme GmbH",
                names[i % 8],
                f"${i * 1234:,}.00",
                moment(NOW - timedelta(hours=i * 3), NOW),
            )
            for i in range(12)
        ]
        self.sort = {"number": SortLink("?sort=-number", "ascending"), "total": SortLink("?sort=-total", "none")}
        self.tabs = [
            Tab("All", "/showcase", "130", True),
            Tab("Draft", "/showcase?tab=draft", "4"),
            Tab("Needs attention", "/showcase?tab=attention", "2"),
            Tab("Paid", "/showcase?tab=paid", ""),
        ]
        self.pager = Pager("1–12 of 130", "", "/showcase?page=2")
        self.errors = {"email": "This is not an email address."}
        self.events = [
            TimelineEntry(
                "Payment succeeded",
                moment(NOW - timedelta(minutes=4), NOW),
                "success",
                "ch_3Qw… by card ending 4242",
                "Stripe",
            ),
            TimelineEntry("Finalised in Stripe", moment(NOW - timedelta(minutes=9), NOW), "open", "", "Meterdesk"),
            TimelineEntry("Draft created", moment(NOW - timedelta(days=2), NOW), "neutral", "", "Ada Lovelace"),
        ]
        self.loading = False
        return ShowcaseState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        async for _ in news(self, "showcase"):
            async with self:
                self.heard += 1

    @rx.event
    @needs("operator")
    async def tell(self) -> None:
        await running().changes.publish(["showcase"])

    @rx.event
    @needs("operator")
    async def search(self, text: str) -> None:
        self.query = text

    @rx.event
    @needs("operator")
    async def submit(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        self.errors = {"name": f"Got {form}"}
        yield ui.toast_success("Saved", "Everything is in place.")

    @rx.event
    @needs("operator")
    async def open_it(self) -> None:
        self.shown = True

    @rx.event
    @needs("operator")
    async def close_it(self) -> None:
        self.shown = False

    @rx.event
    @needs("operator")
    async def fail(self) -> AsyncIterator[Any]:
        yield ui.toast_error("Stripe did not take the key.", "Check that it starts with sk_test_ and try again.")


@rx.memo
def showcase_row(row: ObjectVar[Row]) -> rx.Component:
    return ui.row(
        ui.cell(ui.row_link(row.number, href=row.href)),
        ui.cell(row.customer, hide_below="sm"),
        ui.cell(ui.status_badge(row.status, STATUSES)),
        ui.cell(ui.money(row.total), numeric=True),
        ui.cell(ui.date_time(row.issued), hide_below="md"),
        ui.cell(ui.copy_button(row.number, "Copy number"), class_name="text-right [&>button]:relative"),
    )


S = ShowcaseState


@page("/showcase", title="Showcase", on_load=S.load, parent="/")
def showcase() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Showcase",
            ui.link_button("Export", href="/showcase", icon_name="download"),
            ui.button("Create customer", tone="primary", icon_name="plus", on_click=ui.open_dialog("create")),
            ui.dropdown_menu(
                ui.menu_link("Open elsewhere", href="/showcase", icon_name="arrow-right"),
                ui.menu_button("Delete…", on_click=ui.open_dialog("delete"), icon_name="trash-2", danger=True),
                label="More actions",
            ),
            description="Every component of the set, once. Secondary text is muted and says what the page is for.",
            beside=ui.badge("Paid", "success"),
        ),
        ui.callout(
            "Two customers have no payment method yet.",
            title="Before you start billing",
            tone="warning",
            action=ui.button("Show them", size="small"),
        ),
        ui.callout("Sync failed: the key was revoked.", " Rotate the key.", title="Stripe refused", tone="danger"),
        ui.callout("Events are polled every 10 s, because there is no public URL."),
        ui.grid(
            ui.stat_card("Billed this month", "$48,210.00", hint="+12% on October", loading=S.loading),
            ui.stat_card("Outstanding", "$3,100.00", href="/showcase", loading=S.loading),
            ui.stat_card("Collected", "$45,110.00", hint="93.6% of billed", loading=S.loading),
            ui.stat_card("Needs attention", "2", href="/showcase", loading=S.loading),
            columns=4,
        ),
        ui.stepper(["Stripe API Key", "Webhook", "Collection", "Tax", "Billing profile"], 2),
        ui.tabs(S.tabs, label="Status"),
        ui.toolbar(
            ui.search_box(S.query, S.search, label="Search invoices", placeholder="Search invoices"),
            ui.filter_select("status", "Status", [("", "Any status"), ("paid", "Paid")], S.query, S.search),
        ),
        ui.data_table(
            [
                ui.Column("Number", sort="number"),
                ui.Column("Customer", hide_below="sm"),
                ui.Column("Status"),
                ui.Column("Total", sort="total", numeric=True),
                ui.Column("Issued", hide_below="md"),
                ui.Column("Actions", hidden_label=True),
            ],
            S.rows,
            lambda row: showcase_row(row=row),
            label="Invoices",
            loading=S.loading,
            empty=ui.empty_state("No invoices yet", "They appear when a customer is billed."),
            sort=S.sort,
            pager=ui.pager(S.pager),
        ),
        ui.grid(
            ui.card(
                ui.definition_list(
                    ("Customer", ui.link("Acme GmbH", href="/showcase")),
                    (
                        "Stripe customer",
                        ui.identifier(
                            "cus_QwErTyUiOp1234567890AbCdEf", href="https://dashboard.stripe.com/test/customers/cus_Q"
                        ),
                    ),
                    ("Key", ui.code("acme")),
                    ("Meter", ui.muted("none")),
                    columns=2,
                ),
                title="Details",
                actions=ui.button("Edit", size="small"),
            ),
            ui.card(ui.timeline(S.events), title="Timeline"),
        ),
        ui.card(
            ui.form(
                ui.grid(
                    ui.text_field("name", "Name", placeholder="Acme GmbH", errors=S.errors),
                    ui.text_field(
                        "email",
                        "Email",
                        type="email",
                        errors=S.errors,
                        default_value="not an email",
                        hint="Invoices go there.",
                    ),
                    ui.select_field(
                        "currency",
                        "Currency",
                        [ui.Option("USD", "US dollar"), ui.Option("EUR", "Euro")],
                        empty="Choose a currency",
                    ),
                    ui.textarea_field("note", "Note", optional=True),
                ),
                ui.radio_cards(
                    "method",
                    "Collection method",
                    [
                        ui.RadioCard(
                            "auto",
                            "Auto Collection",
                            "Stripe charges the default payment method when the invoice is finalised.",
                            "credit-card",
                        ),
                        ui.RadioCard(
                            "send",
                            "Send Invoice",
                            "Stripe mails the invoice; the customer pays within the days you set.",
                            "mail",
                        ),
                    ],
                    value="auto",
                ),
                ui.checkbox_field(
                    "default",
                    "Set this as the new default billing profile",
                    hint="Customers without an override use it.",
                ),
                ui.switch_field("tax", "Automatic tax", default_checked=True),
                ui.read_only_field("Account", ui.code("acct_123")),
                ui.form_actions(ui.button("Cancel"), ui.submit_button("Save", busy=S.busy)),
                on_submit=S.submit,
            ),
            title="Form",
            description="Fields with hints and errors.",
        ),
        ui.card(
            ui.stack(
                ui.inline(*(ui.status_badge(status, STATUSES) for status in STATUSES), ui.count_badge("4")),
                ui.inline(
                    ui.button("Secondary"),
                    ui.button("Primary", tone="primary"),
                    ui.button("Quiet", tone="quiet"),
                    ui.button("Danger", tone="danger", on_click=ui.open_dialog("delete")),
                    ui.button("Busy", tone="primary", busy=True),
                    ui.button("Disabled", disabled=True),
                    ui.external_button("Open in Stripe", href="https://stripe.com"),
                    ui.button("State dialog", on_click=S.open_it),
                    ui.button("Fail", on_click=S.fail),
                    ui.button("Tell news", on_click=S.tell),
                    rx.el.span("News heard: ", S.heard),
                    rx.cond(S.query, rx.el.span("Searched for ", S.query), rx.fragment()),
                ),
                ui.secret("whsec_8f3b2d5c9a7e4f1b8f3b2d5c9a7e4f1b"),
                ui.code_block('{\n  "id": "evt_1",\n  "type": "invoice.paid"\n}', "Payload"),
                ui.progress(30, 100, "Importing customers"),
                ui.skeleton("h-4 w-64"),
            ),
            title="Pieces",
        ),
        ui.card(
            ui.empty_state(
                "No meters",
                "A meter says how events are counted.",
                action=ui.link_button("Create meter", href="/showcase"),
            ),
            title="Empty",
            flush=True,
        ),
        ui.danger_card(
            ui.button("Delete customer…", tone="danger", on_click=ui.open_dialog("delete")),
            description="Deletes the customer here. Stripe keeps its own.",
        ),
        ui.dialog(
            "create",
            ui.form(
                ui.text_field("name", "Name", id="create-name"),
                ui.checkbox_field("prepaid", "Prepaid", id="create-prepaid"),
                ui.checkbox_field("untouched", "Untouched", id="create-untouched"),
                ui.form_actions(
                    ui.button("Cancel", on_click=ui.close_dialog("create")), ui.submit_button("Create Customer")
                ),
                on_submit=[ui.close_dialog("create"), S.submit],
            ),
            title="Create Customer",
            description="Who is billed.",
        ),
        ui.dialog(
            "stateful", rx.el.p("Opened by the state."), title="From the server", shown=S.shown, on_close=S.close_it
        ),
        ui.confirm_dialog(
            "delete",
            rx.el.p("Acme GmbH disappears from the lists. Stripe keeps the customer."),
            title="Delete Acme GmbH?",
            confirm="Delete customer",
            on_confirm=S.fail,
            type_to_confirm="acme",
        ),
    )


app.add_page(in_frame(PAGES["/showcase"]), route="/showcase", title="Showcase", on_load=[S.load])
