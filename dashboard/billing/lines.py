"""Lines of an invoice: making and changing one, and keeping what rating says of it. For this room only."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.documents import tax_from_json, to_json
from dashboard.billing.errors import FeatureHasNoMeter, LineIsFixed, ZeroAmount
from dashboard.billing.invoice_inputs import PendingLineInput
from dashboard.billing.invoice_rows import detail_rows, set_totals
from dashboard.billing.line_rating import FLAT_KIND, USAGE_KIND, rate_flat, take_over, terms_of, totals_of_lines
from dashboard.billing.rating.lines import RatingResult
from dashboard.billing.tables import DetailLineRow, InvoiceLineRow, InvoiceRow
from dashboard.billing.tax import effective_tax, organisation_tax, resolved_tax
from dashboard.billing.views import InvoiceStatus, TaxConfig, Workflow
from dashboard.catalog.features import get_feature
from dashboard.catalog.price_json import price_from_json
from dashboard.catalog.price_rules import conversion_problems, discount_problems, price_problems, refuse_problems
from dashboard.catalog.prices import FlatPrice
from dashboard.kit.database import Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import new_id

MANUAL = "manual"
SUBSCRIPTION = "subscription"

Family = list[tuple[InvoiceLineRow, InvoiceStatus]]


async def make_line(
    work: Work,
    invoice: InvoiceRow,
    wanted: PendingLineInput,
    workflow: Workflow,
    *,
    managed_by: str = MANUAL,
    reference: str | None = None,
    is_metered: bool = True,
) -> InvoiceLineRow:
    """A new line, priced if it is flat. With `is_metered` False nobody asks yet whether its usage can be measured.

    Raises ZeroAmount, AmountTooLarge, BadPrice, UnknownTaxCode, FeatureNotFound, FeatureHasNoMeter, InvalidInput.
    """
    line = blank_line(invoice, wanted, work.now, managed_by=managed_by, reference=reference)
    await fill_line(work.session, line, wanted, work.now, is_metered=is_metered)
    await _store_new(work.session, [line], workflow)
    return line


async def make_lines(
    work: Work, invoice: InvoiceRow, wanted: Iterable[PendingLineInput], workflow: Workflow
) -> list[InvoiceLineRow]:
    """`make_line` for many by hand: all of them or, when it raises, none."""
    lines: list[InvoiceLineRow] = []
    for one in wanted:
        line = blank_line(invoice, one, work.now)
        await fill_line(work.session, line, one, work.now)
        lines.append(line)
    await _store_new(work.session, lines, workflow)
    return lines


async def _store_new(session: AsyncSession, lines: Sequence[InvoiceLineRow], workflow: Workflow) -> None:
    await apply_tax(session, lines, workflow)
    details = [take_over(line, (), rate_flat(line)) for line in lines if line.kind == FLAT_KIND]
    session.add_all(lines)
    # Details refer to their lines, which the session does not know.
    await session.flush()
    session.add_all(chain.from_iterable(details))


def blank_line(
    invoice: InvoiceRow,
    wanted: PendingLineInput,
    now: datetime,
    *,
    managed_by: str = MANUAL,
    reference: str | None = None,
) -> InvoiceLineRow:
    """A line to be filled, in no session yet."""
    line_id = new_id()
    return InvoiceLineRow(
        id=line_id,
        root_id=line_id,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        name=wanted.name,
        kind=FLAT_KIND,
        managed_by=managed_by,
        reference=reference,
        price={},
        rate_discounts={},
        tax={},
        effective_tax={},
        metadata_={},
        period_from=wanted.period_from,
        period_to=wanted.period_to,
        full_period_from=wanted.period_from,
        full_period_to=wanted.period_to,
        invoice_at=wanted.invoice_at,
        created_at=now,
        updated_at=now,
    )


async def fill_line(
    session: AsyncSession,
    line: InvoiceLineRow,
    wanted: PendingLineInput,
    now: datetime,
    *,
    is_metered: bool = True,
) -> None:
    """Writes what is wanted into a line, checked; which tax applies is for `apply_tax` afterwards.

    Raises what `make_line` raises.

    With `is_metered` False nobody asks whether usage can be measured: its quantity is given, as in a simulation, or it
    is asked when the line is collected.
    """
    line.name = wanted.name
    line.description = wanted.description
    line.price = dict(wanted.price)
    line.rate_discounts = dict(wanted.discounts)
    line.unit_conversion = wanted.unit_conversion
    line.kind = FLAT_KIND if isinstance(price_from_json(line.price), FlatPrice) else USAGE_KIND
    line.quantity = wanted.quantity
    line.feature_key = wanted.feature_key
    line.invoice_at = wanted.invoice_at
    line.metadata_ = dict(wanted.metadata)
    line.period_from, line.period_to = wanted.period_from, wanted.period_to
    line.full_period_from, line.full_period_to = wanted.period_from, wanted.period_to
    line.updated_at = now
    _check_terms(line)
    if is_metered and line.kind == USAGE_KIND:
        await _check_meter(session, line)
    tax = await resolved_tax(session, wanted.tax.to_tax_config(), field="tax.tax_code_id")
    line.tax, line.tax_code_id = to_json(tax), tax.tax_code_id


async def change_line(work: Work, line: InvoiceLineRow, wanted: PendingLineInput, *, terms_are_fixed: bool) -> None:
    """Replaces what a line says. With `terms_are_fixed`, as in a piece of a line, price, feature and period stay.
    Which tax applies is for `apply_tax` afterwards.

    Raises LineIsFixed where they would not, and what `make_line` raises.
    """
    if not terms_are_fixed:
        await fill_line(work.session, line, wanted, work.now)
        await rate_if_flat(work.session, line)
        return
    same_terms = (
        price_from_json(wanted.price) == price_from_json(line.price)
        and wanted.feature_key == line.feature_key
        and (wanted.period_from, wanted.period_to) == (line.period_from, line.period_to)
    )
    if not same_terms:
        raise LineIsFixed(f"The price, feature and period of “{line.name}” come from elsewhere.", field="lines")
    full_period, quantity = (line.full_period_from, line.full_period_to), line.quantity
    await fill_line(work.session, line, wanted, work.now)
    line.full_period_from, line.full_period_to = full_period
    line.quantity = quantity
    await rate_if_flat(work.session, line)


async def apply_tax(session: AsyncSession, lines: Iterable[InvoiceLineRow], workflow: Workflow) -> None:
    """Works out which tax applies to lines under a workflow. A code that was deleted since counts as none."""
    default = await _still_known(session, workflow.default_tax)
    organisation = await organisation_tax(session)
    for line in lines:
        line.effective_tax = to_json(effective_tax(tax_from_json(line.tax), default, organisation))


async def rate_if_flat(session: AsyncSession, line: InvoiceLineRow) -> None:
    """Prices a flat line; a metered one waits until its quantity is known."""
    if line.kind == FLAT_KIND:
        await store_rating(session, line, rate_flat(line), (await detail_rows(session, [line.id]))[line.id])


async def store_rating(
    session: AsyncSession, line: InvoiceLineRow, result: RatingResult, known: Sequence[DetailLineRow]
) -> None:
    """Keeps what rating says of a line: of the components there are now, `known`, those that stay keep their ids."""
    details = take_over(line, known, result)
    kept = {detail.id for detail in details}
    for row in known:
        if row.id not in kept:
            await session.delete(row)
    session.add_all(details)


def add_up(invoice: InvoiceRow, lines: Sequence[InvoiceLineRow]) -> None:
    """Sets an invoice's totals and period from its live lines. What the provider said of tax is forgotten."""
    live = [line for line in lines if line.deleted_at is None]
    set_totals(invoice, totals_of_lines(live))
    # What is settled of earlier periods does not make the invoice one about them.
    own = [line for line in live if not line.is_late_usage] or live
    invoice.period_from = min((line.period_from for line in own), default=None)
    invoice.period_to = max((line.period_to for line in own), default=None)


