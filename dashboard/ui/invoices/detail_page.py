"""`/invoices/[invoice_id]`: badges, actions that are possible now, lines that explain themselves, timeline, Stripe."""

import reflex as rx

from dashboard.billing.views import InvoiceAction
from dashboard.ui import components as ui
from dashboard.ui.api_calls import api_call_button, api_call_dialog
from dashboard.ui.invoices.detail_state import DetailRow, InvoiceState, IssueRow, LineRow
from dashboard.ui.invoices.totals import TotalRow
from dashboard.ui.invoices.words import DOCUMENT, PAYMENT, SYNC
from dashboard.ui.routes import page
from dashboard.ui.shell_state import ShellState

S = InvoiceState


@page("/invoices/[invoice_id]", title="Invoice", name=S.invoice.number, parent="/invoices", on_load=S.load)
def invoice() -> rx.Component:
    return rx.cond(
        S.missing,
        rx.fragment(
            ui.page_header("Invoice"),
            ui.empty_state(
                "There is no such invoice",
                "The address may be mistyped.",
                icon_name="receipt-text",
                action=ui.link_button("All invoices", href="/invoices"),
            ),
        ),
        rx.cond(S.loading, rx.fragment(ui.page_header("Invoice"), ui.skeleton_card(), ui.skeleton_card()), _invoice()),
    )


def _invoice() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            S.invoice.number,
            rx.cond(ShellState.may_operate, _actions(), rx.fragment()),
            description=rx.fragment(
                ui.link(S.invoice.customer_name, href=S.invoice.customer_href), " · ", S.invoice.total
            ),
            beside=_badges(),
        ),
        rx.cond(S.problem != "", ui.callout(S.problem, title="That did not work", tone="danger"), rx.fragment()),
        rx.foreach(S.issues, _issue),
        _waiting(),
        rx.el.div(
            rx.el.div(_lines_card(), _timeline_card(), class_name="flex min-w-0 flex-col gap-5 lg:col-span-2"),
            rx.el.div(_stripe_card(), _details_card(), class_name="flex min-w-0 flex-col gap-5"),
            class_name="grid gap-5 lg:grid-cols-3",
        ),
        ui.inline(api_call_button("invoice-api")),
        api_call_dialog(
            "invoice-api",
            ("Read this invoice", S.calls["read"]),
            ("Continue", S.calls["advance"]),
            ("Approve", S.calls["approve"]),
            ("Retry", S.calls["retry"]),
            ("Void", S.calls["void"]),
            ("Delete the draft", S.calls["delete"]),
        ),
        _dialogs(),
    )


def _badges() -> rx.Component:
    return ui.inline(
        ui.status_badge(S.invoice.document, DOCUMENT),
        rx.cond(S.invoice.payment != "", ui.status_badge(S.invoice.payment, PAYMENT), rx.fragment()),
        ui.status_badge(S.invoice.sync, SYNC),
    )


def _action(action: InvoiceAction, label: str, icon_name: str, tone: str = "secondary") -> rx.Component:
    return rx.cond(
        S.can[action.value],
        ui.button(label, tone=tone, icon_name=icon_name, on_click=S.act(action.value), busy=S.busy == action.value),
        rx.fragment(),
    )


def _asked(action: InvoiceAction, label: str, icon_name: str, *, danger: bool = False) -> rx.Component:
    return rx.cond(
        S.can[action.value],
        ui.menu_button(label, on_click=ui.open_dialog(action.value), icon_name=icon_name, danger=danger),
        rx.fragment(),
    )


