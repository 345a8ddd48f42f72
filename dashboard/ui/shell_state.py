"""What the frame around every page shows: who is signed in, and where the money on the page lives."""

import reflex as rx

from dashboard.access.views import Role
from dashboard.ui.roles import needs
from dashboard.ui.sessions import signed_in_user


class ShellState(rx.State):
    """Filled when a page loads. What a role hides here is courtesy; the guard refuses on the server."""

    user_name: str = ""
    user_email: str = ""
    user_role: str = ""
    may_operate: bool = False
    may_administer: bool = False
    is_owner: bool = False
    environment: str = ""

    _bound_to: str = ""

    @rx.event
    @needs("viewer")
    async def load(self) -> None:
        """Shows who is signed in. Stands before every page's own load."""
        user = await signed_in_user(self)
        self.user_name = user.name or user.email
        self.user_email = user.email
        self.user_role = user.role
        self.may_operate = user.role.reaches(Role.OPERATOR)
        self.may_administer = user.role.reaches(Role.ADMIN)
        self.is_owner = user.role is Role.OWNER
        self.environment = ""


async def show_environment(state: rx.State, environment: str) -> None:
    """Sets the badge in the top bar to `sandbox`, `test` or `live`; "" hides it. For load handlers."""
    shell = await state.get_state(ShellState)
    shell.environment = environment
