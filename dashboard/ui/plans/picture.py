"""A version of a plan as its page shows it: words, and each complaint beside what it is about."""

from collections.abc import Mapping
from datetime import datetime

from dashboard.catalog.plan_views import Phase, Plan, PlanIssue, RateCard
from dashboard.catalog.plans import EDITABLE
from dashboard.catalog.price_text import price_in_words
from dashboard.catalog.status import PlanStatus
from dashboard.catalog.views import TaxCode
from dashboard.ui.plans.views import CardRow, PhaseRow, PlanDetails, PlanPicture, PlanRow
from dashboard.ui.plans.words import cadence_in_words, duration_in_words
from dashboard.ui.views import exact_text, moment

BEHAVIORS = {"inclusive": "tax included", "exclusive": "tax on top"}


def picture_of(plan: Plan, subscriptions: int, tax_codes: Mapping[str, TaxCode], now: datetime) -> PlanPicture:
    """The page of a version that so many subscriptions were made from."""
    errors: dict[str, str] = {}
    for issue in plan.issues:
        if not issue.field.startswith("phases."):
            errors.setdefault(issue.field, issue.message)
    phases = [_phase(number, phase, plan, tax_codes) for number, phase in enumerate(plan.phases)]
    return PlanPicture(_details(plan, subscriptions, now), phases, errors, len(plan.issues))


def list_row(plan: Plan, now: datetime) -> PlanRow:
    """The row of a version in the list."""
    count = sum(len(phase.rate_cards) for phase in plan.phases)
    return PlanRow(
        href=f"/plans/{plan.id}",
        name=plan.name,
        key=plan.key,
        version=f"v{plan.version}",
        status=plan.status.value,
        currency=plan.currency,
        cadence=cadence_in_words(plan.billing_cadence),
        cards=str(count),
        changed=moment(plan.updated_at, now),
    )


def _details(plan: Plan, subscriptions: int, now: datetime) -> PlanDetails:
    return PlanDetails(
        id=plan.id,
        key=plan.key,
        version=str(plan.version),
        name=plan.name,
        description=plan.description or "",
        currency=plan.currency,
        billing_cadence=plan.billing_cadence,
        cadence=cadence_in_words(plan.billing_cadence),
        pro_rating=plan.pro_rating_enabled,
        status=plan.status.value,
        editable=plan.status in EDITABLE,
        can_archive=plan.status in (PlanStatus.ACTIVE, PlanStatus.SCHEDULED),
        can_delete=plan.status is not PlanStatus.ACTIVE and not subscriptions,
        publishable=plan.status in EDITABLE and not plan.issues,
        effective=_effective(plan),
        changed=moment(plan.updated_at, now),
        subscriptions=f"{subscriptions:,}",
    )


def _effective(plan: Plan) -> str:
    if plan.effective_from is None:
        return "not published"
    since = f"from {exact_text(plan.effective_from)}"
    return since if plan.effective_to is None else f"{since} to {exact_text(plan.effective_to)}"


def _phase(number: int, phase: Phase, plan: Plan, tax_codes: Mapping[str, TaxCode]) -> PhaseRow:
    place = f"phases.{number}."
    own = [one.message for one in _below(plan, place) if not one.field.startswith(f"{place}rate_cards.")]
    return PhaseRow(
        place=str(number),
        key=phase.key,
        name=phase.name,
        duration=duration_in_words(phase.duration),
        issues=own,
        cards=[_card(number, at, card, plan, tax_codes) for at, card in enumerate(phase.rate_cards)],
        is_first=number == 0,
        is_last=number == len(plan.phases) - 1,
    )


def _card(phase: int, number: int, card: RateCard, plan: Plan, tax_codes: Mapping[str, TaxCode]) -> CardRow:
    complaints = _below(plan, f"phases.{phase}.rate_cards.{number}.")
    return CardRow(
        place=f"{phase}.{number}",
        key=card.key,
        name=card.name,
        kind=card.type.value,
        price=price_in_words(card.price, plan.currency, card.discounts, card.unit_conversion),
        cadence=cadence_in_words(card.billing_cadence),
        tax=_tax(card, tax_codes),
        issues=list(dict.fromkeys(one.message for one in complaints)),
    )


def _tax(card: RateCard, tax_codes: Mapping[str, TaxCode]) -> str:
    code = tax_codes.get(card.tax.tax_code_id or "")
    words = [code.name if code else card.tax.stripe_code or "", BEHAVIORS.get(card.tax.behavior or "", "")]
    return ", ".join(word for word in words if word)


def _below(plan: Plan, place: str) -> list[PlanIssue]:
    return [issue for issue in plan.issues if issue.field.startswith(place)]