def _actions() -> rx.Component:
    A = InvoiceAction
    more = (
        S.can["mark_paid"]
        | S.can["mark_uncollectible"]
        | S.can["void"]
        | S.can["delete"]
        | S.can["credit"]
        | S.can["send"]
    )
    return ui.inline(
        _action(A.ADVANCE, "Continue", "step-forward"),
        _action(A.SNAPSHOT_QUANTITIES, "Do not wait for usage", "timer-off"),
        _action(A.RETRY, "Retry", "rotate-cw", "primary"),
        _action(A.APPROVE, "Approve", "check", "primary"),
        _action(A.PAY, "Charge now", "credit-card", "primary"),
        rx.cond(
            more,
            ui.dropdown_menu(
                _asked(A.SEND, "Send again…", "mail"),
                _asked(A.MARK_PAID, "Mark paid…", "banknote"),
                rx.cond(
                    S.can["credit"],
                    ui.menu_button("Credit or refund…", on_click=S.start_crediting, icon_name="undo-2"),
                    rx.fragment(),
                ),
                _asked(A.MARK_UNCOLLECTIBLE, "Mark uncollectible…", "ban"),
                _asked(A.VOID, "Void…", "circle-slash", danger=True),
                _asked(A.DELETE, "Delete draft…", "trash-2", danger=True),
                label="More actions",
            ),
            rx.fragment(),
        ),
    )


def _issue(issue: rx.Var[IssueRow]) -> rx.Component:
    return rx.cond(
        issue.tone == "danger",
        ui.callout(issue.remedy, title=issue.message, tone="danger"),
        ui.callout(issue.remedy, title=issue.message, tone="warning"),
    )


def _waiting() -> rx.Component:
    invoice = S.invoice
    return rx.fragment(
        rx.cond(
            invoice.next_attempt.iso != "",
            ui.callout(
                rx.fragment(
                    "Tried ",
                    invoice.attempts,
                    " times. Next attempt ",
                    ui.date_time(invoice.next_attempt),
                    ", by itself.",
                ),
                title="Stripe could not be reached",
                tone="warning",
            ),
            rx.fragment(),
        ),
        rx.cond(
            S.stripe.failure != "",
            ui.callout(
                rx.fragment(
                    S.stripe.failure,
                    rx.cond(
                        S.stripe.next_payment_attempt.iso != "",
                        rx.fragment(" Stripe tries again ", ui.date_time(S.stripe.next_payment_attempt), "."),
                        rx.fragment(),
                    ),
                ),
                title=rx.cond(S.stripe.status == "draft", "Stripe could not finalise it", "The payment failed"),
                tone="danger",
            ),
            rx.fragment(),
        ),
    )


def _lines_card() -> rx.Component:
    return ui.card(
        rx.el.ul(rx.foreach(S.lines, _line), class_name="divide-y divide-line"),
        rx.cond(
            S.foreign.length() > 0,
            rx.el.div(
                rx.el.p("Added in Stripe, not ours", class_name="text-[13px] font-medium text-muted"),
                rx.foreach(S.foreign, _total),
                class_name="border-t border-line px-5 py-3",
            ),
            rx.fragment(),
        ),
        rx.el.div(rx.foreach(S.totals, _total), class_name="border-t border-line px-5 py-3"),
        title="Lines",
        flush=True,
    )


def _line(line: rx.Var[LineRow]) -> rx.Component:
    return rx.el.li(
        rx.el.details(
            rx.el.summary(
                rx.el.div(
                    rx.el.p(line.name, class_name="font-medium"),
                    rx.el.p(
                        line.period,
                        rx.cond(line.tax != "", " · " + line.tax, ""),
                        class_name="text-[13px] text-muted",
                    ),
                    class_name="min-w-0 flex-1",
                ),
                ui.money(line.amount, class_name="font-medium"),
                ui.icon("chevron-down", 15, "text-muted"),
                class_name="flex cursor-pointer items-start gap-3 px-5 py-3 hover:bg-sunken/60",
            ),
            rx.el.div(
                rx.el.p("Why this amount", class_name="text-[13px] font-medium text-muted"),
                rx.cond(line.description != "", rx.el.p(line.description), rx.fragment()),
                rx.cond(line.is_metered, _metering(line), rx.fragment()),
                rx.foreach(line.steps, lambda step: rx.el.p(step, class_name="text-[13px] text-muted")),
                rx.cond(
                    line.details.length() > 0,
                    rx.foreach(line.details, _detail),
                    ui.muted("Nothing to charge for in this period."),
                ),
                class_name="flex flex-col gap-2 bg-sunken/50 px-5 py-3",
            ),
        )
    )


