"""From our charges to what is still open, every difference to Stripe's figures named: each strong row is a sum."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dashboard.billing.views import ExternalInvoice, Invoice
from dashboard.kit.money import ZERO, format_money


@dataclass(frozen=True, slots=True)
class TotalRow:
    name: str
    amount: str
    strong: bool = False


def foreign_rows(invoice: Invoice) -> list[TotalRow]:
    """Lines that somebody else put on the Stripe invoice."""
    lines = invoice.external.foreign_lines if invoice.external else ()
    return [TotalRow(name, format_money(amount, invoice.currency)) for name, amount in lines]


def total_rows(invoice: Invoice) -> list[TotalRow]:
    """Our figures down to before tax, then what Stripe made of them. Zero rows that say nothing are left out."""
    return [
        TotalRow(name, format_money(amount, invoice.currency), strong=strong)
        for name, amount, strong in (*_our_side(invoice), *_stripe_side(invoice))
    ]


_Figures = Iterator[tuple[str, Decimal, bool]]


def _our_side(invoice: Invoice) -> _Figures:
    totals = invoice.totals
    yield "Charges", totals.amount, False
    yield from _present(("Commitments", totals.charges), ("Discounts", -totals.discounts), ("Credits", -totals.credits))
    yield "Before tax", totals.before_tax, False


def _stripe_side(invoice: Invoice) -> _Figures:
    external = invoice.external
    if external is None or external.total is None or external.status == "draft":
        yield "Total", invoice.totals.total, True
        return
    foreign = sum((amount for _, amount in external.foreign_lines), ZERO)
    on_top = external.total - (external.subtotal if external.subtotal is not None else external.total)
    rest = external.total - invoice.totals.before_tax - foreign - on_top
    rounded = any(note.code == "rounded_by_stripe" for note in external.notes)
    yield from _present(
        ("Added in Stripe, not ours", foreign), ("Rounded by Stripe" if rounded else "Changed in Stripe", rest)
    )
    if external.tax is not None:
        yield (
            ("Tax (Stripe)" if on_top else "Tax inside the prices (Stripe)") if external.tax else "Tax (Stripe)",
            (external.tax),
            False,
        )
    yield "Total", external.total, True
    yield from _settled(external, external.total)


def _settled(external: ExternalInvoice, total: Decimal) -> _Figures:
    yield from _balance(external, total)
    yield from _present(
        ("Credited", -(external.credited_before_payment or ZERO)),
        ("Paid", -(external.amount_paid or ZERO)),
        ("Credited or refunded after payment", external.credited_after_payment or ZERO),
    )
    if external.amount_remaining:
        yield "Still open", external.amount_remaining, True


def _balance(external: ExternalInvoice, total: Decimal) -> _Figures:
    """What the customer's balance at Stripe had to do with it. Below zero it is the customer's credit."""
    if external.balance_before is None or external.balance_after is None:
        return
    lowered = external.balance_after - external.balance_before
    if total < 0:
        yield from _present(("Kept as the customer's credit", -lowered))
        return
    from_credit = min(max(-external.balance_before, ZERO), total)
    carried = lowered - from_credit
    words = "Too small to charge: carried to the next invoice" if carried > 0 else "Carried over from earlier invoices"
    yield from _present(("From the customer's credit", -from_credit), (words, -carried))


def _present(*rows: tuple[str, Decimal]) -> _Figures:
    for name, amount in rows:
        if amount:
            yield name, amount, False
