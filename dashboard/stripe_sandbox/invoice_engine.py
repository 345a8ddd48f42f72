"""An invoice's arithmetic, in integers of the smallest unit: lines, discounts, taxes, customer balance, amount due.

Every line is rounded by itself, half away from zero; sums are sums of rounded lines, so that totals conserve.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox import tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import minimum_charge, round_half_up

MAX_LINES = 250


def lines_of(ctx: Context, invoice: dict[str, Any]) -> list[dict[str, Any]]:
    """The invoice's lines in their order."""
    return ctx.find("line_item", {"parent": invoice["id"]}, newest_first=False)


def recalculate(ctx: Context, invoice: dict[str, Any], *, final: bool = False) -> None:
    """Work out lines and totals again. `final` insists on a tax calculation: raises Stripe's tax refusals."""
    lines = lines_of(ctx, invoice)
    _apply_discounts(ctx, invoice, lines)
    _apply_taxes(ctx, invoice, lines, final)
    _total(invoice, lines)
    _apply_balance(ctx, invoice)
    for line in lines:
        ctx.save(line)
    ctx.save(invoice)


def line_amount(unit_amount: Decimal, quantity: Decimal) -> int:
    """Unit amount times quantity in minor units, half away from zero."""
    return round_half_up(unit_amount * quantity)


# discounts


