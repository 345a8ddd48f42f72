"""The 3-D Secure page of a test card: approve or fail."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.stripe_sandbox import collection, payments
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.pages import checkout, portal
from dashboard.stripe_sandbox.pages.rendering import notice, page, see
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.resources import accounts, setup_intents


class AuthenticationPages:
    """Asks as a bank would, and tells the intent the answer."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def show(self, request: Request) -> Response:
        """The question."""
        ctx, intent = self._intent(request)
        if ctx is None or intent is None:
            return notice("Page not found", "There is nothing to authenticate here.", 404)
        if intent["status"] != "requires_action":
            return notice(
                "Nothing to do", "This payment does not wait for authentication any more.", link=_back(ctx, intent)
            )
        return page(
            "authentication.html",
            frameable=request.query_params.get("embedded") == "1",
            seller=accounts.display_name(ctx),
            intent=intent,
            action=str(request.url.path) + f"?{request.url.query}",
        )

    async def answer(self, request: Request) -> Response:
        """The answer."""
        ctx, intent = self._intent(request)
        if ctx is None or intent is None:
            return notice("Page not found", "There is nothing to authenticate here.", 404)
        approved = (await request.form()).get("answer") == "approve"
        embedded = request.query_params.get("embedded") == "1"
        with ctx.store.work():
            intent = ctx.need(intent["object"], intent["id"])
            if intent["status"] == "requires_action":
                url = self._authenticate(ctx, intent, approved, embedded)
            else:
                url = _back(ctx, intent)
        self._sandbox.sender.wake()
        return see(url or "/")

    def _authenticate(self, ctx: Context, intent: dict[str, Any], approved: bool, embedded: bool) -> str | None:
        back = _back(ctx, intent)
        if intent["object"] == "payment_intent":
            payments.authenticate(ctx, intent, approved)
            return back
        setup_intents.authenticate(ctx, intent, approved)
        if intent.get("_checkout_session"):
            return checkout.after_challenge(ctx, intent, embedded)
        if intent.get("_portal_session"):
            return portal.after_challenge(ctx, intent)
        return back

    def _intent(self, request: Request) -> tuple[Context | None, dict[str, Any] | None]:
        id = request.path_params["intent"]
        ctx = self._sandbox.page_context(id)
        intent = ctx.get(id) if ctx else None
        if not intent or intent.get("client_secret") != request.query_params.get("secret"):
            return None, None
        return ctx, intent


def routes(sandbox: Sandbox) -> list[Route]:
    """`/3ds/{intent}`."""
    pages = AuthenticationPages(sandbox)
    return [
        Route("/3ds/{intent}", pages.show, methods=["GET"]),
        Route("/3ds/{intent}", pages.answer, methods=["POST"]),
    ]


def _back(ctx: Context, intent: dict[str, Any]) -> str | None:
    """Where the customer came from."""
    if intent["object"] == "payment_intent":
        payment = collection.payment_of(ctx, intent)
        invoice = ctx.get(payment["invoice"]) if payment else None
        return invoice["hosted_invoice_url"] if invoice else None
    action = intent.get("next_action") or {}
    return (action.get("redirect_to_url") or {}).get("return_url")
