"""What falls due when: the lines of a subscription from now on, day by day, with what is known of their amounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.backend import Backend
from dashboard.billing.rating import RateRequest, RatingTerms, rate_line
from dashboard.catalog.features import features_by_key
from dashboard.catalog.price_text import price_in_words
from dashboard.catalog.prices import FlatPrice
from dashboard.customers.queries import get_customer, usage_names
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.money import format_money, format_quantity
from dashboard.subscriptions.lines import horizon, lines_until
from dashboard.subscriptions.proration import SubscriptionEndMode
from dashboard.subscriptions.schedule import billing_period_at
from dashboard.subscriptions.views import Subscription, SubscriptionLine
from dashboard.ui.subscriptions.views import DueDate, DueLine
from dashboard.ui.views import day, span_text
from dashboard.usage.queries import get_meter, measured_quantity
from dashboard.usage.views import Meter


@dataclass(frozen=True, slots=True)
class Counted:
    """All that is needed to ask how much was used: read first, before the events are."""

    meter: Meter
    filters: dict[str, tuple[str, ...]]


def coming_lines(subscription: Subscription, now: datetime, end_mode: SubscriptionEndMode) -> list[SubscriptionLine]:
    """The lines that fall due from now to the end of the next billing period, the first one first."""
    this_period = horizon(subscription, now)
    until = billing_period_at(subscription.billing_anchor, subscription.billing_cadence, this_period).end
    lines = [line for line in lines_until(subscription, until, end_mode=end_mode) if max(line.invoice_at, now) <= until]
    return sorted((line for line in lines if line.invoice_at >= now), key=lambda line: line.invoice_at)


async def counted_features(session: AsyncSession, lines: Sequence[SubscriptionLine]) -> dict[str, Counted]:
    """How the features of these lines are counted; those that are not, or no longer, are left out."""
    keys = {line.rate_card.feature_key for line in lines if line.rate_card.feature_key}
    found: dict[str, Counted] = {}
    for key, feature in (await features_by_key(session, keys)).items():
        if feature.meter_id is not None:
            try:
                found[key] = Counted(await get_meter(session, feature.meter_id), feature.filters)
            except MeterdeskError:
                continue
    return found


async def used_so_far(
    backend: Backend, subscription: Subscription, lines: Sequence[SubscriptionLine], now: datetime
) -> dict[str, Decimal]:
    """Reference → what was used until now, of lines whose period has begun."""
    async with backend.database.read() as session:
        counted = await counted_features(session, lines)
        subjects = usage_names(await get_customer(session, subscription.customer_id))
    used: dict[str, Decimal] = {}
    for line in lines:
        how = counted.get(line.rate_card.feature_key or "")
        period = line.full_service_period
        if how is None or isinstance(line.price, FlatPrice) or period.start >= now:
            continue
        until = min(period.end, now)
        if subjects:
            used[line.reference] = await measured_quantity(
                backend.event_store, how.meter, subjects, period.start, until, how.filters
            )
        else:
            used[line.reference] = Decimal(0)
    return used


def due_dates(
    lines: Sequence[SubscriptionLine], used: Mapping[str, Decimal], currency: str, now: datetime
) -> list[DueDate]:
    """The lines by the day they fall due. A sum with usage in it is “so far”, or “+ usage” before its period begins."""
    found = []
    for invoice_at, group in groupby(lines, key=lambda line: line.invoice_at):
        due = list(group)
        priced = [_line(line, used.get(line.reference), currency) for line in due]
        total = format_money(sum((amount for _, amount in priced if amount is not None), Decimal(0)), currency)
        if any(amount is None for _, amount in priced):
            total += " + usage"
        elif not all(isinstance(line.price, FlatPrice) for line in due):
            total += " so far"
        found.append(DueDate(day(invoice_at, now), total, [line for line, _ in priced]))
    return found


def _line(line: SubscriptionLine, used: Decimal | None, currency: str) -> tuple[DueLine, Decimal | None]:
    card = line.rate_card
    period = span_text(line.service_period.start, line.service_period.end)
    is_flat = isinstance(line.price, FlatPrice)
    words = price_in_words(line.price, currency, card.discounts, card.unit_conversion)
    quantity = Decimal(1) if is_flat else used
    amount = None
    if quantity is not None:
        try:
            terms = RatingTerms(currency, line.price, card.discounts, card.unit_conversion)
            amount = rate_line(RateRequest(terms, quantity)).totals.total
        except MeterdeskError:
            amount = None
    if is_flat:
        note = "fixed"
        if line.prorated_from is not None:
            note = f"fixed: part of a period, a whole one costs {format_money(line.prorated_from, currency)}"
    else:
        note = words if used is None else f"{format_quantity(used)} used so far; {words}"
    shown = "by usage" if amount is None else format_money(amount, currency)
    return DueLine(card.name, period, shown, note), amount
