"""A body that each operation takes, to be spoilt. `{app}`, `{customer}`, … stand for ids of what `furnish` made."""

from typing import Any

V1 = "/api/v1"
V3 = "/v3/openmeter"
SUPPLIER_V1 = {"name": "Us", "addresses": [{"country": "US"}]}
SUPPLIER_V3 = {"name": "Us", "addresses": {"billing_address": {"country": "US"}}}
HOSTED = {"successURL": "https://example.com"}
APPS_V1 = {"tax": "{app}", "invoicing": "{app}", "payment": "{app}"}
APPS_V3 = {name: {"id": "{app}"} for name in APPS_V1}
LINE = {
    "name": "Set-up",
    "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
    "invoiceAt": "2199-01-02T00:00:00Z",
    "rateCard": {"price": {"type": "flat", "amount": "100", "paymentTerm": "in_advance"}},
}
FEE_V1 = {"type": "flat_fee", "key": "fee", "name": "Fee", "billingCadence": "P1M", "price": None}
PHASES_V1 = [{"key": "only", "name": "Only", "duration": None, "rateCards": [FEE_V1]}]
PHASES_V3 = [{"key": "only", "name": "Only", "rate_cards": [{"key": "fee", "name": "Fee", "price": {"type": "free"}}]}]
EVENT = {"id": "7", "source": "test", "specversion": "1.0", "type": "prompt", "subject": "acme-api"}
PROFILE_V1 = {"name": "P", "default": False, "supplier": SUPPLIER_V1, "workflow": {}, "apps": APPS_V1}
PROFILE_V3 = {"name": "P", "default": False, "supplier": SUPPLIER_V3, "workflow": {}, "apps": APPS_V3}
SESSION_V3 = {"stripe_options": {"success_url": "https://example.com"}}
# (The contract's word "immediate" is also a text in the form of a time, as far as its `oneOf` can tell.)
LATER = "2199-01-01T00:00:00Z"
ONE_STRIPE_CUSTOMER = {"stripeCustomerId": "{linked}"}

