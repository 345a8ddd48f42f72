"""What one may ask of subscriptions."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from dashboard.catalog.plan_inputs import CustomPlan, Description, DurationText, Key, RateCardInput
from dashboard.kit.inputs import Input


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("A time needs its zone.")
    return at


Moment = Annotated[datetime, AfterValidator(_aware)]
Timing = Literal["immediate", "next_billing_cycle"] | Moment
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
OPERATIONS_MAX = 100


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


class AddItem(Input):
    """A rate card for a phase. In the present phase it takes the place of the one with its key from the edit on."""

    op: Literal["add_item"] = "add_item"
    phase_key: str
    rate_card: RateCardInput


class RemoveItem(Input):
    """Ends what is in effect under a key; what was billed in advance is given back in part."""

    op: Literal["remove_item"] = "remove_item"
    phase_key: str
    item_key: str


class AddPhase(Input):
    """A phase that begins `start_after` the subscription. The phase that would run then ends there; those that follow
    begin when the new one is over. Its items are added by operations of their own."""

    op: Literal["add_phase"] = "add_phase"
    key: Key
    name: Name
    description: Description | None = None
    start_after: DurationText | None = None
    duration: DurationText | None = None


class RemovePhase(Input):
    """Takes out a phase that has not begun. Its time goes to the one before it (`prev`), or those that follow move up
    (`next`)."""

    op: Literal["remove_phase"] = "remove_phase"
    phase_key: str
    shift: Literal["next", "prev"]


class StretchPhase(Input):
    """Makes a phase longer, or with a negative duration shorter; those that follow move."""

    op: Literal["stretch_phase"] = "stretch_phase"
    phase_key: str
    extend_by: DurationText


class UnscheduleEdit(Input):
    """Takes back changes of items in the present phase that have not come yet."""

    op: Literal["unschedule_edit"] = "unschedule_edit"


EditOperation = AddItem | RemoveItem | AddPhase | RemovePhase | StretchPhase | UnscheduleEdit


class EditSubscription(Input):
    """Changes in the calendar of a running subscription, one after the other, all or none. They take effect now or with
    the next billing period."""

    operations: Annotated[
        tuple[Annotated[EditOperation, Field(discriminator="op")], ...],
        Field(min_length=1, max_length=OPERATIONS_MAX),
    ]
    timing: Literal["immediate", "next_billing_cycle"] = "immediate"
