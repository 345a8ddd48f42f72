"""Money: exact decimals in major units inside, Stripe's integers at its door, text on screen.

There is one rounding rule, half away from zero. Nothing here, and nothing that uses it, ever sees a float.
"""

import re
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, ROUND_UP, Context, Decimal, localcontext
from typing import Literal, TypeVar

from dashboard.kit.currencies import Currency, UnknownCurrency, currency, known_currencies
from dashboard.kit.errors import InvalidInput

__all__ = [
    "EXACT", "ZERO", "BadAllocation", "BadAmount", "Currency", "UnknownCurrency", "allocate", "amount_text", "currency",
    "decimals_of", "exact_arithmetic", "fits_stripe", "format_money", "format_quantity", "format_unit_price",
    "from_minor", "known_currencies", "minimum_charge", "parse_amount", "round_amount", "round_ceiling", "round_down",
    "round_floor", "round_half_up", "round_money", "round_up", "smallest_unit", "to_minor", "to_minor_lines",
]  # fmt: skip

ZERO = Decimal(0)

EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
"""Python's own 28 digits silently lose the tail of (a long quantity × a small price); these do not."""

LONGEST_WHOLE_PART = 18
LONGEST_FRACTION = 18

_PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Key = TypeVar("Key", bound=Hashable)


class BadAmount(InvalidInput):
    code = "bad_amount"
    remedy = "Write a plain decimal number, such as 1234.50."


class BadAllocation(InvalidInput):
    code = "bad_allocation"
    remedy = "Give an amount of zero or more, in the currency's own decimals, and weights above zero."


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Sums and products inside this block keep 100 digits instead of 28."""
    with localcontext(EXACT):
        yield


# Rounding


def round_amount(amount: Decimal, decimals: int) -> Decimal:
    """`amount` to so many decimals, half away from zero: 1.225 → 1.23, −1.225 → −1.23."""
    return _quantize(amount, decimals, ROUND_HALF_UP)


round_half_up = round_amount


def round_up(amount: Decimal, decimals: int) -> Decimal:
    """`amount` to so many decimals, away from zero."""
    return _quantize(amount, decimals, ROUND_UP)


def round_down(amount: Decimal, decimals: int) -> Decimal:
    """`amount` to so many decimals, toward zero."""
    return _quantize(amount, decimals, ROUND_DOWN)


def round_ceiling(amount: Decimal, decimals: int) -> Decimal:
    """`amount` to so many decimals, toward plus infinity."""
    return _quantize(amount, decimals, ROUND_CEILING)


def round_floor(amount: Decimal, decimals: int) -> Decimal:
    """`amount` to so many decimals, toward minus infinity."""
    return _quantize(amount, decimals, ROUND_FLOOR)


def round_money(amount: Decimal, code: str) -> Decimal:
    """`amount` to the decimals of its currency. Raises UnknownCurrency."""
    return round_amount(amount, currency(code).decimals)


def decimals_of(code: str) -> int:
    """How many decimals the currency has on an invoice (ISO 4217). Raises UnknownCurrency."""
    return currency(code).decimals


def smallest_unit(decimals: int) -> Decimal:
    """The step between two amounts with so many decimals: 2 → 0.01, 0 → 1."""
    return Decimal(1).scaleb(-decimals)


def _quantize(amount: Decimal, decimals: int, rounding: str) -> Decimal:
    rounded = amount.quantize(smallest_unit(decimals), rounding=rounding, context=EXACT)
    return rounded if rounded else abs(rounded)


# Splitting


def allocate(
    amount: Decimal,
    weights: Sequence[tuple[Key, Decimal]],
    decimals: int,
    tie_break: Literal["order", "key"] = "order",
) -> list[tuple[Key, Decimal]]:
    """Split `amount` by weight so that the parts add up to it exactly.

    Every part is first cut toward zero to `decimals`; what is left goes, one smallest unit each, to the parts that lost
    most (largest remainder), ties by list order or by key. Shares of zero are left out. Raises BadAllocation for an
    amount below zero or finer than `decimals`, a weight of zero or less, and an amount without anything to split by.
    """
    _check_allocation(amount, weights, decimals)
    step = smallest_unit(decimals)
    with exact_arithmetic():
        units = int(amount / step)
        total_weight = sum((weight for _, weight in weights), ZERO)
        # Fractions of equal denominator: comparing the numerators' remainders is exact, dividing would not be.
        shares = [divmod(units * weight, total_weight) for _, weight in weights] if units else []
        parts = [int(whole) for whole, _ in shares]
        for index in _largest_remainders_first(weights, [rest for _, rest in shares], tie_break)[: units - sum(parts)]:
            parts[index] += 1
        return [(key, part * step) for (key, _), part in zip(weights, parts, strict=False) if part]


def _check_allocation(amount: Decimal, weights: Sequence[tuple[Key, Decimal]], decimals: int) -> None:
    if round_amount(amount, decimals) != amount:
        raise BadAllocation(f"{amount_text(amount)} cannot be split into parts of {decimals} decimals.", field="amount")
    if amount < 0:
        raise BadAllocation("An amount below zero cannot be split.", field="amount")
    if any(weight <= 0 for _, weight in weights):
        raise BadAllocation("A weight is not above zero.", field="weights")
    if amount and not weights:
        raise BadAllocation("There is nothing to split by.", field="weights")


def _largest_remainders_first(
    weights: Sequence[tuple[Key, Decimal]], remainders: list[Decimal], tie_break: Literal["order", "key"]
) -> list[int]:
    def rank(index: int) -> tuple[Decimal, str, int]:
        return -remainders[index], str(weights[index][0]) if tie_break == "key" else "", index

    return sorted(range(len(remainders)), key=rank)


# Stripe's integers


def to_minor(amount: Decimal, code: str) -> int:
    """Stripe's integer for an amount in major units: 12.34 USD → 1234, 5 ISK → 500, 5.124 KWD → 5120, 5 MGA → 5.

    An amount finer than Stripe takes is rounded half away from zero; `fits_stripe` tells beforehand whether it is.
    Source: https://docs.stripe.com/currencies. Raises UnknownCurrency.
    """
    known = currency(code)
    with exact_arithmetic():
        steps = round_amount(amount / known.stripe_step, 0)
        return int((steps * known.stripe_step).scaleb(known.stripe_decimals))


def from_minor(minor: int, code: str) -> Decimal:
    """The amount in major units that Stripe's integer stands for. Raises UnknownCurrency."""
    known = currency(code)
    return _quantize(
        Decimal(minor).scaleb(-known.stripe_decimals, EXACT), max(known.decimals, known.stripe_decimals), ROUND_HALF_UP
    )


