"""Between stored lines and rating: a line row as a request, its priced components as detail rows and back."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from dashboard.billing.columns import LARGEST_AMOUNT
from dashboard.billing.errors import AmountTooLarge
from dashboard.billing.rating.adjustments import apply_percentage
from dashboard.billing.rating.difference import rate_run
from dashboard.billing.rating.lines import (
    FLAT,
    MINIMUM_SPEND,
    USAGE,
    VOLUME_FLAT,
    VOLUME_UNIT,
    Category,
    DiscountReason,
    LineDiscount,
    RatedLine,
    RateRequest,
    RatingResult,
    RatingTerms,
    priced_line,
    sum_totals,
)
from dashboard.billing.rating.quantities import priced_quantity
from dashboard.billing.rating.rate import rate_line
from dashboard.billing.rating.steps import multiplied
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow
from dashboard.billing.views import Totals
from dashboard.catalog.price_json import conversion_from_json, discounts_from_json, price_from_json
from dashboard.catalog.prices import FlatPrice, PaymentTerm
from dashboard.kit.calendar import Period
from dashboard.kit.ids import new_id
from dashboard.kit.money import ZERO, exact_arithmetic, round_money

FLAT_KIND = "flat"
USAGE_KIND = "usage"

_NAMES = {VOLUME_FLAT: "flat fee", VOLUME_UNIT: "usage", MINIMUM_SPEND: "minimum spend"}


def terms_of(line: InvoiceLineRow) -> RatingTerms:
    """What was agreed for a line. Raises BadPrice or BadAmount for a document that cannot be read."""
    return RatingTerms(
        currency=line.currency,
        price=price_from_json(line.price),
        discounts=discounts_from_json(line.rate_discounts),
        unit_conversion=conversion_from_json(line.unit_conversion),
    )


def rate_flat(line: InvoiceLineRow) -> RatingResult:
    """The price of a flat line, charged as often as its quantity says. Raises AmountTooLarge."""
    terms = terms_of(line)
    assert isinstance(terms.price, FlatPrice)
    quantity = Decimal(1) if line.quantity is None else line.quantity
    if quantity == 1:
        result = rate_line(RateRequest(terms, Decimal(1)))
    else:
        with exact_arithmetic():
            amount = round_money(quantity * terms.price.amount, line.currency)
            steps = multiplied(quantity, terms.price.amount, amount, line.currency)
            priced = priced_line(
                FLAT, quantity, terms.price.amount, line.currency, payment_term=terms.price.payment_term, steps=steps
            )
            result = RatingResult(
                line.currency, tuple(apply_percentage([priced], terms.discounts.percentage, line.currency))
            )
    return _of_bearable_size(result)


def rate_usage(
    line: InvoiceLineRow, cumulative_quantity: Decimal, booked: Iterable[RatedLine], waived: Iterable[RatedLine]
) -> RatingResult:
    """What a metered piece costs, given everything metered since its full period began. Raises what rating raises."""
    full = Period(line.full_period_from, line.full_period_to)
    piece = Period(line.period_from, line.period_to)
    return _of_bearable_size(rate_run(terms_of(line), full, piece, cumulative_quantity, booked, waived))


def priced_in(line: InvoiceLineRow, cumulative_quantity: Decimal, metered_before: Decimal) -> Decimal:
    """How many billed units a metered piece holds: converted, without the free ones."""
    terms = terms_of(line)
    with exact_arithmetic():
        upto = priced_quantity(RateRequest(terms, cumulative_quantity)).quantity
        return upto - priced_quantity(RateRequest(terms, metered_before)).quantity


def take_over(line: InvoiceLineRow, known: Sequence[DetailLineRow], result: RatingResult) -> list[DetailLineRow]:
    """The detail rows of a line after rating: those of components that were there before keep their ids.

    The line's own totals are set. Rows of `known` that are not in the answer have to be deleted.
    """
    by_key: dict[tuple[str, ...], DetailLineRow] = {}
    for row in known:
        by_key.setdefault(_key(row.component, row.category, row.payment_term, row.per_unit_amount), row)
    details = [
        _filled(by_key.pop(_rated_key(rated), None) or _blank(line), line, position, rated, result)
        for position, rated in enumerate(result.lines)
    ]
    totals = result.totals
    line.amount, line.charges = totals.amount, totals.charges
    line.discounts, line.credits = totals.discounts, totals.credits
    return details


def rated_lines_of(rows: Iterable[DetailLineRow], line: InvoiceLineRow) -> list[RatedLine]:
    """Detail rows as the rated lines they came from, to rate by difference."""
    return [
        RatedLine(
            component=row.component,
            quantity=row.quantity,
            per_unit_amount=row.per_unit_amount,
            totals=Totals(row.amount, row.charges, row.discounts, row.credits),
            category=Category(row.category),
            payment_term=PaymentTerm(row.payment_term),
            discounts=tuple(
                LineDiscount(DiscountReason(part["reason"]), Decimal(part["amount"])) for part in row.discount_parts
            ),
            service_period=Period(line.period_from, line.period_to),
        )
        for row in rows
    ]


def totals_of_lines(lines: Iterable[InvoiceLineRow]) -> Totals:
    """The sum of live lines, before tax."""
    return sum_totals(
        Totals(line.amount, line.charges, line.discounts, line.credits) for line in lines if line.deleted_at is None
    )


def detail_name(component: str, line_name: str) -> str:
    """What a priced component is called for people."""
    if component in (FLAT, USAGE):
        return line_name
    if component.startswith("tier_"):
        _, number, part = component.split("_")
        return f"tier {number}" + (" flat fee" if part == "flat" else "")
    return _NAMES.get(component, component.replace("_", " "))


def _filled(
    row: DetailLineRow, line: InvoiceLineRow, position: int, rated: RatedLine, result: RatingResult
) -> DetailLineRow:
    row.position = position
    row.component = rated.component
    row.name = detail_name(rated.component, line.name)
    row.quantity = rated.quantity
    row.per_unit_amount = rated.per_unit_amount
    row.category = rated.category.value
    row.payment_term = rated.payment_term.value
    row.amount, row.charges = rated.totals.amount, rated.totals.charges
    row.discounts, row.credits = rated.totals.discounts, rated.totals.credits
    row.discount_parts = [{"reason": part.reason.value, "amount": str(part.amount)} for part in rated.discounts]
    row.explanation = [step.sentence for step in (*result.steps, *rated.steps)]
    return row


def _blank(line: InvoiceLineRow) -> DetailLineRow:
    return DetailLineRow(
        id=new_id(),
        line_id=line.id,
        invoice_id=line.invoice_id,
        position=0,
        component="",
        name="",
        quantity=ZERO,
        per_unit_amount=ZERO,
        category="",
        payment_term="",
        discount_parts=[],
        explanation=[],
    )


def _rated_key(rated: RatedLine) -> tuple[str, ...]:
    return _key(rated.component, rated.category.value, rated.payment_term.value, rated.per_unit_amount)


def _key(component: str, category: str, payment_term: str, per_unit_amount: Decimal) -> tuple[str, ...]:
    return component, category, payment_term, format(per_unit_amount.normalize(), "f")


def _of_bearable_size(result: RatingResult) -> RatingResult:
    if any(abs(line.totals.amount + line.totals.charges) >= LARGEST_AMOUNT for line in result.lines):
        raise AmountTooLarge("This charge is too large for an invoice.", field="price")
    return result
