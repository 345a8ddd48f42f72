"""What one may ask of subscriptions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from dashboard.kit.inputs import Input


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("A time needs its zone.")
    return at


Moment = Annotated[datetime, AfterValidator(_aware)]
Timing = Literal["immediate", "next_billing_cycle"] | Moment
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class CreateSubscription(Input):
    """Put a customer on a plan: by id, or by key and (if not the active one) version.

    With `is_custom` the plan is a draft whose terms are for this customer alone: it is copied and stays a draft.
    """

    customer_id: str
    plan: str
    plan_version: int | None = None
    is_custom: bool = False
    starting_phase: str | None = None
    timing: Literal["immediate"] | Moment = "immediate"
    billing_anchor: Moment | None = None
    name: Name | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class ChangeSubscription(Input):
    """Close a subscription and start another plan at the same instant, on the same billing anchor."""

    plan: str
    plan_version: int | None = None
    starting_phase: str | None = None
    timing: Timing = "immediate"
    name: Name | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
