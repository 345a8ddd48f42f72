"""Team: the people who may sign in, one's own account, and what everybody did."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.routes import page
from dashboard.ui.team.account import account_tab
from dashboard.ui.team.audit import audit_tab
from dashboard.ui.team.people import invite_button, people_tab
from dashboard.ui.team.state import TeamState


@page("/settings/team", title="Team", on_load=TeamState.load)
def team() -> rx.Component:
    return rx.fragment(
        ui.page_header(
            "Team",
            rx.cond(TeamState.part == "people", invite_button(), rx.fragment()),
            description="Who may sign in, what they may do, and what was done.",
        ),
        ui.tabs(TeamState.tabs, "Team"),
        rx.match(TeamState.part, ("account", account_tab()), ("audit", audit_tab()), people_tab()),
    )
