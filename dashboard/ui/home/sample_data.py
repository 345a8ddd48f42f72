"""*Load sample data* on an empty desk, how far it is, and the way to be rid of it again."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.home.sample_state import SampleDataState
from dashboard.ui.shell_state import ShellState

S = SampleDataState
_REMOVE = "remove-sample-data"


def sample_data_offer() -> rx.Component:
    """Near the top: the offer on an empty desk, the progress, and what went wrong or had to stay."""
    return rx.fragment(
        rx.cond(
            S.problem != "",
            ui.callout(S.remedy, title=S.problem, tone="danger"),
            rx.fragment(),
        ),
        rx.cond(
            S.loading | S.removing,
            _progress(),
            rx.cond(S.offered & ShellState.may_administer, _offer(), rx.fragment()),
        ),
        rx.cond(
            (S.left.length() > 0) & ~S.loading & ~S.removing,  # pyright: ignore[reportAttributeAccessIssue]
            ui.callout(
                rx.el.ul(rx.foreach(S.left, lambda sentence: rx.el.li(sentence)), class_name="list-disc pl-5"),
                title="The sample data was removed; this had to stay",
                tone="info",
            ),
            rx.fragment(),
        ),
    )


def sample_data_removal() -> rx.Component:
    """At the end of the page, while the demo company is here."""
    remove = ui.button("Remove sample data…", icon_name="trash-2", on_click=ui.open_dialog(_REMOVE))
    return rx.cond(
        S.present & ShellState.may_administer & ~S.loading & ~S.removing,
        rx.fragment(
            ui.card(
                rx.el.p("The demo company is among your data. It is marked, and nothing else is touched."),
                title="Sample data",
                actions=remove,
            ),
            ui.confirm_dialog(
                _REMOVE,
                rx.el.ul(
                    rx.el.li("Its subscriptions are cancelled now, its open invoices voided, its drafts deleted."),
                    rx.el.li("Its customers, plans, features, meters, tax codes and billing profiles go."),
                    rx.el.li("Issued invoices and usage events stay, as papers do."),
                    class_name="flex list-disc flex-col gap-1 pl-5",
                ),
                title="Remove the sample data?",
                confirm="Remove sample data",
                on_confirm=S.remove_sample_data,
            ),
        ),
        rx.fragment(),
    )


def _offer() -> rx.Component:
    return ui.card(
        ui.stack(
            rx.el.p(
                "A demo company in the built-in Stripe sandbox: three plans, thirty customers, 90 days of usage, and "
                "invoices in every state. No money moves, and you can remove it again.",
                class_name="max-w-[80ch]",
            ),
            ui.inline(ui.button("Load sample data", icon_name="flask-conical", on_click=S.load_sample_data)),
        ),
        title="Look around first",
    )


def _progress() -> rx.Component:
    return ui.card(
        rx.el.div(ui.progress(S.done, S.total, S.step), aria_live="polite"),
        title=rx.cond(S.loading, "Loading sample data", "Removing sample data"),
        description="It goes on when you leave this page.",
    )
