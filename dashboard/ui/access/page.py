"""Sign in, and create the owner account. Plain forms, posted by the browser, because a cookie comes back."""

import reflex as rx

from dashboard.ui import components as ui
from dashboard.ui.access.state import SignInState
from dashboard.ui.layout import mark
from dashboard.ui.routes import PRODUCT, page


@page("/login", title="Sign in", on_load=SignInState.load, bare=True)
def login() -> rx.Component:
    return _alone(
        "Sign in",
        "Welcome back to your billing desk.",
        ui.form_error(SignInState.problem),
        ui.native_form(
            rx.el.input(type="hidden", name="next", value=SignInState.next_path, read_only=True),
            ui.text_field("email", "Email", type="email", auto_complete="username", auto_focus=True),
            ui.text_field("password", "Password", type="password", auto_complete="current-password"),
            ui.submit_button("Sign in", class_name="w-full"),
            action="/auth/login",
        ),
    )


@page("/setup", title="Create the owner account", on_load=SignInState.load, bare=True)
def setup() -> rx.Component:
    return _alone(
        "Create the owner account",
        "You are the first one here. The owner may do everything, and can invite others later.",
        ui.form_error(SignInState.problem),
        ui.native_form(
            ui.text_field("name", "Your name", auto_complete="name", auto_focus=True, max_length=100),
            ui.text_field("email", "Email", type="email", auto_complete="username"),
            *_new_password(),
            ui.submit_button("Create the owner account", class_name="w-full"),
            action="/auth/setup",
        ),
    )


@page("/set-password", title="Choose your password", on_load=SignInState.load, bare=True)
def set_password() -> rx.Component:
    return _alone(
        "Choose your password",
        "Your invitation or password link works once. You are signed in right after.",
        ui.form_error(SignInState.problem),
        ui.native_form(
            rx.el.input(type="hidden", name="token", value=SignInState.token, read_only=True),
            *_new_password(),
            # Without the token, which comes a moment after the page, the link would be called spent.
            ui.submit_button("Set password and sign in", class_name="w-full", disabled=SignInState.token == ""),
            action="/auth/password",
        ),
    )


def _new_password() -> list[rx.Component]:
    return [
        ui.text_field(
            "password",
            "Password",
            type="password",
            auto_complete="new-password",
            min_length=8,
            hint="At least 8 characters; longer is better than stranger.",
        ),
        ui.text_field("password_again", "Password again", type="password", auto_complete="new-password"),
    ]


def _alone(title: str, description: str, *children: rx.Component) -> rx.Component:
    return rx.el.main(
        rx.el.div(
            rx.el.div(mark("32"), rx.el.span(PRODUCT, class_name="text-lg font-semibold"), class_name=_BRAND),
            rx.el.div(
                rx.el.h1(title, class_name="text-xl font-semibold tracking-tight"),
                rx.el.p(description, class_name="mb-5 mt-1 text-muted"),
                *(rx.el.div(child, class_name="[&:not(:empty)]:mb-4 last:!mb-0") for child in children),
                class_name="rounded-card border border-line bg-panel p-6 sm:p-8",
            ),
            class_name="w-full max-w-[420px]",
        ),
        class_name="flex min-h-dvh items-start justify-center bg-canvas px-4 py-10 text-ink sm:py-24",
    )


_BRAND = "mb-6 flex items-center justify-center gap-3"