async def families_of(session: AsyncSession, lines: Sequence[InvoiceLineRow]) -> dict[str, Family]:
    """Line id → the other pieces of a line that is billed in pieces, the earliest first, with their status."""
    if not lines:
        return {}
    statement = (
        select(InvoiceLineRow, col(InvoiceRow.status))
        .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
        .where(col(InvoiceLineRow.root_id).in_({line.root_id for line in lines}))
        .where(col(InvoiceLineRow.deleted_at).is_(None))
        .order_by(col(InvoiceLineRow.period_from))
    )
    pieces = [(piece, InvoiceStatus(status)) for piece, status in await session.execute(statement)]
    return {
        line.id: [(piece, status) for piece, status in pieces if piece.root_id == line.root_id and piece.id != line.id]
        for line in lines
    }


def _check_terms(line: InvoiceLineRow) -> None:
    terms = terms_of(line)
    problems = discount_problems(terms.discounts, terms.price)
    if terms.unit_conversion is not None:
        problems += conversion_problems(terms.unit_conversion, terms.price)
    if isinstance(terms.price, FlatPrice):
        # Below zero it is a credit, which a plan's price may not be but a charge by hand may.
        refuse_problems(problems)
        _check_flat(terms.price, line)
        return
    refuse_problems(price_problems(terms.price) + problems)


async def _check_meter(session: AsyncSession, line: InvoiceLineRow) -> None:
    if line.quantity is not None:
        raise InvalidInput("The quantity of this price is metered; it cannot be given.", field="quantity")
    if line.period_to <= line.period_from:
        raise InvalidInput("The period of metered usage cannot be empty.", field="period_to")
    if line.feature_key is None:
        raise InvalidInput("A price for usage needs a feature.", field="feature_key")
    feature = await get_feature(session, line.feature_key)
    if feature.meter_id is None:
        raise FeatureHasNoMeter(f"The feature {feature.key} has no meter.", field="feature_key")


def _check_flat(price: FlatPrice, line: InvoiceLineRow) -> None:
    if not price.amount:
        raise ZeroAmount("A charge of nothing is no charge.", field="unit_price")
    if line.quantity is not None and line.quantity <= 0:
        raise ZeroAmount("The quantity has to be above zero.", field="quantity")


async def _still_known(session: AsyncSession, config: TaxConfig) -> TaxConfig:
    try:
        return await resolved_tax(session, config)
    except InvalidInput:
        return TaxConfig(config.behavior, None, config.stripe_code)
