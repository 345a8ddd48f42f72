"""v1's subscriptions: as they are sent, and as they are answered."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashboard.api.shapes import (
    CustomerKey,
    Description,
    Name,
    ResourceKey,
    Time,
    UlidAnyCase,
    optional_time,
    time_text,
    without_none,
)
from dashboard.api.v1.base import V1Model
from dashboard.api.v1.plans import CustomPlanBody
from dashboard.api.v1.price_shapes import discounts_to_v1
from dashboard.api.v1.rate_card_shapes import price_of_card, tax_to_v1
from dashboard.catalog.price_json import discounts_to_json
from dashboard.subscriptions.views import Subscription, SubscriptionItem, SubscriptionPhase

Timing = Literal["immediate", "next_billing_cycle"] | Time


class PlanReference(V1Model):
    key: ResourceKey
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None


class _Named(V1Model):
    name: Name | None = None
    description: Description | None = None
    metadata: dict[str, str] | None = None
    starting_phase: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    billing_anchor: Time | None = None


class NewSubscriptionBody(_Named):
    """`PlanSubscriptionCreate` or `CustomSubscriptionCreate`."""

    plan: PlanReference | None = None
    custom_plan: CustomPlanBody | None = None
    timing: Timing = "immediate"
    customer_id: UlidAnyCase | None = None
    customer_key: CustomerKey | None = None


class ChangeBody(_Named):
    """`PlanSubscriptionChange` or `CustomSubscriptionChange`."""

    plan: PlanReference | None = None
    custom_plan: CustomPlanBody | None = None
    timing: Timing


class CancelBody(V1Model):
    timing: Timing = "immediate"


class MigrateBody(V1Model):
    timing: Timing = "immediate"
    target_version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    starting_phase: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    billing_anchor: Time | None = None


def subscription_to_v1(subscription: Subscription) -> dict[str, Any]:
    """v1's `Subscription`."""
    plan = None
    if subscription.plan_id and subscription.plan_key and subscription.plan_version:
        plan = {"id": subscription.plan_id, "key": subscription.plan_key, "version": subscription.plan_version}
    return without_none(
        [
            ("id", subscription.id),
            ("name", subscription.name),
            ("description", subscription.description),
            ("metadata", subscription.metadata),
            ("customerId", subscription.customer_id),
            ("status", subscription.status.value),
            ("plan", plan),
            ("currency", subscription.currency),
            ("costBasisMode", "dynamic"),
            ("costBasisPins", []),
            ("billingCadence", subscription.billing_cadence),
            ("billingAnchor", time_text(subscription.billing_anchor)),
            ("proRatingConfig", {"enabled": subscription.pro_rating_enabled, "mode": "prorate_prices"}),
            ("settlementMode", subscription.settlement_mode),
            ("activeFrom", time_text(subscription.active_from)),
            ("activeTo", optional_time(subscription.active_to)),
            ("createdAt", time_text(subscription.created_at)),
            ("updatedAt", time_text(subscription.updated_at)),
            ("deletedAt", optional_time(subscription.deleted_at)),
        ]
    )


def expanded_to_v1(subscription: Subscription) -> dict[str, Any]:
    """v1's `SubscriptionExpanded`: with phases and items."""
    period = subscription.current_period
    aligned = {"from": time_text(period.start), "to": time_text(period.end)} if period else None
    return subscription_to_v1(subscription) | {
        "alignment": without_none([("currentAlignedBillingPeriod", aligned)]),
        "phases": [_phase_to_v1(phase, subscription) for phase in subscription.phases],
    }


def _phase_to_v1(phase: SubscriptionPhase, subscription: Subscription) -> dict[str, Any]:
    items = [_item_to_v1(item, subscription) for item in phase.items]
    timelines: dict[str, list[Any]] = {}
    for item in items:
        timelines.setdefault(item["key"], []).append(item)
    return without_none(
        [
            ("id", phase.id),
            ("key", phase.key),
            ("name", phase.name),
            ("description", phase.description),
            ("activeFrom", time_text(phase.active_from)),
            ("activeTo", optional_time(phase.active_to)),
            ("items", items),
            ("itemTimelines", timelines),
            ("createdAt", time_text(subscription.created_at)),
            ("updatedAt", time_text(subscription.updated_at)),
        ]
    )


def _item_to_v1(item: SubscriptionItem, subscription: Subscription) -> dict[str, Any]:
    card = item.rate_card
    return without_none(
        [
            ("id", item.id),
            ("key", item.key),
            ("name", card.name),
            ("description", card.description),
            ("metadata", card.metadata),
            ("featureKey", card.feature_key),
            ("currency", subscription.currency),
            ("discounts", discounts_to_v1(discounts_to_json(card.discounts))),
            ("taxConfig", tax_to_v1(card.tax)),
            ("activeFrom", time_text(item.active_from)),
            ("activeTo", optional_time(item.active_to)),
            ("createdAt", time_text(subscription.created_at)),
            ("updatedAt", time_text(subscription.updated_at)),
        ]
    ) | {"billingCadence": card.billing_cadence, "price": price_of_card(card)}
