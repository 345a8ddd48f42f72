"""Payment methods: made from test names or test numbers, attached to and detached from customers."""

import copy
import hashlib
from typing import Any

from dashboard.stripe_sandbox import cards
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter, refused
from dashboard.stripe_sandbox.lists import page
from dashboard.stripe_sandbox.resources.common import address, merge_metadata, require, save_changes
from dashboard.stripe_sandbox.routing import operation

EMPTY_TYPES = ("link", "alipay", "bancontact", "customer_balance", "paypal", "ideal", "eps", "p24", "klarna")


@operation("POST /v1/payment_methods")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    require(params, "type")
    method = build(ctx, params)
    return ctx.save(method)


@operation("GET /v1/payment_methods/{payment_method}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return resolve(ctx, id, "payment_method", 404)


@operation("POST /v1/payment_methods/{payment_method}")
def update(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    method = ctx.need("payment_method", id)
    if not method["customer"]:
        raise refused("You must save this PaymentMethod to a customer before you can update it.")
    before = copy.deepcopy(method)
    if "billing_details" in params:
        method["billing_details"] |= _billing_details(params["billing_details"], method["billing_details"])
    if "metadata" in params:
        method["metadata"] = merge_metadata(method["metadata"], params["metadata"])
    if "allow_redisplay" in params:
        method["allow_redisplay"] = params["allow_redisplay"]
    for name in ("exp_month", "exp_year"):
        if name in params.get("card", {}):
            method["card"][name] = params["card"][name]
    return save_changes(ctx, method, before, "payment_method.updated")


@operation("GET /v1/payment_methods")
def index(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    where = {name: params[name] for name in ("customer", "type", "allow_redisplay") if name in params}
    if "customer" in where:
        ctx.need("customer", where["customer"], "customer", 400)
    return page(ctx, "payment_method", params, "/v1/payment_methods", where)


@operation("GET /v1/customers/{customer}/payment_methods")
def index_of_customer(ctx: Context, params: dict[str, Any], customer_id: str) -> dict[str, Any]:
    ctx.need("customer", customer_id, "customer", 404)
    where = {"customer": customer_id, **{name: params[name] for name in ("type", "allow_redisplay") if name in params}}
    return page(ctx, "payment_method", params, f"/v1/customers/{customer_id}/payment_methods", where)


@operation("GET /v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(ctx: Context, params: dict[str, Any], customer_id: str, id: str) -> dict[str, Any]:
    method = ctx.need("payment_method", id)
    if method["customer"] != customer_id:
        raise ApiError(404, f"No such PaymentMethod: '{id}'", code="resource_missing", param="payment_method")
    return method


@operation("POST /v1/payment_methods/{payment_method}/attach")
def attach(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    require(params, "customer")
    method = resolve(ctx, id, "payment_method", 404)
    return attach_to(ctx, method, ctx.need("customer", params["customer"], "customer"))


@operation("POST /v1/payment_methods/{payment_method}/detach")
def detach_one(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    method = ctx.need("payment_method", id)
    if not method["customer"]:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    return detach(ctx, method)


def resolve(ctx: Context, id: str, param: str, status: int = 400) -> dict[str, Any]:
    """The payment method with this id; a test name such as `pm_card_visa` makes a fresh one."""
    method = ctx.get(id)
    if method and method["object"] == "payment_method":
        return method
    card, bank = cards.card_by_name(id), cards.bank_account_by_name(id)
    if card:
        return ctx.save(_new_card(ctx, card, {}, {}))
    if bank:
        return ctx.save(_new_bank_account(ctx, {"account_number": bank}, {}))
    if id.startswith("tok_") and (card := cards.card_by_name(f"pm_card_{id.removeprefix('tok_')}")):
        return ctx.save(_new_card(ctx, card, {}, {}))
    return ctx.need("payment_method", id, param, status)


def build(ctx: Context, given: dict[str, Any]) -> dict[str, Any]:
    """A payment method from its parameters (also `payment_method_data` of intents). Raises for unknown card numbers."""
    kind = given["type"]
    details = _billing_details(given.get("billing_details", {}), {})
    if kind == "card":
        method = _card_from(ctx, given.get("card", {}), details)
    elif kind == "us_bank_account":
        method = _new_bank_account(ctx, given.get("us_bank_account", {}), details)
    elif kind == "sepa_debit":
        method = _new_sepa_debit(ctx, given.get("sepa_debit", {}), details)
    elif kind in EMPTY_TYPES:
        method = _new(ctx, kind, {}, details, "ok")
        if kind == "link":
            method["link"] = {"email": details.get("email")}
        if kind == "klarna":
            method["klarna"] = {"dob": None}
        if kind in ("eps", "p24", "ideal"):
            method[kind] = {"bank": None} | ({"bic": None} if kind == "ideal" else {})
        if kind == "paypal":
            method["paypal"] = {"country": None, "payer_email": None, "payer_id": None}
    else:
        raise invalid_parameter("type", f'The payment method type "{kind}" is not activated for your account.')
    method["metadata"] = given.get("metadata") or {}
    method["allow_redisplay"] = given.get("allow_redisplay", "unspecified")
    return method


def attach_to(
    ctx: Context, method: dict[str, Any], customer: dict[str, Any], *, set_up: bool = False
) -> dict[str, Any]:
    """Give the method to the customer. A card that always declines is refused here, as its bank is asked."""
    if method["customer"] == customer["id"]:
        return method
    if method["customer"]:
        raise refused(
            "The payment method you provided has already been attached to a customer.",
            "payment_method_unexpected_state",
        )
    behaviour = method.get("_behaviour", "ok")
    if behaviour.startswith("decline:") and method["type"] == "card" and not set_up:
        raise decline_error(behaviour.removeprefix("decline:"), payment_method=None)
    method["customer"] = customer["id"]
    method["_set_up"] = set_up
    ctx.save(method)
    ctx.emit("payment_method.attached", method)
    return method


def detach(ctx: Context, method: dict[str, Any]) -> dict[str, Any]:
    """Take the method from its customer; it can never be used again, and stops being the default."""
    customer = ctx.get(method["customer"])
    method["customer"] = None
    method["_detached"] = True
    ctx.save(method)
    if customer and customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        ctx.save(customer)
        ctx.emit("customer.updated", customer, {"invoice_settings": {"default_payment_method": method["id"]}})
    ctx.emit("payment_method.detached", method)
    return method


def decline_error(decline_code: str, **extra: Any) -> ApiError:
    """The 402 of a declined card."""
    code, message = cards.MESSAGES[decline_code]
    declined = decline_code if code == "card_declined" else None
    return ApiError(402, message, type="card_error", code=code, decline_code=declined, **extra)


def _card_from(ctx: Context, given: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    if "token" in given:
        card = cards.card_by_name(f"pm_card_{given['token'].removeprefix('tok_')}")
        if card is None:
            raise ApiError(400, f"No such token: '{given['token']}'", code="resource_missing", param="card[token]")
        return _new_card(ctx, card, given, details)
    for name in ("number", "exp_month", "exp_year"):
        if name not in given:
            raise ApiError(
                400, f"Missing required param: card[{name}].", code="parameter_missing", param=f"card[{name}]"
            )
    return from_number(ctx, given["number"], given, details)


def from_number(ctx: Context, number: str, given: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    """A card method from a typed number. Raises the 402s of a form: wrong number, expiry in the past."""
    card = cards.card_by_number(number)
    if card is None:
        digits = number.replace(" ", "").replace("-", "")
        code = "incorrect_number" if not _luhn(digits) else "card_declined"
        message = (
            "Your card number is incorrect."
            if code == "incorrect_number"
            else "Your card was declined. Your request was in test mode, but used a non test card."
        )
        raise ApiError(402, message, type="card_error", code=code, param="number")
    year = int(given.get("exp_year", 2040))
    if not 1 <= int(given.get("exp_month", 12)) <= 12:
        raise _card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if year < 1970 + ctx.now // 31_556_952:
        raise _card_error("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    return _new_card(ctx, card, given, details)


def _card_error(message: str, code: str, param: str) -> ApiError:
    return ApiError(402, message, type="card_error", code=code, param=param)


def _new_card(ctx: Context, card: cards.Card, given: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": "pass" if (details.get("address") or {}).get("postal_code") else None,
            "cvc_check": "pass" if given.get("cvc") else None,
        },
        "country": card.country,
        "display_brand": card.brand if card.brand != "amex" else "american_express",
        "exp_month": int(given.get("exp_month", 12)),
        "exp_year": int(given.get("exp_year", 1970 + ctx.now // 31_556_952 + 4)),
        "fingerprint": hashlib.sha256(f"{ctx.account}{card.number}".encode()).hexdigest()[:16],
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return _new(ctx, "card", facts, details, card.behaviour)


def _new_bank_account(ctx: Context, given: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    number = given.get("account_number", "000123456789")
    behaviour = cards.BANK_ACCOUNTS.get(number)
    if behaviour is None:
        raise invalid_parameter("us_bank_account[account_number]", "The bank account number is not a test number.")
    facts = {
        "account_holder_type": given.get("account_holder_type", "individual"),
        "account_type": given.get("account_type", "checking"),
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": hashlib.sha256(f"{ctx.account}{number}".encode()).hexdigest()[:16],
        "last4": number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": given.get("routing_number", "110000000"),
        "status_details": {},
    }
    return _new(ctx, "us_bank_account", facts, details, behaviour)


def _new_sepa_debit(ctx: Context, given: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    iban = given.get("iban", "DE89370400440532013000")
    facts = {
        "bank_code": iban[4:12], "branch_code": None, "country": iban[:2],
        "fingerprint": hashlib.sha256(f"{ctx.account}{iban}".encode()).hexdigest()[:16],
        "generated_from": {"charge": None, "setup_attempt": None}, "last4": iban[-4:],
    }  # fmt: skip
    return _new(ctx, "sepa_debit", facts, details, "ok")


def _new(ctx: Context, kind: str, facts: dict[str, Any], details: dict[str, Any], behaviour: str) -> dict[str, Any]:
    method = ctx.new("payment_method", type=kind, metadata={}, allow_redisplay="unspecified", _behaviour=behaviour)
    method["billing_details"] |= details
    method[kind] = facts
    return method


def _billing_details(given: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    empty = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    details: dict[str, Any] = {"address": old.get("address") or empty}
    if "address" in given:
        details["address"] = address(given["address"]) or empty
    for name in ("email", "name", "phone", "tax_id"):
        if name in given:
            details[name] = given[name] or None
    return details


def _luhn(digits: str) -> bool:
    if not digits.isdigit() or len(digits) < 12:
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
