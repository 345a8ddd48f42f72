"""Which part of the team page is open: people, one's own account, or the audit log."""

from typing import Any

import reflex as rx

from dashboard.ui.listing import Address, Tab
from dashboard.ui.roles import needs
from dashboard.ui.team.account_state import AccountState
from dashboard.ui.team.audit_state import AuditState
from dashboard.ui.team.people_state import PeopleState

PARTS = {"people": "People", "account": "Your account", "audit": "Audit log"}


class TeamState(rx.State):
    """The open tab; each tab has a state of its own."""

    part: str = "people"
    tabs: list[Tab] = []

    @rx.event
    @needs("viewer")
    def load(self) -> Any:
        """Reads the address, then lets the open part load itself."""
        address = Address.of(self)
        self.part = address.choice("tab", PARTS, "people")
        self.tabs = [
            Tab(label, address.path + ("" if part == "people" else f"?tab={part}"), current=part == self.part)
            for part, label in PARTS.items()
        ]
        return {"people": PeopleState.load, "account": AccountState.load, "audit": AuditState.load}[self.part]
