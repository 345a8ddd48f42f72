"""What the pages of plans show."""

from dataclasses import dataclass, field

from dashboard.ui.views import NO_MOMENT, Moment


@dataclass(frozen=True, slots=True)
class PlanRow:
    href: str
    name: str
    key: str
    version: str
    status: str
    currency: str
    cadence: str
    cards: str
    changed: Moment


@dataclass(frozen=True, slots=True)
class CardRow:
    """One rate card of a phase. `place` is `phase.card`, counted from 0."""

    place: str
    key: str
    name: str
    kind: str
    price: str
    cadence: str
    tax: str
    issues: list[str]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    place: str
    key: str
    name: str
    duration: str
    issues: list[str]
    cards: list[CardRow]
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class VersionRow:
    href: str
    name: str
    status: str
    is_this: bool
    since: Moment


@dataclass(frozen=True, slots=True)
class PlanDetails:
    id: str = ""
    key: str = ""
    version: str = ""
    name: str = ""
    description: str = ""
    currency: str = ""
    billing_cadence: str = ""
    cadence: str = ""
    pro_rating: bool = True
    status: str = "draft"
    editable: bool = False
    can_archive: bool = False
    can_delete: bool = False
    publishable: bool = False
    effective: str = ""
    changed: Moment = NO_MOMENT
    subscriptions: str = ""


@dataclass(frozen=True, slots=True)
class PhaseForm:
    """The phase form as it opens. `place` is empty for a new phase."""

    place: str = ""
    name: str = ""
    key: str = ""
    duration_amount: str = ""
    duration_unit: str = ""


@dataclass(frozen=True, slots=True)
class PlanPicture:
    """Everything the plan page shows of one version."""

    details: PlanDetails = PlanDetails()
    phases: list[PhaseRow] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    issue_count: int = 0
