"""v1's subscriptions: as they are sent, and as they are answered."""

from collections.abc import Sequence
from datetime import datetime
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
from dashboard.api.v1.price_shapes import DiscountsBody, discounts_to_v1
from dashboard.api.v1.rate_card_shapes import RateCardBody, price_of_card, rate_card_from_v1, tax_to_v1
from dashboard.catalog.price_json import discounts_to_json
from dashboard.kit.errors import InvalidInput
from dashboard.subscriptions.inputs import OPERATIONS_MAX
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


class AddItemBody(V1Model):
    """`EditSubscriptionAddItem`."""

    op: Literal["add_item"]
    phase_key: str
    rate_card: RateCardBody


class RemoveItemBody(V1Model):
    """`EditSubscriptionRemoveItem`."""

    op: Literal["remove_item"]
    phase_key: str
    item_key: str


class NewPhaseBody(V1Model):
    """`SubscriptionPhaseCreate`."""

    key: ResourceKey
    name: Name
    description: Description | None = None
    start_after: str | None
    duration: str | None = None
    discounts: DiscountsBody | None = None


class AddPhaseBody(V1Model):
    """`EditSubscriptionAddPhase`."""

    op: Literal["add_phase"]
    phase: NewPhaseBody


class RemovePhaseBody(V1Model):
    """`EditSubscriptionRemovePhase`."""

    op: Literal["remove_phase"]
    phase_key: str
    shift: Literal["next", "prev"]


class StretchPhaseBody(V1Model):
    """`EditSubscriptionStretchPhase`."""

    op: Literal["stretch_phase"]
    phase_key: str
    extend_by: str


class UnscheduleEditBody(V1Model):
    """`EditSubscriptionUnscheduleEdit`."""

    op: Literal["unschedule_edit"]


class EditBody(V1Model):
    """`SubscriptionEdit`."""

    customizations: Annotated[
        list[
            Annotated[
                AddItemBody | RemoveItemBody | AddPhaseBody | RemovePhaseBody | StretchPhaseBody | UnscheduleEditBody,
                Field(discriminator="op"),
            ]
        ],
        Field(max_length=OPERATIONS_MAX),
    ]
    timing: Timing = "immediate"


def edit_from_v1(body: EditBody) -> dict[str, Any]:
    """What `EditSubscription` takes. Raises InvalidInput for discounts of a phase, which are not there."""
    operations = []
    for number, one in enumerate(body.customizations):
        operation = one.model_dump(exclude={"rate_card", "phase"})
        if isinstance(one, AddItemBody):
            operation["rate_card"] = rate_card_from_v1(one.rate_card)
        if isinstance(one, AddPhaseBody):
            if one.phase.discounts is not None and one.phase.discounts.model_dump(exclude_none=True):
                raise InvalidInput(
                    "A phase has no discounts of its own.",
                    remedy="Put them on the rate cards of its items.",
                    field=f"operations.{number}.phase.discounts",
                )
            operation |= one.phase.model_dump(exclude={"discounts"})
        operations.append(operation)
    return {"operations": operations, "timing": body.timing}


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


def expanded_to_v1(subscription: Subscription, now: datetime) -> dict[str, Any]:
    """v1's `SubscriptionExpanded`: with phases and items, those that are in effect `now` first of all."""
    period = subscription.current_period
    aligned = {"from": time_text(period.start), "to": time_text(period.end)} if period else None
    return subscription_to_v1(subscription) | {
        "alignment": without_none([("currentAlignedBillingPeriod", aligned)]),
        "phases": [_phase_to_v1(phase, subscription, now) for phase in subscription.phases],
    }


def _phase_to_v1(phase: SubscriptionPhase, subscription: Subscription, now: datetime) -> dict[str, Any]:
    timelines: dict[str, list[SubscriptionItem]] = {}
    for item in phase.items:
        timelines.setdefault(item.key, []).append(item)
    shown = [item for versions in timelines.values() if (item := _shown(phase, versions, now)) is not None]
    return without_none(
        [
            ("id", phase.id),
            ("key", phase.key),
            ("name", phase.name),
            ("description", phase.description),
            ("activeFrom", time_text(phase.active_from)),
            ("activeTo", optional_time(phase.active_to)),
            ("items", [_item_to_v1(item, subscription) for item in shown]),
            (
                "itemTimelines",
                {key: [_item_to_v1(item, subscription) for item in one] for key, one in timelines.items()},
            ),
            ("createdAt", time_text(subscription.created_at)),
            ("updatedAt", time_text(subscription.updated_at)),
        ]
    )


def _shown(phase: SubscriptionPhase, versions: Sequence[SubscriptionItem], now: datetime) -> SubscriptionItem | None:
    """Of the versions of an item the one that `items` has: the last of a phase that is over, the first of one to come,
    of the present one what is in effect."""
    if phase.active_to is not None and phase.active_to <= now:
        return versions[-1]
    if phase.active_from > now:
        return versions[0]
    begun = [one for one in versions if one.active_from <= now]
    return next((one for one in begun if one.active_to is None or one.active_to > now), None)


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