GOOD: dict[str, Any] = {
    f"PUT {V1}/apps/{{id}}": {"type": "stripe", "name": "A"},
    f"PUT {V1}/apps/{{id}}/stripe/api-key": {"secretAPIKey": "{stripe_key}"},
    f"PUT {V1}/billing/customers/{{customerId}}": {"billingProfileId": "{profile}"},
    f"POST {V1}/billing/customers/{{customerId}}/invoices/pending-lines": {"currency": "USD", "lines": [LINE]},
    f"POST {V1}/billing/customers/{{customerId}}/invoices/simulate": {
        "currency": "USD",
        "lines": [LINE | {"quantity": "1"}],
    },
    f"POST {V1}/billing/invoices/invoice": {"customerId": "{customer}"},
    f"PUT {V1}/billing/invoices/{{invoiceId}}": {
        "supplier": SUPPLIER_V1,
        "customer": {"name": "ACME"},
        "workflow": {"workflow": {"invoicing": {}, "payment": {}}},
        "lines": [LINE],
    },
    f"POST {V1}/billing/invoices/{{invoiceId}}/void": {
        "action": {"percentage": 100, "action": {"type": "discard"}},
        "reason": "A mistake",
    },
    f"POST {V1}/billing/profiles": PROFILE_V1,
    f"PUT {V1}/billing/profiles/{{id}}": PROFILE_V1 | {"default": True},
    f"POST {V1}/customers": {"name": "A"},
    f"PUT {V1}/customers/{{customerIdOrKey}}": {"name": "A", "key": "acme"},
    f"PUT {V1}/customers/{{customerIdOrKey}}/apps": [{"type": "stripe"} | ONE_STRIPE_CUSTOMER],
    f"PUT {V1}/customers/{{customerIdOrKey}}/stripe": ONE_STRIPE_CUSTOMER,
    f"POST {V1}/customers/{{customerIdOrKey}}/stripe/portal": {},
    f"POST {V1}/events": EVENT,
    f"POST {V1}/features": {"key": "calls", "name": "Calls"},
    f"POST {V1}/marketplace/listings/{{type}}/install": {},
    f"POST {V1}/marketplace/listings/{{type}}/install/apikey": {"apiKey": "{stripe_key}"},
    f"POST {V1}/meters": {"slug": "calls", "aggregation": "COUNT", "eventType": "call"},
    f"PUT {V1}/meters/{{meterIdOrSlug}}": {"name": "Tokens"},
    f"POST {V1}/meters/{{meterIdOrSlug}}/query": {},
    f"POST {V1}/plans": {
        "key": "max",
        "name": "Max",
        "currency": "USD",
        "billingCadence": "P1M",
        "phases": PHASES_V1,
    },
    f"PUT {V1}/plans/{{planId}}": {"name": "Pro", "billingCadence": "P1M", "phases": PHASES_V1},
    f"POST {V1}/stripe/checkout/sessions": {"customer": {"key": "acme"}, "options": HOSTED},
    f"POST {V1}/subjects": [{"key": "acme-api", "displayName": "ACME"}],
    f"POST {V1}/subscriptions": {"plan": {"key": "free"}, "customerKey": "globex"},
    f"PATCH {V1}/subscriptions/{{subscriptionId}}": {
        "customizations": [{"op": "add_item", "phaseKey": "only", "rateCard": FEE_V1 | {"key": "support"}}],
    },
    f"POST {V1}/subscriptions/{{subscriptionId}}/cancel": {"timing": LATER},
    f"POST {V1}/subscriptions/{{subscriptionId}}/change": {"plan": {"key": "free"}, "timing": LATER},
    f"POST {V1}/subscriptions/{{subscriptionId}}/migrate": {"timing": LATER},
    f"POST {V3}/app-catalog/install": {
        "type": "stripe",
        "name": "Stripe",
        "create_billing_profile": False,
        "api_key": "{stripe_key}",
    },
    f"PUT {V3}/apps/{{appId}}": {"type": "stripe", "name": "A"},
    f"PUT {V3}/billing/invoices/{{invoiceId}}": {
        "type": "standard",
        "supplier": {},
        "customer": {"id": "{customer}", "name": "ACME"},
        "workflow": {"workflow": {}},
    },
    f"POST {V3}/customers": {"name": "A", "key": "a"},
    f"PUT {V3}/customers/{{customerId}}": {"name": "A"},
    f"PUT {V3}/customers/{{customerId}}/billing": {"app_data": {"stripe": {"customer_id": "{linked}"}}},
    f"PUT {V3}/customers/{{customerId}}/billing/app-data": {"stripe": {"customer_id": "{linked}"}},
    f"POST {V3}/customers/{{customerId}}/billing/stripe/checkout-sessions": SESSION_V3,
    f"POST {V3}/customers/{{customerId}}/billing/stripe/portal-sessions": {"stripe_options": {}},
    f"PUT {V3}/defaults/tax-codes": {"invoicing_tax_code": {"id": "{tax_code}"}},
    f"POST {V3}/events": EVENT,
    f"POST {V3}/features": {"name": "Calls", "key": "calls"},
    f"PATCH {V3}/features/{{featureId}}": {"unit_cost": None},
    f"POST {V3}/meters": {"name": "Calls", "key": "calls", "aggregation": "count", "event_type": "call"},
    f"PUT {V3}/meters/{{meterId}}": {"name": "Tokens"},
    f"POST {V3}/meters/{{meterId}}/query": {},
    f"POST {V3}/plans": {
        "key": "max",
        "name": "Max",
        "currency": "USD",
        "billing_cadence": "P1M",
        "phases": PHASES_V3,
    },
    f"PUT {V3}/plans/{{planId}}": {"name": "Pro", "phases": PHASES_V3},
    f"POST {V3}/profiles": PROFILE_V3,
    f"PUT {V3}/profiles/{{id}}": {k: v for k, v in PROFILE_V3.items() if k != "apps"} | {"default": True},
    f"POST {V3}/subscriptions": {"customer": {"id": "{other}"}, "plan": {"key": "free"}},
    f"POST {V3}/subscriptions/{{subscriptionId}}/cancel": {"timing": LATER},
    f"POST {V3}/subscriptions/{{subscriptionId}}/change": {
        "customer": {"id": "{customer}"},
        "plan": {"key": "free"},
        "timing": LATER,
    },
    f"POST {V3}/tax-codes": {"name": "A", "key": "a", "app_mappings": []},
    f"PUT {V3}/tax-codes/{{taxCodeId}}": {"name": "A", "app_mappings": []},
}

PATH_IDS = {
    "apps": "app",
    "listings": "listing",
    "app-catalog": "listing",
    "customers": "customer",
    "profiles": "profile",
    "invoices": "invoice",
    "meters": "meter",
    "features": "feature",
    "plans": "plan",
    "subscriptions": "subscription",
    "tax-codes": "tax_code",
    "group-by": "dimension",
    "subjects": "subject",
}
"""What the parameter after a part of a path names."""


def filled(path: str, ids: dict[str, str]) -> str:
    """A path template with ids of what is there."""
    parts = path.split("/")
    return "/".join(
        ids[PATH_IDS[parts[number - 1]]] if part.startswith("{") else part for number, part in enumerate(parts)
    )


def placed(value: Any, ids: dict[str, str]) -> Any:
    """`value` with the ids in their places."""
    if isinstance(value, str):
        for name, id_ in ids.items():
            value = value.replace(f"{{{name}}}", id_)
        return value
    if isinstance(value, dict):
        return {name: placed(one, ids) for name, one in value.items()}
    return [placed(one, ids) for one in value] if isinstance(value, list) else value
