"""The demo company on paper: who and what there is, with amounts one can check in the head. No verbs."""

from dataclasses import dataclass
from decimal import Decimal

from dashboard.billing.views import InvoiceAction, InvoiceStatus
from dashboard.catalog.inputs import CreateTaxCode
from dashboard.catalog.plan_inputs import CreateFeature, CreatePlan, PhaseInput, RateCardInput
from dashboard.catalog.plan_json import Json
from dashboard.catalog.plan_views import RateCardType
from dashboard.usage.inputs import CreateMeter
from dashboard.usage.views import Aggregation

DEMO = {"demo": "yes"}
"""The mark on everything the seed makes: what does not bear it is somebody's own, and is left alone."""
SANDBOX_KEY = "sk_test_sandbox_demo"
AUTO_PROFILE = "Auto Collection"
MAIL_PROFILE = "Send Invoice"

USAGE_DAYS = 90
EVENTS_PER_DAY = 5
METERED_DAYS = 30
"""A metered invoice of the demo bills this many whole days: 5 events × 30 days = 150 times the amount of one event."""

TAX_CODES = (
    CreateTaxCode(key="software", name="Software as a service", stripe_code="txcd_10103001", metadata=DEMO),
    CreateTaxCode(key="services", name="Professional services", stripe_code="txcd_20030000", metadata=DEMO),
)

METERS = (
    CreateMeter(
        key="api_calls",
        name="API calls",
        event_type="api.usage",
        aggregation=Aggregation.SUM,
        value_property="$.calls",
        group_by={"region": "$.region"},
        metadata=DEMO,
    ),
    CreateMeter(
        key="data_sent",
        name="Data sent, in GB",
        event_type="api.usage",
        aggregation=Aggregation.SUM,
        value_property="$.gigabytes",
        metadata=DEMO,
    ),
)

FEATURES = (
    CreateFeature(key="api_calls", name="API calls", meter="api_calls", metadata=DEMO),
    CreateFeature(key="data_sent", name="Data sent", meter="data_sent", metadata=DEMO),
    CreateFeature(key="support", name="Priority support", metadata=DEMO),
)

CALL_PRICE: Json = {"type": "unit", "amount": "0.01"}
_BUSINESS_TIERS = [
    {"up_to_amount": "10000", "unit_amount": "0.01"},
    {"up_to_amount": None, "unit_amount": "0.005"},
]


def _fee(name: str, amount: str) -> RateCardInput:
    price = {"type": "flat", "amount": amount, "payment_term": "in_advance"}
    return RateCardInput(key="fee", name=name, type=RateCardType.FLAT_FEE, billing_cadence="P1M", price=price)


def _usage(key: str, name: str, price: Json) -> RateCardInput:
    kind = RateCardType.USAGE_BASED
    return RateCardInput(key=key, name=name, type=kind, feature_key=key, billing_cadence="P1M", price=price)


def _plan(key: str, name: str, description: str, *cards: RateCardInput) -> CreatePlan:
    phase = PhaseInput(key="standard", name="Standard", rate_cards=cards)
    return CreatePlan(
        key=key,
        name=name,
        description=description,
        currency="USD",
        billing_cadence="P1M",
        phases=(phase,),
        metadata=DEMO,
    )


PLANS = (
    _plan("demo_starter", "Starter", "$20 a month.", _fee("Starter, monthly fee", "20")),
    _plan(
        "demo_growth",
        "Growth",
        "$100 a month, and one cent for each call.",
        _fee("Growth, monthly fee", "100"),
        _usage("api_calls", "API calls", CALL_PRICE),
    ),
    _plan(
        "demo_business",
        "Business",
        "$500 a month; calls at a cent, from the 10,001st at half a cent; $0.10 per GB sent.",
        _fee("Business, monthly fee", "500"),
        _usage("api_calls", "API calls", {"type": "tiered", "mode": "graduated", "tiers": _BUSINESS_TIERS}),
        _usage("data_sent", "Data sent", {"type": "unit", "amount": "0.10"}),
    ),
)


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """One customer and how ready they are. `card` is the name of a test payment method; None means no card.

    `calls` is how many calls each of their five events a day reports. `due_days` None: as the billing profile says.
    """

    key: str
    name: str
    country: str
    city: str
    card: str | None = None
    linked: bool = True
    by_mail: bool = False
    email: bool = True
    approval: bool = False
    draft_days: int = 0
    due_days: int | None = None
    plan: str | None = None
    calls: int = 0


