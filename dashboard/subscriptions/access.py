"""What a customer may use now: what the rate cards of their running subscription grant, and how much of it is used."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_views import Feature
from dashboard.customers.queries import live_customer, usage_names
from dashboard.kit.database import Database
from dashboard.kit.paging import PAGE_SIZE_MAX, PageRequest
from dashboard.subscriptions.queries import list_subscriptions
from dashboard.subscriptions.schedule import billing_period_at
from dashboard.subscriptions.status import SubscriptionStatus
from dashboard.subscriptions.views import Subscription, SubscriptionItem
from dashboard.usage.event_store import EventStore
from dashboard.usage.queries import live_meters, query_meter
from dashboard.usage.views import Meter, MeterQuery

RUNNING = (SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class FeatureAccess:
    """Whether a feature may be used. `used` and `limit` are those of the present period of a metered grant, in units of
    the meter; `config` is what a static grant says."""

    feature_key: str
    has_access: bool
    used: Decimal | None = None
    limit: Decimal | None = None
    config: Any = None


async def customer_access(database: Database, store: EventStore, id_or_key: str) -> dict[str, FeatureAccess]:
    """Feature key → access, for every feature that a rate card in effect grants; a feature without a grant is left out.

    A metered grant starts anew with each period (the grant's own, else the rate card's cadence, counted from the
    subscription's anchor); nothing is carried over. Raises CustomerNotFound, CustomerDeleted.
    """
    now = database.clock.now()
    async with database.read() as session:
        customer = await live_customer(session, id_or_key)
        running = await list_subscriptions(
            session, PageRequest(1, PAGE_SIZE_MAX), now=now, customer_ids=[customer.id], statuses=RUNNING
        )
        granted = [(one, item) for one in running.items for item in _in_effect(one, now)]
        features = await features_by_key(session, [item.rate_card.feature_key or "" for _, item in granted])
        meters = {meter.id: meter for meter in await live_meters(session)}
    found: dict[str, FeatureAccess] = {}
    for subscription, item in granted:
        feature = features.get(item.rate_card.feature_key or "")
        if feature is None:
            continue
        meter = meters.get(feature.meter_id or "")
        since = _period_start(subscription, item, now)
        access = await _access(store, usage_names(customer), item, feature, meter, since)
        if feature.key not in found or access.has_access:
            found[feature.key] = access
    return found


def _in_effect(subscription: Subscription, now: datetime) -> list[SubscriptionItem]:
    return [
        item
        for phase in subscription.phases
        for item in phase.items
        if item.rate_card.entitlement and item.active_from <= now and (item.active_to is None or now < item.active_to)
    ]


def _period_start(subscription: Subscription, item: SubscriptionItem, now: datetime) -> datetime:
    grant = item.rate_card.entitlement or {}
    cadence = grant.get("usage_period") or item.rate_card.billing_cadence or subscription.billing_cadence
    return max(billing_period_at(subscription.billing_anchor, cadence, now).start, item.active_from)


async def _access(
    store: EventStore,
    names: tuple[str, ...],
    item: SubscriptionItem,
    feature: Feature,
    meter: Meter | None,
    since: datetime,
) -> FeatureAccess:
    grant = item.rate_card.entitlement or {}
    if grant["type"] != "metered":
        return FeatureAccess(feature.key, True, config=grant.get("config"))
    limit = Decimal(str(grant.get("limit") or 0))
    used = Decimal(0)
    if meter is not None and names:
        query = MeterQuery(from_at=since, subjects=names, filters=feature.filters)
        used = sum((row.value for row in await query_meter(store, meter, query)), used)
    return FeatureAccess(feature.key, bool(grant.get("is_soft_limit")) or used < limit, used, limit)
