"""What one may ask of subscriptions."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from dashboard.catalog.plan_inputs import CustomPlan
from dashboard.kit.inputs import Input


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("A time needs its zone.")
    return at


Moment = Annotated[datetime, AfterValidator(_aware)]
Timing = Literal["immediate", "next_billing_cycle"] | Moment
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _PlanChoice(Input):
    """A plan by id, or by key and (if not the active one) version; or one for this subscription only.

    With `is_custom` the plan is a draft whose terms are for this customer alone: it is copied and stays a draft.
    """

    plan: str | None = None
    custom_plan: CustomPlan | None = None
    plan_version: int | None = None
    is_custom: bool = False
    starting_phase: str | None = None
    name: Name | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_plan(self) -> Self:
        if (self.plan is None) == (self.custom_plan is None):
            raise ValueError("Name a plan, or send one for this subscription only.")
        return self


class CreateSubscription(_PlanChoice):
    """Put a customer on a plan."""

    customer_id: str
    timing: Literal["immediate"] | Moment = "immediate"
    billing_anchor: Moment | None = None


class ChangeSubscription(_PlanChoice):
    """Close a subscription and start another plan at the same instant, on the same billing anchor."""

    timing: Timing = "immediate"
