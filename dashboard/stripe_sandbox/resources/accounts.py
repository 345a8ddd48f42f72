"""The account behind a key, and its balance."""

from collections import defaultdict
from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.routing import operation


def account(ctx: Context) -> dict[str, Any]:
    """The account as Stripe answers it."""
    state = ctx.state()
    name = state.get("name") or f"{ctx.account_name.replace('_', ' ').title()} (sandbox)"
    created = ctx.store.one("SELECT created FROM accounts WHERE id = ?", (ctx.account,))
    return ctx.new(
        "account",
        id=ctx.account,
        business_profile={
            "mcc": None, "name": name, "support_address": None, "support_email": None, "support_phone": None,
            "support_url": None, "url": None, "minority_owned_business_designation": None,
            "specified_commercial_transactions_act_url": None,
        },
        business_type="company",
        capabilities={"card_payments": "active", "transfers": "active", "us_bank_account_ach_payments": "active"},
        charges_enabled=True,
        controller={"type": "account"},
        country=state.get("country", "US"),
        created=created["created"] if created else ctx.now,
        default_currency=state.get("currency", "usd"),
        details_submitted=True,
        email=f"{ctx.account_name}@sandbox.example",
        metadata={},
        payouts_enabled=True,
        settings={
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_payments": {
                "decline_on": {"avs_failure": False, "cvc_failure": False},
                "statement_descriptor_prefix": None,
                "statement_descriptor_prefix_kana": None,
                "statement_descriptor_prefix_kanji": None,
            },
            "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
            "payments": {
                "statement_descriptor": name[:22].upper(),
                "statement_descriptor_kana": None,
                "statement_descriptor_kanji": None,
                "statement_descriptor_prefix_kana": None,
                "statement_descriptor_prefix_kanji": None,
            },
        },
        type="standard",
    )  # fmt: skip


def display_name(ctx: Context) -> str:
    """What pages and invoices call the seller."""
    row = ctx.store.one("SELECT name FROM accounts WHERE id = ?", (ctx.account,))
    return ctx.state().get("name") or f"{row['name'].replace('_', ' ').title() if row else ''} (sandbox)".strip()


@operation("GET /v1/account")
def own(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    return account(ctx)


@operation("GET /v1/accounts/{account}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    if id != ctx.account:
        raise ApiError(
            403, f"The provided key does not have access to account '{id}' (or that account does not exist).",
            code="account_invalid",
        )  # fmt: skip
    return account(ctx)


@operation("GET /v1/balance")
def balance(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    totals: dict[str, int] = defaultdict(int)
    for charge in ctx.find("charge", {"status": "succeeded"}):
        totals[charge["currency"]] += charge["amount_captured"] - charge["amount_refunded"]
    for dispute in ctx.find("dispute", {"status": ["needs_response", "lost"]}):
        totals[dispute["currency"]] -= dispute["amount"]
    amounts = [
        {"amount": total, "currency": currency, "source_types": {"card": total}}
        for currency, total in sorted(totals.items() or {"usd": 0}.items())
    ]
    nothing = [{**entry, "amount": 0, "source_types": {"card": 0}} for entry in amounts]
    return {
        "object": "balance", "available": amounts, "connect_reserved": nothing, "livemode": False, "pending": nothing,
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }  # fmt: skip
