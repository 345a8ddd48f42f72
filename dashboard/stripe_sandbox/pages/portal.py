"""The customer portal: payment methods, billing details, invoices."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.pages import forms
from dashboard.stripe_sandbox.pages.rendering import notice, page, see
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.resources import accounts, customers, payment_methods, setup_intents, tax_ids

OPEN_WITHIN, ACTIVE_FOR = 300, 3600


class PortalPages:
    """One portal session; every address carries its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def show(self, request: Request) -> Response:
        """The home page, or the one form that a flow asks for."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        flow = (session["flow"] or {}).get("type")
        if flow == "payment_method_update" and request.query_params.get("done") != "1":
            return see(self._url(session, "/add"))
        if flow == "customer_update" and request.query_params.get("done") != "1":
            return see(self._url(session, "/details"))
        if flow and (target := _after_flow(session)):
            return see(target)
        return self._home(ctx, session)

    async def add(self, request: Request) -> Response:
        """The form for a new payment method."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        customer = ctx.need("customer", session["customer"], "customer")
        given = forms.entered(
            name=customer["name"] or "", country=(customer["address"] or {}).get("country") or "US", default="1"
        )
        return self._add_form(ctx, session, given)

    async def take_method(self, request: Request) -> Response:
        """The typed payment method: complaints, 3-D Secure, or saved."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        given = forms.entered(await request.form())
        with ctx.store.work():
            customer = ctx.need("customer", session["customer"], "customer")
            method = forms.read_method(ctx, given, ["card", "us_bank_account"])
            if method is None:
                return self._add_form(ctx, session, given, 422)
            ctx.save(method)
            intent = setup_intents.new_intent(ctx, customer, usage="off_session")
            intent |= {
                "payment_method": method["id"],
                "_portal_session": session["id"],
                "_default": bool(given.get("default")),
            }
            ctx.save(intent)
            setup_intents.confirm_with(ctx, intent)
            if intent["status"] == "succeeded":
                _make_default(ctx, intent)
            url = self._url(session, "", done=True)
            if intent["status"] == "requires_action":
                url = intent["next_action"]["redirect_to_url"]["url"]
        self._sandbox.sender.wake()
        if intent["status"] == "requires_payment_method":
            given.errors[""] = intent["last_setup_error"]["message"]
            return self._add_form(ctx, session, given, 422)
        return see(url)

    async def change_method(self, request: Request) -> Response:
        """Make a payment method the default, or remove it."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        form = await request.form()
        with ctx.store.work():
            method = ctx.get(str(form.get("payment_method", "")))
            if method and method.get("customer") == session["customer"]:
                if form.get("do") == "remove":
                    payment_methods.detach(ctx, method)
                else:
                    customers.update(
                        ctx, {"invoice_settings": {"default_payment_method": method["id"]}}, session["customer"]
                    )
        self._sandbox.sender.wake()
        return see(self._url(session, "", done=True))

    async def details(self, request: Request) -> Response:
        """The form for billing details."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        customer = ctx.need("customer", session["customer"], "customer")
        place = {name: value or "" for name, value in (customer["address"] or {}).items()}
        known = {name: customer[name] or "" for name in ("name", "email", "phone")}
        return self._details_form(ctx, session, forms.entered(None, **known, **place))

    async def take_details(self, request: Request) -> Response:
        """The typed billing details, as far as the configuration lets them change."""
        ctx, session = self._session(request)
        if ctx is None or session is None:
            return _expired()
        given = forms.entered(await request.form())
        allowed = _features(ctx, session)["customer_update"]["allowed_updates"]
        forms.check_email(given, required="email" in allowed)
        try:
            if not given.errors:
                with ctx.store.work():
                    self._save_details(ctx, session, given, allowed)
        except ApiError as error:
            given.errors["tax_id" if error.code == "tax_id_invalid" else ""] = error.body["message"]
        if given.errors:
            return self._details_form(ctx, session, given, 422)
        self._sandbox.sender.wake()
        return see(self._url(session, "", done=True))

    def _save_details(self, ctx: Context, session: dict[str, Any], given: forms.Entered, allowed: list[str]) -> None:
        changes: dict[str, Any] = {name: given.get(name) for name in ("name", "email", "phone") if name in allowed}
        if "address" in allowed and (place := forms.read_address(given)):
            changes["address"] = place
        customers.update(ctx, changes, session["customer"])
        if "tax_id" in allowed and given.get("tax_id"):
            customer = ctx.need("customer", session["customer"], "customer")
            tax_ids.add(ctx, customer, given.get("tax_id_type", "eu_vat"), given.get("tax_id"))

    def _home(self, ctx: Context, session: dict[str, Any]) -> Response:
        customer = ctx.need("customer", session["customer"], "customer")
        invoices = [
            invoice
            for invoice in ctx.find("invoice", {"customer": customer["id"]}, limit=50)
            if invoice["status"] != "draft"
        ]
        return page(
            "portal.html",
            **self._common(ctx, session),
            customer=customer,
            methods=ctx.find("payment_method", {"customer": customer["id"]}),
            default=customer["invoice_settings"]["default_payment_method"],
            invoices=invoices,
            tax_ids=ctx.find("tax_id", {"customer": customer["id"]}, newest_first=False),
        )

    def _add_form(self, ctx: Context, session: dict[str, Any], given: forms.Entered, status: int = 200) -> Response:
        return page(
            "portal_add.html", status, **self._common(ctx, session), given=given,
            **forms.form_values(["card", "us_bank_account"]),
        )  # fmt: skip

    def _details_form(self, ctx: Context, session: dict[str, Any], given: forms.Entered, status: int = 200) -> Response:
        allowed = _features(ctx, session)["customer_update"]["allowed_updates"]
        return page(
            "portal_details.html", status, **self._common(ctx, session), given=given, allowed=allowed,
            **forms.form_values([]),
        )  # fmt: skip

    def _common(self, ctx: Context, session: dict[str, Any]) -> dict[str, Any]:
        configuration = ctx.need("billing_portal.configuration", session["configuration"])
        link: Callable[[str], str] = lambda path: self._url(session, path)  # noqa: E731
        return {
            "seller": accounts.display_name(ctx),
            "headline": configuration["business_profile"]["headline"],
            "features": configuration["features"],
            "terms": configuration["business_profile"]["terms_of_service_url"],
            "privacy": configuration["business_profile"]["privacy_policy_url"],
            "session": session,
            "link": link,
        }

    def _url(self, session: dict[str, Any], path: str, *, done: bool = False) -> str:
        return f"/p/session/{session['id']}{path}?key={session['_key']}{'&done=1' if done else ''}"

    def _session(self, request: Request) -> tuple[Context | None, dict[str, Any] | None]:
        """The session, if its key is right and its time is not over."""
        id = request.path_params["session"]
        ctx = self._sandbox.page_context(id)
        session = ctx.get(id) if ctx else None
        if not ctx or not session or session.get("_key") != request.query_params.get("key"):
            return None, None
        opened = session["_opened"]
        if ctx.now > (opened + ACTIVE_FOR if opened else session["created"] + OPEN_WITHIN):
            return None, None
        with ctx.store.work():
            session = ctx.need("billing_portal.session", id)
            session["_opened"] = ctx.now
            ctx.save(session)
        return ctx, session


def routes(sandbox: Sandbox) -> list[Route]:
    """`/p/session/{session}` and its forms."""
    pages = PortalPages(sandbox)
    base = "/p/session/{session}"
    return [
        Route(base, pages.show, methods=["GET"]),
        Route("/p/login/{configuration}", _login, methods=["GET"]),
        Route(f"{base}/add", pages.add, methods=["GET"]),
        Route(f"{base}/add", pages.take_method, methods=["POST"]),
        Route(f"{base}/methods", pages.change_method, methods=["POST"]),
        Route(f"{base}/details", pages.details, methods=["GET"]),
        Route(f"{base}/details", pages.take_details, methods=["POST"]),
    ]


def after_challenge(ctx: Context, intent: dict[str, Any]) -> str:
    """3-D Secure for a new payment method is over."""
    session = ctx.need("billing_portal.session", intent["_portal_session"])
    if intent["status"] == "succeeded":
        _make_default(ctx, intent)
        return f"/p/session/{session['id']}?key={session['_key']}&done=1"
    return f"/p/session/{session['id']}/add?key={session['_key']}"


async def _login(request: Request) -> Response:
    return notice(
        "Sign in to your billing",
        "Stripe would now mail you a link. No mail leaves a sandbox: ask the seller for a portal link.",
    )


def _make_default(ctx: Context, intent: dict[str, Any]) -> None:
    if intent.get("_default"):
        customers.update(
            ctx, {"invoice_settings": {"default_payment_method": intent["payment_method"]}}, intent["customer"]
        )


def _features(ctx: Context, session: dict[str, Any]) -> dict[str, Any]:
    return ctx.need("billing_portal.configuration", session["configuration"])["features"]


def _after_flow(session: dict[str, Any]) -> str | None:
    after = session["flow"]["after_completion"]
    return after["redirect"]["return_url"] if after["type"] == "redirect" and after["redirect"] else None


def _expired() -> Response:
    return notice(
        "This link has expired",
        "Links to the portal work for five minutes, and for an hour once opened. Ask for a new one.",
        410,
    )
