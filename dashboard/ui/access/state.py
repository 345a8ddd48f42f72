"""What the sign-in pages show after a refusal. The refusal comes back in the address, as a code."""

import reflex as rx

from dashboard.kit.web import local_path
from dashboard.ui.listing import Address
from dashboard.ui.roles import open_to_anyone

SIGN_IN_PROBLEMS = {
    "wrong_credentials": (
        "This email and password do not go together. Try again, or ask an owner for a new password link."
    ),
    "sign_in_slowed_down": "Too many attempts. Wait a minute, then try again.",
    "foreign_origin": "That form came from another address. Sign in here.",
}
NEW_PASSWORD_PROBLEMS = {
    "invalid_email": "This is not an email address.",
    "invalid_name": "Write your name on one line, at most 100 characters.",
    "invalid_password": "A password has 8 to 256 characters.",
    "passwords_differ": "The two passwords are not the same.",
    "owner_exists": "Somebody set this Meterdesk up before. Sign in instead.",
    "password_link_spent": (
        "This link was used before, was replaced, or is too old. Ask an owner or admin for a new one."
    ),
    "foreign_origin": "That form came from another address. Fill it in here.",
}


class SignInState(rx.State):
    """The note above the form, and where to go afterwards."""

    problem: str = ""
    next_path: str = "/"
    token: str = ""

    @rx.event
    @open_to_anyone
    def load(self) -> None:
        """Reads the address. Only sentences of ours are shown, never text from it."""
        address = Address.of(self)
        code = address.text("problem")
        known = SIGN_IN_PROBLEMS if address.path == "/login" else NEW_PASSWORD_PROBLEMS
        self.problem = known.get(code, "That did not work. Please try again." if code else "")
        self.next_path = local_path(address.text("next", "/"))
        self.token = address.text("token")
        if address.path == "/set-password" and not self.token:
            # Nothing can be sent from here without one, so it says why.
            self.problem = NEW_PASSWORD_PROBLEMS["password_link_spent"]
