"""The lines of a credit note: shares of invoice lines, lines of its own, or one amount with the tax taken out."""

from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox import invoice_engine
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import round_half_up
from dashboard.stripe_sandbox.errors import invalid_parameter, missing_parameter
from dashboard.stripe_sandbox.resources.prices import plain


def lines_from(ctx: Context, invoice: dict[str, Any], params: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines that the parameters of a credit note ask for. Raises for more than an invoice line holds."""
    if params.get("lines"):
        return [_line_from(ctx, invoice, entry, position) for position, entry in enumerate(params["lines"])]
    amount = params.get("amount")
    if amount is None:
        amount = sum(params.get(name, 0) for name in ("credit_amount", "refund_amount", "out_of_band_amount"))
        if not amount:
            raise missing_parameter("amount")
    return [_whole_amount_line(ctx, invoice, amount)]


def _whole_amount_line(ctx: Context, invoice: dict[str, Any], amount: int) -> dict[str, Any]:
    """One line for an amount including tax: the invoice's taxes are taken out in proportion."""
    total = invoice["total"] or 1
    taxes = [entry | {"amount": round_half_up(Decimal(entry["amount"]) * amount / total),
                      "taxable_amount": round_half_up(Decimal(entry["taxable_amount"] or 0) * amount / total)}
             for entry in invoice["total_taxes"] or []]  # fmt: skip
    exclusive = sum(entry["amount"] for entry in taxes if entry["tax_behavior"] == "exclusive")
    return _line(ctx, "custom_line_item", amount - exclusive, None, taxes=taxes)


def _line_from(ctx: Context, invoice: dict[str, Any], entry: dict[str, Any], position: int) -> dict[str, Any]:
    where = f"lines[{position}]"
    if entry["type"] == "custom_line_item":
        if "unit_amount" not in entry and "unit_amount_decimal" not in entry:
            raise missing_parameter(f"{where}[unit_amount]")
        quantity = entry.get("quantity", 1)
        unit = Decimal(entry.get("unit_amount", entry.get("unit_amount_decimal", 0)))
        amount = invoice_engine.line_amount(unit, Decimal(quantity))
        return _line(ctx, "custom_line_item", amount, entry.get("description"), quantity=quantity, unit=unit)
    if "invoice_line_item" not in entry:
        raise missing_parameter(f"{where}[invoice_line_item]")
    line = ctx.need("line_item", entry["invoice_line_item"], f"{where}[invoice_line_item]")
    if line["invoice"] != invoice["id"]:
        raise invalid_parameter(f"{where}[invoice_line_item]", "The line is on another invoice.")
    return _share_of_line(ctx, line, entry, where)


def _share_of_line(ctx: Context, line: dict[str, Any], entry: dict[str, Any], where: str) -> dict[str, Any]:
    quantity = entry.get("quantity")
    if "amount" in entry:
        amount = entry["amount"]
    elif quantity is not None:
        amount = round_half_up(Decimal(line["amount"]) * quantity / Decimal(line["quantity_decimal"]))
    else:
        raise missing_parameter(f"{where}[quantity]")
    if not 0 < amount <= line["amount"]:
        raise invalid_parameter(f"{where}[amount]", "The amount must be above zero and at most the line's amount.")
    share = Decimal(amount) / line["amount"]
    taxes = [
        tax
        | {
            "amount": round_half_up(tax["amount"] * share),
            "taxable_amount": round_half_up((tax["taxable_amount"] or 0) * share),
        }
        for tax in line["taxes"] or []
    ]  # fmt: skip
    discounts = [
        {"amount": round_half_up(discount["amount"] * share), "discount": discount["discount"]}
        for discount in line["discount_amounts"] or []
    ]
    return _line(
        ctx,
        "invoice_line_item",
        amount,
        line["description"],
        quantity=quantity,
        taxes=taxes,
        discounts=discounts,
        source=line,
    )


def _line(
    ctx: Context,
    kind: str,
    amount: int,
    description: str | None,
    *,
    quantity: int | None = None,
    unit: Decimal | None = None,
    taxes: list[dict[str, Any]] | None = None,
    discounts: list[dict[str, Any]] | None = None,
    source: dict[str, Any] | None = None,
) -> dict[str, Any]:
    discounts = discounts or []
    line = ctx.new(
        "credit_note_line_item",
        amount=amount,
        description=description,
        discount_amount=sum(entry["amount"] for entry in discounts),
        discount_amounts=discounts,
        metadata={},
        pretax_credit_amounts=[{**entry, "type": "discount"} for entry in discounts],
        quantity=quantity,
        tax_rates=[],
        taxes=taxes or [],
        type=kind,
        unit_amount=int(unit) if unit is not None and unit == unit.to_integral_value() else None,
        unit_amount_decimal=plain(unit) if unit is not None else None,
    )
    if source:
        line["invoice_line_item"] = source["id"]
    return line


def sum_taxes(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry per rate, behaviour and reason."""
    sums: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in entries:
        key = (entry["tax_rate_details"]["tax_rate"], entry["tax_behavior"], entry["taxability_reason"])
        if key in sums:
            sums[key]["amount"] += entry["amount"]
            sums[key]["taxable_amount"] += entry["taxable_amount"]
        else:
            sums[key] = dict(entry)
    return list(sums.values())


def sum_discounts(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry per discount."""
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry["discount"]] = sums.get(entry["discount"], 0) + entry["amount"]
    return [{"amount": amount, "discount": id} for id, amount in sums.items()]
