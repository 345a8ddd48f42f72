"""Refusals of the subscriptions room."""

from dashboard.kit.errors import Conflict, InvalidInput, NotFound


class SubscriptionNotFound(NotFound):
    code = "subscription_not_found"


class AlreadySubscribed(Conflict):
    code = "only_single_subscription_allowed_per_customer_at_a_time"
    remedy = "Change or cancel the other subscription first."


class BillingSetupInvalid(Conflict):
    code = "invalid_billing_setup"


class PlanNotActive(InvalidInput):
    code = "plan_not_active"
    remedy = "Publish the plan, or choose a version that is in effect."


class TimingNotPossible(InvalidInput):
    code = "subscription_timing_not_possible"


class SubscriptionStateConflict(Conflict):
    code = "subscription_state_conflict"


class EditNotPossible(InvalidInput):
    """What was asked of a subscription's calendar cannot be done; nothing of the edit was."""

    code = "subscription_edit_not_possible"


class EditsScheduled(Conflict):
    code = "subscription_edits_scheduled"
    remedy = "Take back what is scheduled first (`unschedule_edit`), in the same edit if you like."