def fits_stripe(amount: Decimal, code: str) -> bool:
    """Whether Stripe can take this amount without rounding it."""
    return from_minor(to_minor(amount, code), code) == amount


def to_minor_lines(amounts: Sequence[Decimal], code: str) -> list[int]:
    """Stripe's integers for the lines of one invoice, such that they add up to `to_minor` of their sum.

    Only currencies Stripe counts more coarsely than ISO (KWD, MGA, …) ever move a line, by less than one Stripe step;
    the lines that rounding hurt most are moved first.
    """
    known = currency(code)
    step = int(known.stripe_step.scaleb(known.stripe_decimals))
    with exact_arithmetic():
        lines = [to_minor(amount, code) for amount in amounts]
        missing = (to_minor(sum(amounts, ZERO), code) - sum(lines)) // step
        direction = 1 if missing > 0 else -1
        lost = [amount - from_minor(line, code) for amount, line in zip(amounts, lines, strict=True)]
        for index in sorted(range(len(lines)), key=lambda line: -direction * lost[line])[: abs(missing)]:
            lines[index] += direction * step
    return lines


def minimum_charge(code: str) -> Decimal | None:
    """The smallest amount Stripe charges, in major units; None where it publishes no figure. Raises UnknownCurrency."""
    return currency(code).minimum_charge


# Text


def format_money(amount: Decimal, code: str) -> str:
    """For screens: `$1,234.50`, `-€5.00`, `¥1,200`, `CHF 12.00`; rounded to the currency's decimals."""
    known = currency(code)
    return _with_symbol(f"{round_amount(abs(amount), known.decimals):,f}", amount, known)


def format_unit_price(amount: Decimal, code: str) -> str:
    """Like `format_money`, but a price of 0.0005 keeps its digits: `$0.0005`, `$10.00`."""
    known = currency(code)
    decimals = max(known.decimals, -_exponent(amount.normalize(EXACT)))
    return _with_symbol(f"{round_amount(abs(amount), decimals):,f}", amount, known)


def format_quantity(quantity: Decimal) -> str:
    """For screens: `1,250.5`, no trailing zeros."""
    whole, _, fraction = amount_text(quantity).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return sign + f"{int(digits):,}" + (f".{fraction}" if fraction else "")


def amount_text(amount: Decimal) -> str:
    """For programs: the shortest plain decimal, without exponent and trailing zeros: `12.5`, `0`, `1000`."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _with_symbol(digits: str, amount: Decimal, known: Currency) -> str:
    sign = "-" if amount < 0 and digits.strip("0.,") else ""
    return f"{sign}{known.symbol}{digits}" if known.symbol else f"{sign}{known.code}\N{NO-BREAK SPACE}{digits}"


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def parse_amount(text: object, *, field: str = "amount") -> Decimal:
    """The decimal a person or a program wrote: digits, at most one point, at most one leading minus.

    Takes text, whole numbers and decimals. Raises BadAmount for floats, NaN, infinities, exponents, separators and
    anything else, and for more than 18 digits on either side of the point.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | Decimal):
        raise BadAmount(f"An amount has to come as text, not as {_kind(text)}.", field=field)
    if isinstance(text, Decimal):
        if not text.is_finite():
            raise BadAmount("That is not a number.", field=field)
        text = format(text, "f")
    written = str(text).strip()
    if not _PLAIN_DECIMAL.fullmatch(written):
        raise BadAmount(f"“{written[:40]}” is not a plain decimal number.", field=field)
    whole, _, fraction = written.lstrip("-").partition(".")
    if len(whole.lstrip("0")) > LONGEST_WHOLE_PART or len(fraction.rstrip("0")) > LONGEST_FRACTION:
        raise BadAmount(
            f"That number is too long: at most {LONGEST_WHOLE_PART} digits before the point, {LONGEST_FRACTION} after.",
            field=field,
        )
    return Decimal(written)


def _kind(value: object) -> str:
    return {float: "a floating-point number", bool: "true or false", type(None): "nothing"}.get(
        type(value), type(value).__name__
    )
