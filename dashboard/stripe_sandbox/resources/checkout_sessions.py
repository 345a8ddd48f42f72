"""Checkout sessions in setup mode: a page on which a customer saves a payment method."""

import random
from typing import Any

from dashboard.stripe_sandbox.context import Context, renders
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.ids import secret
from dashboard.stripe_sandbox.lists import listing, page
from dashboard.stripe_sandbox.resources import checkout_parameters, customers, payment_methods, setup_intents, tax_ids
from dashboard.stripe_sandbox.resources.common import address, merge_metadata
from dashboard.stripe_sandbox.routing import due_action, includable, operation

DAY = 86400


@operation("POST /v1/checkout/sessions")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    ui_mode = params.get("ui_mode", "hosted_page")
    checkout_parameters.check(ctx, params, ui_mode)
    customer = ctx.need("customer", params["customer"], "customer") if params.get("customer") else None
    data = params.get("setup_intent_data", {})
    intent = setup_intents.new_intent(
        ctx,
        customer,
        description=data.get("description") or None,
        metadata=data.get("metadata") or {},
        allowed=params.get("allowed_payment_method_types"),
        excluded=params.get("excluded_payment_method_types"),
    )
    session = _new_session(ctx, params, ui_mode, customer, intent)
    intent["_checkout_session"] = session["id"]
    ctx.save(intent)
    ctx.schedule("checkout.expire", session["id"], session["expires_at"])
    return ctx.save(session)


