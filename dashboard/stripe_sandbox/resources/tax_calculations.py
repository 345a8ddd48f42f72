"""Tax calculations: what the tax would be, without an invoice."""

from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox import tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import check_currency
from dashboard.stripe_sandbox.errors import not_found
from dashboard.stripe_sandbox.ids import new_id
from dashboard.stripe_sandbox.lists import listing, slice_page
from dashboard.stripe_sandbox.resources import tax_codes
from dashboard.stripe_sandbox.resources.common import address, one_of
from dashboard.stripe_sandbox.routing import includable, operation

NINETY_DAYS = 90 * 86400


@operation("POST /v1/tax/calculations")
def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    one_of(params, "customer", "customer_details")
    tax.check_active(ctx)
    currency = check_currency(params["currency"])
    customer = ctx.need("customer", params["customer"], "customer") if params.get("customer") else None
    buyer = customer or _buyer(params.get("customer_details") or {})
    place = tax.location_of(ctx, buyer)
    if place is None:
        raise tax.location_invalid()
    lines, taxed = [], []
    for position, entry in enumerate(params["line_items"]):
        line, ruling = _line(ctx, buyer, place, entry, position)
        lines.append(line)
        taxed.append((line, ruling))
    exclusive = sum(line["amount_tax"] for line in lines if line["tax_behavior"] == "exclusive")
    inclusive = sum(line["amount_tax"] for line in lines if line["tax_behavior"] == "inclusive")
    calculation = ctx.new(
        "tax.calculation",
        amount_total=sum(line["amount"] for line in lines) + exclusive,
        currency=currency,
        customer=customer["id"] if customer else None,
        customer_details=_details(params, buyer),
        expires_at=ctx.now + NINETY_DAYS,
        ship_from_details=_ship_from(params),
        tax_amount_exclusive=exclusive,
        tax_amount_inclusive=inclusive,
        tax_breakdown=_breakdown(ctx, taxed, place),
        tax_date=params.get("tax_date", ctx.now),
        _lines=lines,
    )
    return ctx.save(calculation)


@operation("GET /v1/tax/calculations/{calculation}")
def retrieve(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    return ctx.need("tax.calculation", id)


@operation("GET /v1/tax/calculations/{calculation}/line_items")
def line_items(ctx: Context, params: dict[str, Any], id: str) -> dict[str, Any]:
    lines = ctx.need("tax.calculation", id)["_lines"]
    return slice_page(ctx, lines, params, f"/v1/tax/calculations/{id}/line_items")


@includable("tax.calculation", "line_items")
def lines_of(ctx: Context, shown: dict[str, Any]) -> dict[str, Any]:
    lines = ctx.need("tax.calculation", shown["id"])["_lines"]
    return listing(
        [dict(line) for line in lines[:10]], f"/v1/tax/calculations/{shown['id']}/line_items", len(lines) > 10
    )


def _line(
    ctx: Context, buyer: dict[str, Any], place: tax.Location, entry: dict[str, Any], position: int
) -> tuple[dict[str, Any], tax.Ruling]:
    code = entry.get("tax_code")
    if code:
        tax_codes.check(code, f"line_items[{position}][tax_code]")
    if entry.get("product"):
        product = ctx.get(entry["product"])
        if product is None:
            raise not_found("product", entry["product"], f"line_items[{position}][product]", 400)
        code = code or product["tax_code"]
    ruling = tax.ruling(ctx, buyer, place, code)
    behavior = entry.get("tax_behavior", "exclusive")
    line = ctx.new(
        "tax.calculation_line_item",
        amount=entry["amount"],
        amount_tax=tax.tax_amount(entry["amount"], ruling.percent, behavior == "inclusive"),
        metadata=entry.get("metadata"),
        product=entry.get("product"),
        quantity=entry.get("quantity", 1),
        reference=entry.get("reference") or new_id("tax.calculation_line_item"),
        tax_behavior=behavior,
        tax_code=code or tax.settings(ctx)["defaults"]["tax_code"],
    )
    return line, ruling


def _breakdown(
    ctx: Context, taxed: list[tuple[dict[str, Any], tax.Ruling]], place: tax.Location
) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line, ruling in taxed:
        key = (ruling.rate_id, ruling.reason, line["tax_behavior"])
        inclusive = line["tax_behavior"] == "inclusive"
        net = line["amount"] - line["amount_tax"] if inclusive else line["amount"]
        rate = ctx.need("tax_rate", ruling.rate_id)
        entry = groups.setdefault(
            key,
            {
                "amount": 0, "inclusive": inclusive, "taxability_reason": ruling.reason, "taxable_amount": 0,
                "tax_rate_details": {
                    "country": place.country, "flat_amount": None, "percentage_decimal": f"{Decimal(ruling.percent):f}",
                    "rate_type": "percentage", "state": rate["state"], "tax_type": rate["tax_type"],
                },
            },
        )  # fmt: skip
        entry["amount"] += line["amount_tax"]
        entry["taxable_amount"] += net if ruling.percent else 0
    return list(groups.values())


def _buyer(details: dict[str, Any]) -> dict[str, Any]:
    shipping = details.get("address_source") == "shipping"
    place = address(details.get("address"))
    exempt = {"customer_exempt": "exempt", "reverse_charge": "reverse"}.get(
        details.get("taxability_override", ""), "none"
    )
    return {
        "address": None if shipping else place,
        "shipping": {"address": place} if shipping else None,
        "tax_exempt": exempt,
        "tax_ids": details.get("tax_ids", []),
    }


def _details(params: dict[str, Any], buyer: dict[str, Any]) -> dict[str, Any]:
    given = params.get("customer_details") or {}
    return {
        "address": (buyer["shipping"] or {}).get("address") or buyer["address"],
        "address_source": given.get("address_source", "shipping" if buyer["shipping"] else "billing"),
        "ip_address": given.get("ip_address"),
        "tax_ids": given.get("tax_ids", []),
        "taxability_override": given.get("taxability_override", "none"),
    }


def _ship_from(params: dict[str, Any]) -> dict[str, Any] | None:
    given = params.get("ship_from_details")
    return {"address": address(given["address"])} if given else None