def _apply_discounts(ctx: Context, invoice: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Each line's own discounts first, then the invoice's, spread over the lines."""
    left = {line["id"]: line["amount"] for line in lines}
    given: dict[str, dict[str, int]] = {line["id"]: {} for line in lines}
    for line in lines:
        for discount_id in line["discounts"]:
            _discount(ctx, discount_id, [line], left, given)
    for discount_id in invoice["discounts"]:
        eligible = [line for line in lines if line["discountable"] and line["amount"] > 0]
        _discount(ctx, discount_id, eligible, left, given)
    for line in lines:
        amounts = [{"amount": amount, "discount": id} for id, amount in given[line["id"]].items()]
        line["discount_amounts"] = amounts
        line["pretax_credit_amounts"] = [{**entry, "type": "discount"} for entry in amounts]
        line["subtotal"] = line["amount"]


def _discount(
    ctx: Context, id: str, lines: list[dict[str, Any]], left: dict[str, int], given: dict[str, dict[str, int]]
) -> None:
    coupon = ctx.get((ctx.get(id) or {}).get("_coupon", ""))
    if coupon is None:
        return
    products = (coupon.get("_applies_to") or {}).get("products")
    if products:
        lines = [line for line in lines if line.get("_product") in products]
    lines = [line for line in lines if left[line["id"]] > 0]
    shares = (
        [round_half_up(Decimal(left[line["id"]]) * Decimal(coupon["_percent"]) / 100) for line in lines]
        if coupon.get("_percent")
        else spread(coupon["amount_off"], [left[line["id"]] for line in lines])
    )
    for line, share in zip(lines, shares, strict=True):
        left[line["id"]] -= share
        given[line["id"]][id] = given[line["id"]].get(id, 0) + share


def spread(amount: int, weights: list[int]) -> list[int]:
    """Split an amount (at most the sum of the weights) in proportion; the shares add up exactly."""
    total = sum(weights)
    amount = min(amount, total)
    if not total:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(amount * weights[i] % total))
    for position in by_remainder[: amount - sum(shares)]:
        shares[position] += 1
    return shares


# taxes


def _apply_taxes(ctx: Context, invoice: dict[str, Any], lines: list[dict[str, Any]], final: bool) -> None:
    if invoice["automatic_tax"]["enabled"]:
        _apply_automatic_tax(ctx, invoice, lines, final)
        return
    for line in lines:
        taxable = line["amount"] - sum(entry["amount"] for entry in line["discount_amounts"])
        rates = line.get("_tax_rates") or [rate["id"] for rate in invoice["default_tax_rates"]]
        line["taxes"] = list(line.get("_tax_amounts") or []) or _manual_taxes(ctx, taxable, rates)


def _apply_automatic_tax(ctx: Context, invoice: dict[str, Any], lines: list[dict[str, Any]], final: bool) -> None:
    automatic = invoice["automatic_tax"]
    customer = ctx.get(invoice["customer"]) or {}
    place = tax.location_of(ctx, {**customer, **invoice.get("_preview_customer", {})})
    if final:
        tax.check_active(ctx)
        if place is None:
            automatic["status"] = "requires_location_inputs"
            raise tax.location_invalid()
    active = tax.settings(ctx)["status"] == "active"
    automatic["status"] = "complete" if active and place else "failed" if place else "requires_location_inputs"
    rulings: dict[str | None, tax.Ruling] = {}
    for line in lines:
        line["taxes"] = []
        if not active or place is None:
            continue
        code = line.get("_tax_code")
        if code not in rulings:
            rulings[code] = tax.ruling(ctx, customer | invoice.get("_preview_customer", {}), place, code)
        ruling = rulings[code]
        taxable = line["amount"] - sum(entry["amount"] for entry in line["discount_amounts"])
        behavior = line.get("_tax_behavior") or tax.default_behavior(ctx, invoice["currency"]) or "exclusive"
        line["taxes"] = [_tax_entry(ruling.rate_id, ruling.percent, taxable, behavior, ruling.reason)]


def _manual_taxes(ctx: Context, taxable: int, rate_ids: list[str]) -> list[dict[str, Any]]:
    """Inclusive rates share what is contained in the amount; exclusive ones come on top of the net amount."""
    rates = [rate for rate in (ctx.get(id) for id in rate_ids) if rate]
    inclusive = [rate for rate in rates if rate["inclusive"]]
    percent = sum((Decimal(rate["_percent"]) for rate in inclusive), Decimal(0))
    contained = tax.tax_amount(taxable, percent, inclusive=True)
    net = taxable - contained
    weights = [int(Decimal(rate["_percent"]) * 10_000) for rate in inclusive]
    sign = -1 if contained < 0 else 1
    shares = iter(_split(abs(contained), weights))
    entries = []
    for rate in rates:
        entry = _tax_entry(rate["id"], Decimal(rate["_percent"]), net, "exclusive", "standard_rated")
        if rate["inclusive"]:
            entry |= {"amount": sign * next(shares), "tax_behavior": "inclusive"}
        entries.append(entry)
    return entries


def _split(amount: int, weights: list[int]) -> list[int]:
    """Like `spread`, for amounts above the sum of the weights."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    for position in range(amount - sum(shares)):
        shares[position % len(shares)] += 1
    return shares


def _tax_entry(rate_id: str, percent: Decimal, taxable: int, behavior: str, reason: str) -> dict[str, Any]:
    amount = tax.tax_amount(taxable, percent, behavior == "inclusive")
    net = taxable - amount if behavior == "inclusive" else taxable
    untaxed = reason in ("not_collecting", "not_supported", "product_exempt", "customer_exempt", "not_subject_to_tax")
    return {
        "amount": amount,
        "tax_behavior": behavior,
        "tax_rate_details": {"tax_rate": rate_id},
        "taxability_reason": reason,
        "taxable_amount": 0 if untaxed else net,
        "type": "tax_rate_details",
    }


# totals


def _total(invoice: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    discounts: dict[str, int] = defaultdict(int)
    taxes: dict[tuple[Any, ...], dict[str, Any]] = {}
    exclusive = inclusive = inclusive_before_discount = 0
    for line in lines:
        for entry in line["discount_amounts"]:
            discounts[entry["discount"]] += entry["amount"]
        for entry in line["taxes"]:
            _add_tax(taxes, entry)
            if entry["tax_behavior"] == "exclusive":
                exclusive += entry["amount"]
            else:
                inclusive += entry["amount"]
                inclusive_before_discount += _undiscounted(line, entry)
    subtotal = sum(line["amount"] for line in lines)
    discounted = sum(discounts.values())
    shown = [{"amount": amount, "discount": id} for id, amount in discounts.items()]
    invoice |= {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive_before_discount,
        "total": subtotal - discounted + exclusive,
        "total_discount_amounts": shown,
        "total_excluding_tax": subtotal - discounted - inclusive,
        "total_pretax_credit_amounts": [{**entry, "type": "discount"} for entry in shown],
        "total_taxes": list(taxes.values()),
    }


def _add_tax(taxes: dict[tuple[Any, ...], dict[str, Any]], entry: dict[str, Any]) -> None:
    details = entry["tax_rate_details"]
    key = (details and details["tax_rate"], entry["tax_behavior"], entry["taxability_reason"])
    if key in taxes:
        taxes[key]["amount"] += entry["amount"]
        taxes[key]["taxable_amount"] = (taxes[key]["taxable_amount"] or 0) + (entry["taxable_amount"] or 0)
    else:
        taxes[key] = dict(entry)


def _undiscounted(line: dict[str, Any], entry: dict[str, Any]) -> int:
    """The inclusive tax that the line held before its discounts."""
    taxable = line["amount"] - sum(part["amount"] for part in line["discount_amounts"])
    if not taxable:
        return 0
    return round_half_up(Decimal(entry["amount"]) * line["amount"] / taxable)


def _apply_balance(ctx: Context, invoice: dict[str, Any]) -> None:
    """Credit lowers what is due, debt raises it; what is below the smallest charge is left to the balance."""
    if invoice["status"] != "draft":
        return
    customer = ctx.get(invoice["customer"]) or {}
    same_currency = customer.get("currency") in (None, invoice["currency"])
    balance = customer.get("balance", 0) if same_currency else 0
    due = invoice["total"] + balance
    if 0 < due < minimum_charge(invoice["currency"]) or due < 0:
        invoice["_carried"] = due
        due = 0
    else:
        invoice["_carried"] = 0
    invoice |= {"starting_balance": balance, "amount_due": due, "amount_remaining": due}