@operation("GET /v1/checkout/sessions/{session}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("checkout.session", id)


@operation("POST /v1/checkout/sessions/{session}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    session = ctx.need("checkout.session", id)
    if session["status"] != "open" and set(params) - {"metadata"}:
        raise refused(f"You can only update the metadata of a session that is {session['status']}.")
    for name in ("line_items", "shipping_options", "payment_intent_data"):
        if params.get(name):
            raise invalid_parameter(name, f"{name} is not supported in `setup` mode.")
    if "metadata" in params:
        session["metadata"] = merge_metadata(session["metadata"], params["metadata"])
    return ctx.save(session)


@operation("POST /v1/checkout/sessions/{session}/expire")
def expire(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    session = ctx.need("checkout.session", id)
    if session["status"] != "open":
        raise refused(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        )
    return _expire(ctx, session)


@due_action("checkout.expire")
def expire_when_due(ctx: Context, id: str) -> None:
    session = ctx.get(id)
    if session and session["status"] == "open":
        _expire(ctx, session)


@operation("GET /v1/checkout/sessions")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    names = ("customer", "status", "payment_intent", "subscription", "payment_link")
    where = {name: params[name] for name in names if name in params}
    if "customer_details" in params:
        where["customer_details.email"] = params["customer_details"]["email"]
    return page(ctx, "checkout.session", params, "/v1/checkout/sessions", where)


@operation("GET /v1/checkout/sessions/{session}/line_items")
def line_items(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    ctx.need("checkout.session", id)
    return listing([], f"/v1/checkout/sessions/{id}/line_items")


@includable("checkout.session", "line_items")
def line_items_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    return listing([], f"/v1/checkout/sessions/{shown['id']}/line_items")


@renders("checkout.session")
def render(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    """The address of the page is only told while the session is open."""
    if shown["status"] != "open":
        shown |= {"url": None, "client_secret": None}
    return shown


def complete(
    ctx: Context,
    session: dict[str, Any],
    method: dict[str, Any],
    *,
    email: str | None = None,
    name: str | None = None,
    address_given: dict[str, Any] | None = None,
    tax_id: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What the page does when the form is sent. Raises the 402 of a declined card, whose effects stay; the session may
    be left waiting for 3-D Secure (its setup intent then `requires_action`)."""
    intent = ctx.need("setup_intent", session["setup_intent"], "setup_intent")
    customer = _customer(ctx, session, email, name)
    _take_details(ctx, session, customer, email, name, address_given, tax_id)
    intent |= {"payment_method": method["id"], "customer": customer["id"] if customer else None}
    method["billing_details"] |= {
        "email": email, "name": name, "address": address(address_given) or method["billing_details"]["address"]
    }  # fmt: skip
    ctx.save(method)
    ctx.save(session)
    setup_intents.confirm_with(ctx, intent, _after_authentication(ctx, session))
    if intent["status"] == "succeeded":
        finish(ctx, session, intent)
    elif intent["status"] == "requires_payment_method":
        error = intent["last_setup_error"]
        raise ApiError(
            402, error["message"], type="card_error", code=error.get("code"), decline_code=error.get("decline_code"),
            keep_effects=True,
        )  # fmt: skip
    return session


def finish(ctx: Context, session: dict[str, Any], intent: dict[str, Any]) -> None:
    """The setup intent has succeeded: the session is complete. Its event may precede the intent's, as at Stripe."""
    session["status"] = "complete"
    ctx.unschedule(session["id"])
    ctx.save(session)
    ctx.emit("checkout.session.completed", session)
    if random.random() < 0.5:
        _swap_last_events(ctx, intent["id"], session["id"])


def return_url(session: dict[str, Any]) -> str | None:
    """Where the browser goes after completion."""
    url = session["success_url"] or session.get("return_url")
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"]) if url else None


def _new_session(
    ctx: Context, params: dict[str, Any], ui_mode: str, customer: dict[str, Any] | None, intent: dict[str, Any]
) -> dict[str, Any]:
    now = ctx.now
    session = ctx.new(
        "checkout.session",
        allowed_payment_method_types=params.get("allowed_payment_method_types"),
        billing_address_collection=params.get("billing_address_collection"),
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        consent_collection=checkout_parameters.consent(params),
        created=now,
        currency=check_currency(params["currency"]) if params.get("currency") else None,
        custom_text=checkout_parameters.custom_text(params),
        customer=customer["id"] if customer else None,
        customer_creation=None if customer else params.get("customer_creation", "if_required"),
        customer_email=params.get("customer_email"),
        expires_at=params.get("expires_at", now + DAY),
        locale=params.get("locale"),
        metadata=params.get("metadata") or {},
        mode="setup",
        origin_context=params.get("origin_context"),
        payment_method_collection="always",
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=intent["payment_method_types"],
        payment_status="no_payment_required",
        phone_number_collection=params.get("phone_number_collection", {"enabled": False}),
        setup_intent=intent["id"],
        shipping_options=[],
        status="open",
        success_url=params.get("success_url"),
        ui_mode=ui_mode,
        _customer_update=params.get("customer_update", {}),
    )
    if customer:
        session["customer_details"] = _details(customer["email"], customer["name"], customer["address"])
    elif params.get("customer_email"):
        session["customer_details"] = _details(params["customer_email"], None, None)
    if "tax_id_collection" in params:
        given = params["tax_id_collection"]
        session["tax_id_collection"] = {"enabled": given["enabled"], "required": given.get("required", "never")}
    if "excluded_payment_method_types" in params:
        session["excluded_payment_method_types"] = params["excluded_payment_method_types"]
    if ui_mode == "hosted_page":
        session["url"] = f"{ctx.base_url}/c/pay/{session['id']}"
    else:
        session["client_secret"] = f"{session['id']}_secret_{secret(40)}"
        session["redirect_on_completion"] = params.get("redirect_on_completion", "always")
        if params.get("return_url"):
            session["return_url"] = params["return_url"]
    return session


def _details(email: str | None, name: str | None, place: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "address": place, "business_name": None, "email": email, "individual_name": None, "name": name, "phone": None,
        "tax_exempt": "none", "tax_ids": None,
    }  # fmt: skip


def _customer(ctx: Context, session: dict[str, Any], email: str | None, name: str | None) -> dict[str, Any] | None:
    if session["customer"]:
        return ctx.need("customer", session["customer"], "customer")
    if session["customer_creation"] != "always":
        return None
    made = customers.create(ctx, {"email": email or session["customer_email"] or "", "name": name or ""})
    session["customer"] = made["id"]
    return made


def _take_details(
    ctx: Context, session: dict[str, Any], customer: dict[str, Any] | None, email: str | None, name: str | None,
    place: dict[str, Any] | None, tax_id: dict[str, str] | None,
) -> None:  # fmt: skip
    """What was typed goes into the session, and into the customer as far as the session may update it."""
    whole = address(place)
    session["customer_details"] = _details(email or session["customer_email"], name, whole)
    if tax_id:
        session["customer_details"]["tax_ids"] = [tax_id]
    if not customer:
        return
    allowed = session.get("_customer_update", {})
    changes: dict[str, Any] = {}
    if whole and (allowed.get("address") == "auto" or not customer["address"]):
        changes["address"] = whole
    if name and (allowed.get("name") == "auto" or not customer["name"]):
        changes["name"] = name
    if email and not customer["email"]:
        changes["email"] = email
    if changes:
        customers.update(ctx, changes, customer["id"])
    if tax_id:
        tax_ids.add(ctx, customer, tax_id["type"], tax_id["value"])


def _after_authentication(ctx: Context, session: dict[str, Any]) -> str:
    return f"{ctx.base_url}/c/pay/{session['id']}/done"


def _expire(ctx: Context, session: dict[str, Any]) -> dict[str, Any]:
    session["status"] = "expired"
    intent = ctx.get(session["setup_intent"])
    if intent and intent["status"] not in setup_intents.FINAL:
        setup_intents.cancel_intent(ctx, intent, None)
    ctx.unschedule(session["id"])
    ctx.save(session)
    ctx.emit("checkout.session.expired", session)
    return session


def _swap_last_events(ctx: Context, intent: str, session: str) -> None:
    """Exchange the order of `setup_intent.succeeded` and `checkout.session.completed`."""
    rows = ctx.store.all(
        "SELECT seq, id, type, object, body FROM events WHERE account = ? AND ((type = 'setup_intent.succeeded' AND"
        " object = ?) OR (type = 'checkout.session.completed' AND object = ?)) ORDER BY seq DESC LIMIT 2",
        (ctx.account, intent, session),
    )
    if len(rows) != 2:
        return
    later, earlier = rows
    ctx.store.execute("UPDATE events SET id = 'swapping' WHERE seq = ?", (later["seq"],))
    for seq, row in ((earlier["seq"], later), (later["seq"], earlier)):
        ctx.store.execute(
            "UPDATE events SET id = ?, type = ?, object = ?, body = ? WHERE seq = ?",
            (row["id"], row["type"], row["object"], row["body"], seq),
        )
    deliveries = ctx.store.all("SELECT id, event FROM deliveries WHERE event IN (?, ?)", (later["id"], earlier["id"]))
    other = {later["id"]: earlier["id"], earlier["id"]: later["id"]}
    if {row["event"] for row in deliveries} == set(other):
        ctx.store.execute_many(
            "UPDATE deliveries SET event = ? WHERE id = ?", [(other[row["event"]], row["id"]) for row in deliveries]
        )


def resolve_method(ctx: Context, name: str) -> dict[str, Any]:
    """The payment method that a test names on the page's behalf."""
    return payment_methods.resolve(ctx, name, "payment_method")
