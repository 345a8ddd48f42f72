"""What keeps a draft from being published. Everything that is wrong is listed, each on its field.

The codes are OpenMeter's (`productcatalog/errors.go`).
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from dashboard.catalog.plan_views import Feature, Phase, PlanIssue, RateCard, RateCardType
from dashboard.catalog.price_rules import (
    cadence_aligned,
    conversion_problems,
    discount_problems,
    price_problems,
)
from dashboard.catalog.prices import FlatPrice
from dashboard.kit.durations import Duration
from dashboard.kit.errors import InvalidInput

PLAN_CADENCES = ("P1W", "P2W", "P4W", "P1M", "P3M", "P6M", "P12M", "P1Y")
SHORTEST_SECONDS = 3600


def plan_issues(
    billing_cadence: str, phases: Sequence[Phase], features: Mapping[str, Feature], tax_code_ids: Container[str]
) -> tuple[PlanIssue, ...]:
    """Everything that is wrong with a plan; empty means it can be published.

    `features` are those that live, and archived ones, by key; `tax_code_ids` are the tax codes that live.
    """
    return tuple(_issues(billing_cadence, phases, features, tax_code_ids))


def _issues(
    cadence: str, phases: Sequence[Phase], features: Mapping[str, Feature], tax_code_ids: Container[str]
) -> Iterator[PlanIssue]:
    if cadence not in PLAN_CADENCES:
        yield PlanIssue(
            "plan_billing_cadence_invalid", "billing_cadence", f"Plans are billed every {', '.join(PLAN_CADENCES)}."
        )
    if not phases:
        yield PlanIssue("plan_with_no_phases", "phases", "Add at least one phase.")
    for key, count in Counter(phase.key for phase in phases).items():
        if count > 1:
            yield PlanIssue("plan_phase_duplicated_key", "phases", f"Two phases have the key {key}.")
    for number, phase in enumerate(phases):
        place = f"phases.{number}"
        yield from _phase_issues(place, phase, is_last=number == len(phases) - 1)
        yield from _rate_card_issues(place, cadence, phase, features)
        for position, card in enumerate(phase.rate_cards):
            if card.tax.tax_code_id is not None and card.tax.tax_code_id not in tax_code_ids:
                field = f"{place}.rate_cards.{position}.tax.tax_code_id"
                yield PlanIssue("rate_card_tax_code_not_found", field, "There is no such tax code any more.")


def _phase_issues(place: str, phase: Phase, *, is_last: bool) -> Iterator[PlanIssue]:
    if is_last and phase.duration is not None:
        yield PlanIssue(
            "plan_has_last_phase_with_duration", f"{place}.duration", "The last phase runs on; it has no duration."
        )
    if not is_last and phase.duration is None:
        yield PlanIssue(
            "plan_has_non_last_phase_with_no_duration", f"{place}.duration", "Say how long this phase lasts."
        )
    if phase.duration is not None and not _long_enough(phase.duration):
        yield PlanIssue("plan_phase_duration_less_then_an_hour", f"{place}.duration", "A phase lasts at least an hour.")
    if not phase.rate_cards:
        yield PlanIssue("plan_phase_has_no_rate_cards", f"{place}.rate_cards", "Add at least one rate card.")
    for key, count in Counter(card.key for card in phase.rate_cards).items():
        if count > 1:
            yield PlanIssue("rate_card_duplicated_key", f"{place}.rate_cards", f"Two rate cards have the key {key}.")


def _rate_card_issues(place: str, cadence: str, phase: Phase, features: Mapping[str, Feature]) -> Iterator[PlanIssue]:
    for number, card in enumerate(phase.rate_cards):
        at = f"{place}.rate_cards.{number}"
        yield from _cadence_issues(at, cadence, card)
        yield from _feature_issues(at, card, features)
        yield from _price_issues(at, card)


def _cadence_issues(at: str, plan_cadence: str, card: RateCard) -> Iterator[PlanIssue]:
    field = f"{at}.billing_cadence"
    if card.billing_cadence is None:
        if card.type is RateCardType.USAGE_BASED:
            yield PlanIssue("billing_cadence_invalid_value", field, "Usage is charged every so often: say how often.")
        return
    if not _long_enough(card.billing_cadence):
        yield PlanIssue("billing_cadence_invalid_value", field, "The shortest cadence is an hour.")
    elif not cadence_aligned(Duration.parse(plan_cadence), Duration.parse(card.billing_cadence)):
        yield PlanIssue(
            "rate_card_billing_cadence_unaligned",
            field,
            f"{card.billing_cadence} and the plan's {plan_cadence} never meet; make one a multiple of the other.",
        )


def _feature_issues(at: str, card: RateCard, features: Mapping[str, Feature]) -> Iterator[PlanIssue]:
    needs_meter = card.price is not None and not isinstance(card.price, FlatPrice)
    if card.feature_key is None:
        if needs_meter:
            yield PlanIssue(
                "usage_based_price_with_no_feature", f"{at}.feature_key", "A price on usage needs a feature to count."
            )
        if card.entitlement:
            yield PlanIssue(
                "entitlement_template_with_no_feature", f"{at}.entitlement", "An entitlement needs a feature."
            )
        return
    feature = features.get(card.feature_key)
    if card.key != card.feature_key:
        yield PlanIssue(
            "rate_card_key_feature_key_mismatch", f"{at}.key", "A rate card with a feature has the feature's key."
        )
    if feature is None:
        yield PlanIssue("rate_card_feature_not_found", f"{at}.feature_key", f"There is no feature {card.feature_key}.")
    elif feature.archived_at is not None:
        yield PlanIssue("rate_card_feature_archived", f"{at}.feature_key", f"{feature.name} was archived.")
    elif needs_meter and feature.meter_id is None:
        yield PlanIssue(
            "usage_based_price_with_feature_and_no_meter", f"{at}.feature_key", f"{feature.name} counts no usage."
        )


def _price_issues(at: str, card: RateCard) -> Iterator[PlanIssue]:
    found = [] if card.price is None else [(f"{at}.price", problem) for problem in price_problems(card.price)]
    found += [(at, problem) for problem in discount_problems(card.discounts, card.price)]
    if card.unit_conversion is not None:
        found += [(at, problem) for problem in conversion_problems(card.unit_conversion, card.price)]
    for place, problem in found:
        yield PlanIssue(problem.code, f"{place}.{problem.field}", problem.message)
    if card.type is RateCardType.FLAT_FEE and card.price is not None and not isinstance(card.price, FlatPrice):
        yield PlanIssue("rate_card_price_mismatch", f"{at}.price", "A flat fee has a flat price.")


def _long_enough(duration: str) -> bool:
    try:
        return Duration.parse(duration).approximate_seconds() >= SHORTEST_SECONDS
    except InvalidInput:
        return False
