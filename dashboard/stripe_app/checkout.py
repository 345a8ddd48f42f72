"""Checkout pages in setup mode: a customer leaves a payment method, Stripe tells us, the link follows."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.customers.views import Customer
from dashboard.kit.database import Actor
from dashboard.kit.ids import new_id
from dashboard.kit.money import currency
from dashboard.stripe_app.apps import expect_news
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.gateway_calls import PEOPLE
from dashboard.stripe_app.house import our_customer, resolve_app_id
from dashboard.stripe_app.inputs import CreateCheckoutSession
from dashboard.stripe_app.stripe_customers import METADATA_APP, METADATA_CUSTOMER, ensure_stripe_customer
from dashboard.stripe_app.tables import StripeAppRow, StripeCheckoutSessionRow
from dashboard.stripe_app.views import CheckoutSession, OpenCheckout
from dashboard.stripe_app.wire import id_of, moment, must_moment

# Stripe renamed them in 2026-03-25.dahlia; OpenMeter's API keeps the old words.
UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page"}


async def create_checkout_session(desk: StripeDesk, actor: Actor, request: CreateCheckoutSession) -> CheckoutSession:
    """A fresh page where the customer leaves a payment method. Makes the Stripe customer when there is none yet.

    Raises BadCheckoutOption, DifferentStripeCustomer, what linking raises, and what Stripe refuses. A Stripe customer
    made on the way stays linked, so trying again makes no second one.
    """
    async with desk.database.read() as session:
        customer = await our_customer(session, request.customer_id)
        app_id = await resolve_app_id(session, request.customer_id, request.app_id)
    app = await desk.app_row(app_id)
    link = await ensure_stripe_customer(desk, actor, app_id, customer, request.stripe_customer_id)
    params = session_params(request, app, link.stripe_customer_id, _currency(request, customer, app))
    async with desk.stripe(app_id, priority=PEOPLE) as gateway:
        answer = await gateway.create_checkout_session(params)
    async with desk.database.transaction(actor) as work:
        row = StripeCheckoutSessionRow(
            id=new_id(),
            app_id=app_id,
            customer_id=customer.id,
            stripe_customer_id=link.stripe_customer_id,
            session_id=answer["id"],
            setup_intent_id=id_of(answer.get("setup_intent")),
            status=answer.get("status") or "open",
            url=answer.get("url"),
            created_at=work.now,
            expires_at=moment(answer.get("expires_at")),
        )
        work.session.add(row)
        await expect_news(work, app)
        work.audit("checkout_session.created", "customer", customer.id, session_id=answer["id"])
        work.changed(f"customers/{customer.id}")
    return _view(row.id, app_id, customer.id, answer, dict(request.metadata))


async def list_checkouts(session: AsyncSession, customer_id: str, limit: int = 10) -> tuple[OpenCheckout, ...]:
    """The latest checkout pages of a customer, newest first."""
    rows = await session.scalars(
        select(StripeCheckoutSessionRow)
        .where(col(StripeCheckoutSessionRow.customer_id) == customer_id)
        .order_by(col(StripeCheckoutSessionRow.created_at).desc(), col(StripeCheckoutSessionRow.id).desc())
        .limit(limit)
    )
    return tuple(_remembered(row) for row in rows)


def session_params(
    request: CreateCheckoutSession, app: StripeAppRow, stripe_customer_id: str, currency_code: str
) -> dict[str, Any]:
    """The request in Stripe's words. Our ids travel on the setup intent: a session's own metadata never reaches it."""
    consent = request.consent_collection
    agreement = consent.payment_method_reuse_agreement if consent else None
    ours = {METADATA_APP: app.id, METADATA_CUSTOMER: request.customer_id}
    return {
        "mode": "setup",
        "ui_mode": UI_MODES[request.ui_mode],
        "customer": stripe_customer_id,
        "currency": currency_code.lower(),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "return_url": request.return_url,
        "redirect_on_completion": request.redirect_on_completion,
        "billing_address_collection": request.billing_address_collection,
        "tax_id_collection": _given(request.tax_id_collection) or None,
        "customer_update": _given(request.customer_update) or None,
        "consent_collection": {
            "payment_method_reuse_agreement": {"position": agreement} if agreement else None,
            "promotions": consent.promotions,
            "terms_of_service": consent.terms_of_service,
        }
        if consent
        else None,
        "custom_text": {name: {"message": text} for name, text in _given(request.custom_text).items()}
        if request.custom_text
        else None,
        "client_reference_id": request.client_reference_id,
        "expires_at": int(request.expires_at.timestamp()) if request.expires_at else None,
        "locale": request.locale,
        # `payment_method_types` is refused by Stripe since 2026-09-30.endive; this filters the dynamic methods instead.
        "allowed_payment_method_types": list(request.payment_method_types) if request.payment_method_types else None,
        "metadata": {**request.metadata, **ours},
        "setup_intent_data": {"metadata": {**request.metadata, **ours}},
    }


def _given(part: Any) -> dict[str, Any]:
    return part.model_dump(exclude_none=True) if part is not None else {}


def _currency(request: CreateCheckoutSession, customer: Customer, app: StripeAppRow) -> str:
    return currency(request.currency or customer.currency or app.default_currency or "USD").code


def _view(
    row_id: str, app_id: str, customer_id: str, answer: dict[str, Any], metadata: dict[str, str]
) -> CheckoutSession:
    details = answer.get("customer_details") or {}
    return CheckoutSession(
        id=row_id,
        app_id=app_id,
        customer_id=customer_id,
        stripe_customer_id=id_of(answer["customer"]) or "",
        session_id=answer["id"],
        setup_intent_id=id_of(answer.get("setup_intent")) or "",
        mode=answer["mode"],
        status=answer.get("status") or "open",
        url=answer.get("url"),
        client_secret=answer.get("client_secret"),
        client_reference_id=answer.get("client_reference_id"),
        customer_email=answer.get("customer_email") or details.get("email"),
        currency=(answer.get("currency") or "").upper() or None,
        success_url=answer.get("success_url"),
        cancel_url=answer.get("cancel_url"),
        return_url=answer.get("return_url"),
        metadata=metadata,
        created_at=must_moment(answer["created"]),
        expires_at=moment(answer.get("expires_at")),
    )


def _remembered(row: StripeCheckoutSessionRow) -> OpenCheckout:
    return OpenCheckout(
        session_id=row.session_id,
        customer_id=row.customer_id,
        status=row.status,
        problem=row.problem,
        url=row.url if row.status == "open" else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        completed_at=row.completed_at,
    )


def settle_session(row: StripeCheckoutSessionRow, status: str, at: datetime, problem: str | None = None) -> None:
    """Writes how a checkout page ended; a completed one stays completed."""
    if row.status == "complete":
        return
    row.status, row.problem = status, problem
    if status == "complete":
        row.completed_at = at