def _metering(line: rx.Var[LineRow]) -> rx.Component:
    found = line.metering
    return rx.el.div(
        ui.definition_list(
            (
                "Metered",
                rx.cond(
                    found.metered != "",
                    rx.fragment(
                        found.metered,
                        rx.cond(found.before != "", rx.fragment(" (after ", found.before, " before)"), rx.fragment()),
                    ),
                    ui.muted("not counted yet"),
                ),
            ),
            ("Priced", rx.cond(found.priced != "", found.priced, "all of it")),
            ("From – to", found.window),
            (
                "Meter",
                rx.cond(
                    found.meter != "",
                    rx.fragment(
                        ui.link(found.meter, href=found.meter_href, class_name="underline"),
                        rx.foreach(found.filters, lambda one: rx.el.span(", only ", one)),
                    ),
                    ui.muted("deleted since"),
                ),
            ),
            columns=2,
        ),
        rx.cond(
            found.events_href != "",
            ui.link_button(
                "See the events", ui.screen_reader_only(" of ", line.name), href=found.events_href, size="small"
            ),
            rx.fragment(),
        ),
        class_name="flex flex-col items-start gap-3 rounded-control border border-line bg-panel px-4 py-3",
    )


def _detail(detail: rx.Var[DetailRow]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.span(detail.name, " ", rx.el.span(detail.figure, class_name="text-muted tabular-nums")),
            ui.money(detail.amount),
            class_name="flex flex-wrap items-baseline justify-between gap-3",
        ),
        rx.cond(
            detail.steps.length() > 0,
            rx.el.ol(
                rx.foreach(detail.steps, lambda step: rx.el.li(step)),
                class_name="ml-5 list-decimal text-[13px] text-muted",
            ),
            rx.fragment(),
        ),
    )


def _total(row: rx.Var[TotalRow]) -> rx.Component:
    return rx.el.div(
        rx.el.span(row.name),
        ui.money(row.amount),
        class_name=rx.cond(
            row.strong,
            "flex justify-between gap-3 py-1 font-semibold text-ink",
            "flex justify-between gap-3 py-1 text-muted",
        ),
    )


def _timeline_card() -> rx.Component:
    return ui.card(ui.timeline(S.timeline), title="Timeline")


def _stripe_card() -> rx.Component:
    stripe = S.stripe
    return ui.card(
        rx.cond(
            stripe.id != "",
            ui.stack(
                ui.definition_list(
                    (
                        "Stripe invoice",
                        rx.cond(
                            stripe.dashboard_url != "",
                            ui.identifier(stripe.id, href=stripe.dashboard_url),
                            ui.identifier(stripe.id),
                        ),
                    ),
                    ("Status at Stripe", stripe.status),
                    ("Amount due", _or_none(stripe.due)),
                    ("Amount paid", _or_none(stripe.paid)),
                    ("Payment attempts", _or_none(stripe.attempts)),
                ),
                ui.inline(
                    rx.cond(
                        stripe.hosted_url != "",
                        ui.external_button("Hosted invoice page", href=stripe.hosted_url, size="small"),
                        rx.fragment(),
                    ),
                    rx.cond(
                        stripe.pdf_url != "",
                        ui.external_button("PDF", href=stripe.pdf_url, size="small"),
                        rx.fragment(),
                    ),
                ),
            ),
            ui.muted("Nothing is in Stripe yet."),
        ),
        title="Stripe",
    )


def _or_none(value: rx.Var[str]) -> rx.Component:
    return rx.cond(value != "", value, ui.muted("none"))


