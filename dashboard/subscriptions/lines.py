"""What a subscription yields to be billed: one line per item and period, each with a name that never changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from dashboard.catalog.prices import FlatPrice, Price
from dashboard.kit.calendar import Duration
from dashboard.subscriptions.periods import PeriodLine, PhaseItem, PhaseSchedule, subscription_periods
from dashboard.subscriptions.proration import SubscriptionEndMode, flat_fee_proration
from dashboard.subscriptions.schedule import billing_period_at
from dashboard.subscriptions.views import Subscription, SubscriptionItem, SubscriptionLine, SubscriptionPhase


def lines_until(
    subscription: Subscription, until: datetime, *, end_mode: SubscriptionEndMode
) -> list[SubscriptionLine]:
    """Every line that can be billed up to `until`, from the very beginning of the subscription.

    A flat fee whose period is cut short is prorated; one that comes to nothing is left out.
    """
    if subscription.deleted_at is not None:
        return []
    return [
        line
        for phase in subscription.phases
        if phase.active_from <= until and (phase.active_to is None or phase.active_to > phase.active_from)
        for line in _lines_of_phase(subscription, phase, until, end_mode)
    ]


def next_sync_at(subscription: Subscription, now: datetime) -> datetime | None:
    """When lines have to be made again: at the end of the billing period, or where a phase begins; None when over."""
    if subscription.deleted_at is not None or (subscription.active_to is not None and subscription.active_to <= now):
        return None
    moments = [phase.active_from for phase in subscription.phases if phase.active_from > now]
    if subscription.active_from <= now:
        period = billing_period_at(subscription.billing_anchor, subscription.billing_cadence, now)
        moments.append(period.end)
    return min(moments, default=None)


def horizon(subscription: Subscription, now: datetime) -> datetime:
    """Up to when lines are made at `now`: the end of the current billing period, before the start of the first one."""
    at = max(now, subscription.active_from)
    return billing_period_at(subscription.billing_anchor, subscription.billing_cadence, at).end


def _lines_of_phase(
    subscription: Subscription, phase: SubscriptionPhase, until: datetime, end_mode: SubscriptionEndMode
) -> Iterator[SubscriptionLine]:
    schedule = PhaseSchedule(
        phase_start=phase.active_from,
        billing_cadence=Duration.parse(subscription.billing_cadence),
        billing_anchor=subscription.billing_anchor,
        phase_end=phase.active_to,
        subscription_end=subscription.active_to,
    )
    by_place = {(item.key, item.version): item for item in phase.items}
    items = [_phase_item(item, phase) for item in phase.items]
    for line in subscription_periods(schedule, items, until):
        item = by_place[line.item_key, line.item_version]
        price = item.rate_card.price
        if price is None or line.invoice_at is None:
            continue
        billed = _prorated(subscription, price, line, end_mode)
        if billed is None:
            continue
        amount = price.amount if isinstance(price, FlatPrice) and billed != price else None
        yield _line(subscription, phase, item, line, billed, amount)


def _phase_item(item: SubscriptionItem, phase: SubscriptionPhase) -> PhaseItem:
    cadence = item.rate_card.billing_cadence
    return PhaseItem(
        key=item.key,
        cadence=None if cadence is None else Duration.parse(cadence),
        price=item.rate_card.price,
        start_after=_offset(item.active_from - phase.active_from),
        end_after=None if item.active_to is None else _offset(item.active_to - phase.active_from),
    )


def _offset(distance: timedelta) -> Duration | None:
    return Duration(seconds=Decimal(str(distance.total_seconds()))) if distance else None


def _prorated(
    subscription: Subscription, price: Price, line: PeriodLine, end_mode: SubscriptionEndMode
) -> Price | None:
    if not isinstance(price, FlatPrice):
        return price
    amount = flat_fee_proration(
        price.amount,
        subscription.currency,
        line.service_period,
        line.full_service_period,
        enabled=subscription.pro_rating_enabled,
        subscription_end=subscription.active_to,
        subscription_end_mode=end_mode,
    )
    return None if amount is None else replace(price, amount=amount)


def _line(
    subscription: Subscription,
    phase: SubscriptionPhase,
    item: SubscriptionItem,
    line: PeriodLine,
    price: Price,
    prorated_from: Decimal | None,
) -> SubscriptionLine:
    reference = f"{subscription.id}/{phase.key}/{item.key}/v[{item.version}]"
    if line.period_index is not None:
        reference += f"/period[{line.period_index}]"
    assert line.invoice_at is not None
    return SubscriptionLine(
        reference=reference,
        subscription_id=subscription.id,
        phase_id=phase.id,
        item_id=item.id,
        rate_card=item.rate_card,
        price=price,
        service_period=line.service_period,
        full_service_period=line.full_service_period,
        billing_period=line.billing_period,
        invoice_at=line.invoice_at,
        prorated_from=prorated_from,
    )
