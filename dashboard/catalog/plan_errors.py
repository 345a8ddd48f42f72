"""Refusals of the catalog."""

from dashboard.kit.errors import Conflict, InvalidInput, NotFound


class FeatureNotFound(NotFound):
    code = "feature_not_found"
    remedy = "Look at the list of features for its key."


class FeatureKeyTaken(Conflict):
    code = "feature_key_taken"
    remedy = "Choose another key, or archive the feature that has it."


class FeatureInvalid(InvalidInput):
    code = "feature_invalid"


class PlanNotFound(NotFound):
    code = "plan_not_found"
    remedy = "Look at the list of plans for its key."


class PlanHasDraft(InvalidInput):
    code = "plan_has_draft"
    remedy = "Change or delete that draft; a plan has one draft at a time."


class PlanNotEditable(InvalidInput):
    code = "plan_not_editable"
    remedy = "Make the next version of the plan and change that."


class PlanNotPublishable(InvalidInput):
    code = "plan_not_publishable"
    remedy = "Mend what is listed and publish again."


class PlanInUse(Conflict):
    code = "plan_in_use"
    remedy = "Archive it instead: subscriptions keep the version they have."
