"""What the frame around every page shows: who is signed in, and where the money on the page lives."""

import reflex as rx

from dashboard.access.views import Role, SignedInUser


class ShellState(rx.State):
    """Filled by the guard, which asks who is signed in before it lets a page load.

    What a role hides here is courtesy; the guard refuses on the server.
    """

    user_name: str = ""
    user_email: str = ""
    user_role: str = ""
    may_operate: bool = False
    may_administer: bool = False
    is_owner: bool = False

    _bound_to: str = ""
    _environment: tuple[str, str] = ("", "")

    @rx.var
    def environment(self) -> str:
        """`sandbox`, `test` or `live` on the address that said so; empty everywhere else."""
        address, environment = self._environment
        return environment if address == str(self.router.url) else ""

    def _show(self, user: SignedInUser) -> None:
        name = user.name or user.email
        if (name, user.email, user.role) == (self.user_name, self.user_email, self.user_role):
            # What is set is sent, even when it is the same.
            return
        self.user_name, self.user_email, self.user_role = name, user.email, user.role
        self.may_operate = user.role.reaches(Role.OPERATOR)
        self.may_administer = user.role.reaches(Role.ADMIN)
        self.is_owner = user.role is Role.OWNER


async def show_environment(state: rx.State, environment: str) -> None:
    """Sets the badge in the top bar to `sandbox`, `test` or `live`, for as long as the tab stays on this address."""
    shell = await state.get_state(ShellState)
    said = (str(state.router.url), environment)
    if shell._environment != said:
        shell._environment = said
