"""What may be asked of a checkout session in setup mode, and how the answer shows it.

https://docs.stripe.com/api/checkout/sessions/create
"""

from typing import Any

from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter

MINUTE, DAY = 60, 86400
ONLY_PAYMENT = ("payment_intent_data", "line_items", "discounts", "invoice_creation", "shipping_options", "submit_type",
                "allow_promotion_codes", "adaptive_pricing", "subscription_data", "optional_items")  # fmt: skip


def check(ctx: Context, params: dict[str, Any], ui_mode: str) -> None:
    """Raises for parameters that contradict each other or the mode."""
    mode = params.get("mode", "payment")
    if mode != "setup":
        raise invalid_parameter("mode", f"This sandbox serves Checkout Sessions in `setup` mode only, not `{mode}`.")
    for name in ONLY_PAYMENT:
        if params.get(name):
            raise invalid_parameter(name, f"`{name}` cannot be used in `setup` mode.")
    if "currency" not in params and "allowed_payment_method_types" not in params:
        raise missing_parameter("currency")
    if "customer_update" in params and not params.get("customer"):
        raise invalid_parameter("customer_update", "`customer_update` can only be used with `customer`.")
    if params.get("customer") and ("customer_email" in params or "customer_creation" in params):
        name = "customer_email" if "customer_email" in params else "customer_creation"
        raise invalid_parameter(name, f"You may only specify one of these parameters: customer, {name}.")
    if ui_mode == "hosted_page":
        _check_hosted(params)
    else:
        _check_embedded(params, ui_mode)
    expires_at = params.get("expires_at")
    if expires_at is not None and not ctx.now + 30 * MINUTE <= expires_at <= ctx.now + DAY + MINUTE:
        raise invalid_parameter(
            "expires_at", "The `expires_at` timestamp must be between 30 minutes and 24 hours from now."
        )
    collection = params.get("tax_id_collection", {})
    if collection.get("enabled") and params.get("customer"):
        update = params.get("customer_update", {})
        if update.get("name") != "auto":
            raise invalid_parameter(
                "tax_id_collection[enabled]",
                "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an "
                "existing customer, please set `customer_update[name]` to `auto`.",
            )


def _check_hosted(params: dict[str, Any]) -> None:
    if not params.get("success_url"):
        raise missing_parameter("success_url")
    for name in ("return_url", "redirect_on_completion"):
        if name in params:
            raise invalid_parameter(name, f"`{name}` can only be used with an embedded `ui_mode`.")
    for name in ("success_url", "cancel_url"):
        if name in params and not params[name].startswith(("http://", "https://")):
            raise invalid_parameter(name, f"Not a valid URL: {params[name]}", "url_invalid")


def _check_embedded(params: dict[str, Any], ui_mode: str) -> None:
    for name in ("success_url", "cancel_url"):
        if name in params:
            raise invalid_parameter(name, f"`{name}` is not supported when `ui_mode` is `{ui_mode}`.")
    never = params.get("redirect_on_completion") == "never"
    if never and "return_url" in params:
        raise invalid_parameter("return_url", "`return_url` cannot be used with `redirect_on_completion=never`.")
    if not never and not params.get("return_url"):
        raise missing_parameter("return_url")


def consent(params: dict[str, Any]) -> dict[str, Any] | None:
    """`consent_collection` with every field."""
    given = params.get("consent_collection")
    if not given:
        return None
    return {name: given.get(name) for name in ("payment_method_reuse_agreement", "promotions", "terms_of_service")}


def custom_text(params: dict[str, Any]) -> dict[str, Any]:
    """`custom_text` with every field."""
    given = params.get("custom_text", {})
    names = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return {name: given.get(name) or None for name in names}