def _when(value: rx.Var) -> rx.Component:
    return rx.cond(value.iso != "", ui.exact_time(value), ui.muted("not yet"))


def _details_card() -> rx.Component:
    invoice = S.invoice
    return ui.card(
        ui.definition_list(
            ("Customer", ui.link(invoice.customer_name, href=invoice.customer_href)),
            ("Collection", _or_none(invoice.collection)),
            ("Approval", _or_none(invoice.approval)),
            ("Tax", _or_none(invoice.tax)),
            ("Supplier", _or_none(invoice.supplier)),
            ("Period", _or_none(invoice.period)),
            ("Memo", _or_none(invoice.description)),
            ("PO number", _or_none(invoice.purchase_order)),
            ("Created", ui.exact_time(invoice.created)),
            (
                "Waits for usage until",
                rx.cond(invoice.collection_at.iso != "", ui.exact_time(invoice.collection_at), "no waiting"),
            ),
            ("Issued", _when(invoice.issued)),
            ("Due", rx.cond(invoice.due.iso != "", ui.exact_time(invoice.due), "at once")),
            ("Paid", _when(invoice.paid)),
            ("Id", ui.identifier(invoice.id)),
        ),
        title="Details",
    )


def _dialogs() -> rx.Component:
    A = InvoiceAction
    return rx.fragment(
        ui.confirm_dialog(
            A.SEND.value,
            rx.el.p("Stripe emails the invoice to the address of the Stripe customer once more."),
            title="Send this invoice again?",
            confirm="Send again",
            on_confirm=S.act(A.SEND.value),
            tone="primary",
        ),
        ui.confirm_dialog(
            A.MARK_PAID.value,
            rx.el.p("For money that came another way, such as a bank transfer. Stripe collects nothing more for it."),
            title="Mark this invoice paid?",
            confirm="Mark paid",
            on_confirm=S.act(A.MARK_PAID.value),
            tone="primary",
        ),
        ui.confirm_dialog(
            A.MARK_UNCOLLECTIBLE.value,
            rx.el.p("Stripe stops trying to collect it. It can still be paid later."),
            title="Give up collecting this invoice?",
            confirm="Mark uncollectible",
            on_confirm=S.act(A.MARK_UNCOLLECTIBLE.value),
        ),
        ui.confirm_dialog(
            A.VOID.value,
            rx.el.p("The customer owes nothing for it, here and in Stripe. This cannot be taken back."),
            title="Void this invoice?",
            confirm="Void invoice",
            on_confirm=S.act(A.VOID.value),
        ),
        ui.confirm_dialog(
            A.DELETE.value,
            rx.el.p("The draft is removed here and in Stripe. What was billed on it is not billed again by itself."),
            title="Delete this draft?",
            confirm="Delete draft",
            on_confirm=S.act(A.DELETE.value),
        ),
        ui.dialog(
            "credit-invoice",
            rx.cond(S.crediting, _credit_form(), rx.fragment()),
            title="Credit or refund",
            description="Before payment a credit lowers what is owed; afterwards it is kept as balance, or refunded.",
            shown=S.crediting,
            on_close=S.stop_crediting,
        ),
    )


def _credit_form() -> rx.Component:
    return ui.form(
        rx.cond(S.errors["form"], ui.form_error(S.errors["form"]), rx.fragment()),
        ui.text_field(
            "amount",
            rx.fragment("Amount in ", S.invoice.currency),
            errors=S.errors,
            id="credit-amount",
            input_mode="decimal",
            auto_complete="off",
        ),
        ui.text_field("reason", "Reason", errors=S.errors, id="credit-reason", optional=True),
        rx.cond(
            S.invoice.document == "paid",
            ui.checkbox_field("refund", "Refund it to the payment method"),
            rx.fragment(),
        ),
        ui.form_actions(
            ui.button("Cancel", on_click=S.stop_crediting), ui.submit_button("Credit", busy=S.busy == "credit")
        ),
        on_submit=S.credit,
    )