VISA, MASTERCARD, AMEX = "pm_card_visa", "pm_card_mastercard", "pm_card_amex"
FAILS_LATER, ASKS_FOR_3DS = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"

CUSTOMERS = (
    DemoCustomer("acme", "Acme Inc", "US", "San Francisco", VISA, plan="demo_growth", calls=20),
    DemoCustomer("globex", "Globex GmbH", "DE", "Berlin", by_mail=True, plan="demo_business", calls=100),
    DemoCustomer("initech", "Initech", "US", "Austin", calls=4),
    DemoCustomer("hooli", "Hooli", "US", "Palo Alto", MASTERCARD, plan="demo_business", calls=200),
    DemoCustomer("umbrella", "Umbrella Labs", "US", "Raleigh", FAILS_LATER, calls=40),
    DemoCustomer("wonka", "Wonka Chocolates", "GB", "London", VISA, approval=True, calls=10),
    DemoCustomer("stark", "Stark Industries", "US", "New York", AMEX, plan="demo_growth", calls=60),
    DemoCustomer("wayne", "Wayne Enterprises", "US", "Chicago", ASKS_FOR_3DS),
    DemoCustomer("tyrell", "Tyrell Corp", "US", "Los Angeles", VISA, draft_days=3, calls=8),
    DemoCustomer("soylent", "Soylent Foods", "US", "Denver", by_mail=True),
    DemoCustomer("cyberdyne", "Cyberdyne Systems", "US", "Sunnyvale", by_mail=True, calls=30),
    DemoCustomer("aperture", "Aperture Science", "US", "Cleveland", by_mail=True, email=False),
    DemoCustomer("massive", "Massive Dynamic", "US", "Boston", linked=False),
    DemoCustomer("vandelay", "Vandelay Imports", "US", "New York", linked=False),
    DemoCustomer("oscorp", "Oscorp", "US", "Brooklyn", VISA, plan="demo_starter", calls=2),
    DemoCustomer("dunder", "Dunder Mifflin", "US", "Scranton", MASTERCARD, plan="demo_starter"),
    DemoCustomer("sterling", "Sterling Cooper", "US", "New York", VISA, plan="demo_starter"),
    DemoCustomer("bluth", "Bluth Company", "US", "Newport Beach", FAILS_LATER),
    DemoCustomer("pied-piper", "Pied Piper", "US", "Palo Alto", VISA, plan="demo_growth", calls=80),
    DemoCustomer("gringotts", "Gringotts Bank", "GB", "London", by_mail=True),
    DemoCustomer("monsters", "Monsters Inc", "US", "Emeryville", VISA, plan="demo_starter"),
    DemoCustomer("duff", "Duff Brewing", "US", "Springfield", VISA, approval=True),
    DemoCustomer("nakatomi", "Nakatomi Trading", "JP", "Tokyo", by_mail=True),
    DemoCustomer("weyland", "Weyland Yutani", "GB", "London", VISA),
    DemoCustomer("black-mesa", "Black Mesa Research", "US", "Albuquerque"),
    DemoCustomer("virtucon", "Virtucon", "US", "Las Vegas", linked=False),
    DemoCustomer("rekall", "Rekall", "FR", "Paris", VISA),
    DemoCustomer("spacely", "Spacely Sprockets", "US", "Orlando", VISA),
    DemoCustomer("zorg", "Zorg Industries", "FR", "Lyon", by_mail=True, due_days=0),
    DemoCustomer("tricell", "Tricell", "DE", "Hamburg", VISA),
)


@dataclass(frozen=True, slots=True)
class DemoLine:
    """`quantity` × `unit_price`, or, without a quantity, the metered calls of 30 days at one cent."""

    name: str
    unit_price: Decimal = Decimal(0)
    quantity: int | None = None


