"""The checkout page: hosted, and the same form in a frame for the embedded mode."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.pages import forms
from dashboard.stripe_sandbox.pages.rendering import notice, page, see
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.resources import accounts, checkout_sessions


class CheckoutPages:
    """Shows the form, takes it, and sends the browser on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def show(self, request: Request) -> Response:
        """The form of an open session; a word about any other."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return notice("Page not found", "There is no such checkout page.", 404)
        if session["status"] != "open":
            return _closed(session, request)
        customer = ctx.get(session["customer"]) or {}
        given = forms.entered(
            None,
            email=session["customer_email"] or customer.get("email") or "",
            name=customer.get("name") or "",
            **({"country": ctx.state().get("country", "US")} | _known_address(customer)),
        )
        intent = ctx.get(session["setup_intent"]) or {}
        error = intent.get("last_setup_error")
        if error:
            given.errors[""] = error["message"]
        return self._form(ctx, session, given, request)

    async def submit(self, request: Request) -> Response:
        """The typed form: complaints, 3-D Secure, or done."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return notice("Page not found", "There is no such checkout page.", 404)
        if session["status"] != "open":
            return _closed(session, request)
        given = forms.entered(await request.form())
        forms.check_email(given, required=not session["customer"])
        try:
            with ctx.store.work():
                session = ctx.need("checkout.session", session["id"])
                method = forms.read_method(ctx, given, session["payment_method_types"])
                if method is None or given.errors:
                    return self._form(ctx, session, given, request, 422)
                ctx.save(method)
                checkout_sessions.complete(
                    ctx,
                    session,
                    method,
                    email=given.get("email") or None,
                    name=given.get("name") or None,
                    address_given=forms.read_address(given),
                    tax_id=_tax_id(given),
                )
                intent = ctx.need("setup_intent", session["setup_intent"], "setup_intent")
                waits = intent["status"] == "requires_action"
                challenge = intent["next_action"]["redirect_to_url"]["url"] if waits else None
        except ApiError as error:
            self._sandbox.sender.wake()
            given.errors["tax_id" if error.code == "tax_id_invalid" else ""] = error.body["message"]
            return self._form(ctx, session, given, request, 422)
        self._sandbox.sender.wake()
        if challenge:
            return see(challenge + ("&embedded=1" if _embedded(request) else ""))
        return see(f"/c/pay/{session['id']}/done" + ("?embedded=1" if _embedded(request) else ""))

    async def done(self, request: Request) -> Response:
        """After completion (or a refused 3-D Secure): on to where the seller wants the customer."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return notice("Page not found", "There is no such checkout page.", 404)
        if session["status"] == "open":
            return see(f"/c/{'embed' if _embedded(request) else 'pay'}/{session['id']}")
        if _embedded(request):
            url = checkout_sessions.return_url(session) if session.get("redirect_on_completion") != "never" else None
            return page("embedded_done.html", frameable=True, return_url=url)
        return see(checkout_sessions.return_url(session) or "/")

    def _session(self, request: Request) -> tuple[Context | None, dict[str, Any] | None]:
        id = request.path_params["session"]
        ctx = self._sandbox.page_context(id)
        return ctx, ctx.get(id) if ctx else None

    def _form(
        self, ctx: Context, session: dict[str, Any], given: forms.Entered, request: Request, status: int = 200
    ) -> Response:
        embedded = _embedded(request)
        collects_tax_id = (session.get("tax_id_collection") or {}).get("enabled", False)
        return page(
            "checkout.html",
            status,
            frameable=embedded,
            seller=accounts.display_name(ctx),
            session=session,
            given=given,
            embedded=embedded,
            whole_address=session["billing_address_collection"] == "required" or collects_tax_id,
            collects_tax_id=collects_tax_id,
            asks_email=not (ctx.get(session["customer"]) or {}).get("email"),
            **forms.form_values(session["payment_method_types"]),
        )


def routes(sandbox: Sandbox) -> list[Route]:
    """`/c/pay/…` hosted, `/c/embed/…` framed."""
    pages = CheckoutPages(sandbox)
    return [
        Route("/c/pay/{session}", pages.show, methods=["GET"]),
        Route("/c/pay/{session}", pages.submit, methods=["POST"]),
        Route("/c/embed/{session}", pages.show, methods=["GET"]),
        Route("/c/embed/{session}", pages.submit, methods=["POST"]),
        Route("/c/pay/{session}/done", pages.done, methods=["GET"]),
    ]


def after_challenge(ctx: Context, intent: dict[str, Any], embedded: bool) -> str:
    """3-D Secure is over: complete the session if it went well; where the browser goes next."""
    session = ctx.need("checkout.session", intent["_checkout_session"])
    if intent["status"] == "succeeded" and session["status"] == "open":
        checkout_sessions.finish(ctx, session, intent)
    return f"/c/pay/{session['id']}/done" + ("?embedded=1" if embedded else "")


def _embedded(request: Request) -> bool:
    return request.url.path.startswith("/c/embed/") or request.query_params.get("embedded") == "1"


def _closed(session: dict[str, Any], request: Request) -> Response:
    if session["status"] == "complete":
        return notice(
            "You're all done here", "This page was already completed. You can close it.",
            link=checkout_sessions.return_url(session), frameable=_embedded(request),
        )  # fmt: skip
    return notice(
        "This page has expired", "Checkout pages are open for a limited time. Ask the seller for a new link.", 410,
        link=session["cancel_url"], frameable=_embedded(request),
    )  # fmt: skip


def _known_address(customer: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in (customer.get("address") or {}).items() if value}


def _tax_id(given: forms.Entered) -> dict[str, str] | None:
    return {"type": given.get("tax_id_type", "eu_vat"), "value": given.get("tax_id")} if given.get("tax_id") else None