def _times(quantity: int, unit_price: str, name: str) -> DemoLine:
    return DemoLine(name, Decimal(unit_price), quantity)


CALLS = DemoLine("API calls, 30 days at $0.01")


@dataclass(frozen=True, slots=True)
class DemoInvoice:
    """One invoice: what is on it, what a person does with it once it is issued, where it comes to rest, its total."""

    key: str
    customer: str
    total: str
    rests: InvoiceStatus
    lines: tuple[DemoLine, ...]
    action: InvoiceAction | None = None


S, A = InvoiceStatus, InvoiceAction

INVOICES = (
    DemoInvoice("acme-usage", "acme", "130.00", S.PAID, (_times(1, "100", "Growth, last month"), CALLS)),
    DemoInvoice("acme-workshop", "acme", "600.00", S.PAID, (_times(4, "150", "Workshop, hours"),)),
    DemoInvoice("acme-next", "acme", "50.00", S.GATHERING, (_times(2, "25", "Extra seats"),)),
    DemoInvoice("globex-usage", "globex", "650.00", S.PAYMENT_PENDING, (_times(1, "500", "Business, monthly"), CALLS)),
    DemoInvoice("globex-setup", "globex", "900.00", S.VOIDED, (_times(6, "150", "Set-up, hours"),), A.VOID),
    DemoInvoice("initech-usage", "initech", "6.00", S.DRAFT_INVALID, (CALLS,)),
    DemoInvoice("hooli-usage", "hooli", "800.00", S.PAID, (_times(1, "500", "Business, monthly"), CALLS)),
    DemoInvoice("umbrella-usage", "umbrella", "60.00", S.PAYMENT_FAILED, (CALLS,)),
    DemoInvoice("wonka-usage", "wonka", "15.00", S.DRAFT_MANUAL_APPROVAL_NEEDED, (CALLS,)),
    DemoInvoice("wonka-audit", "wonka", "400.00", S.DRAFT_MANUAL_APPROVAL_NEEDED, (_times(2, "200", "Audit, days"),)),
    DemoInvoice("stark-usage", "stark", "190.00", S.PAID, (_times(1, "100", "Growth, last month"), CALLS)),
    DemoInvoice("stark-next", "stark", "75.00", S.GATHERING, (_times(3, "25", "Extra seats"),)),
    DemoInvoice("wayne-gala", "wayne", "1000.00", S.PAYMENT_ACTION_REQUIRED, (_times(10, "100", "Gala, tickets"),)),
    DemoInvoice("tyrell-usage", "tyrell", "12.00", S.DRAFT_WAITING_AUTO_APPROVAL, (CALLS,)),
    DemoInvoice("soylent-consulting", "soylent", "960.00", S.PAYMENT_PENDING, (_times(8, "120", "Consulting, hours"),)),
    DemoInvoice("cyberdyne-lost", "cyberdyne", "45.00", S.UNCOLLECTIBLE, (CALLS,), action=A.MARK_UNCOLLECTIBLE),
    DemoInvoice("oscorp-fee", "oscorp", "20.00", S.PAID, (_times(1, "20", "Starter, last month"),)),
    DemoInvoice("dunder-paper", "dunder", "250.00", S.PAID, (_times(100, "2.50", "Reams of paper"),)),
    DemoInvoice("bluth-stand", "bluth", "30.00", S.PAYMENT_FAILED, (_times(3, "10", "Banana stand, days"),)),
    DemoInvoice("pied-piper-usage", "pied-piper", "120.00", S.PAID, (CALLS,)),
    DemoInvoice("gringotts-vault", "gringotts", "700.00", S.PAID, (_times(7, "100", "Vaults"),), A.MARK_PAID),
    DemoInvoice("zorg-crates", "zorg", "480.00", S.OVERDUE, (_times(4, "120", "Crates"),)),
    DemoInvoice("duff-cancelled", "duff", "99.00", S.DELETED, (_times(1, "99", "Ordered by mistake"),), A.DELETE),
)
