from decimal import Decimal

from dashboard.billing.collection_dates import (
    BillableCandidate,
    PendingDate,
    billable_period,
    collection_cutoff,
    draft_until,
    due_at,
    invoice_collection_at,
    next_collection_at,
)
from dashboard.billing.numbering import customer_prefix
from dashboard.catalog.prices import (
    DynamicPrice,
    FlatPrice,
    PackagePrice,
    PaymentTerm,
    Price,
    Tier,
    TieredPrice,
    TierMode,
    UnitPrice,
)
from dashboard.kit.calendar import Duration, Recurrence
from dashboard.subscriptions.periods import PhaseItem, PhaseSchedule, invoice_at, subscription_periods
from dashboard.subscriptions.proration import SubscriptionEndMode, flat_fee_proration
from dashboard.usage.meter_rules import Aggregation
from vector_kinds.reading import Given, amount, duration, is_set, length, moment, outcome, period, time

ONE = Decimal(1)


def price_named(name: str) -> Price | None:
    """Some price of the named kind; what it costs has no part in dates."""
    tiers = (Tier(unit_amount=ONE),)
    return {
        "none": None,
        "flat": FlatPrice(ONE),
        "flat_in_advance": FlatPrice(ONE),
        "flat_in_arrears": FlatPrice(ONE, PaymentTerm.IN_ARREARS),
        "usage": UnitPrice(ONE),
        "unit": UnitPrice(ONE),
        "package": PackagePrice(ONE, ONE),
        "dynamic": DynamicPrice(),
        "tiered": TieredPrice(TierMode.GRADUATED, tiers),
        "graduated": TieredPrice(TierMode.GRADUATED, tiers),
        "volume": TieredPrice(TierMode.VOLUME, tiers),
    }[name]


def _some_price(name: str) -> Price:
    price = price_named(name)
    assert price is not None
    return price


def proration(given: Given, expect: Given) -> None:
    prorated = outcome(
        lambda: flat_fee_proration(
            amount(given["amount"]),
            given["currency"],
            period(given["service_period"]),
            period(given["full_service_period"]),
            enabled=is_set(given, "proration_enabled"),
            subscription_end=time(given.get("subscription_end")),
            subscription_end_mode=SubscriptionEndMode(given.get("subscription_end_mode") or "bill_actual_period"),
        ),
        expect,
    )
    if not expect.get("error"):
        assert prorated == (None if expect.get("amount") is None else Decimal(expect["amount"]))


def due_from(given: Given, expect: Given) -> None:
    at = invoice_at(_some_price(given["price"]), period(given["service_period"]), period(given["billing_period"]))
    assert at == moment(expect["invoice_at"])


def periods_of_subscription(given: Given, expect: Given) -> None:
    lines = outcome(lambda: _periods_of_subscription(given), expect)
    if lines is not None:
        ours = [
            (
                line.item_key,
                line.item_version,
                line.period_index,
                line.service_period,
                line.full_service_period,
                line.billing_period,
            )
            for line in lines
        ]
        theirs = [
            (
                line["item_key"],
                line["item_version"],
                line.get("period_index"),
                period(line["service_period"]),
                period(line["full_service_period"]),
                period(line["billing_period"]),
            )
            for line in expect.get("lines") or []
        ]
        assert sorted(ours, key=repr) == sorted(theirs, key=repr)


def _periods_of_subscription(given: Given):
    start = moment(given["subscription_start"])
    schedule = PhaseSchedule(
        phase_start=start,
        billing_cadence=Duration.parse(given["billing_cadence"]),
        billing_anchor=length(given.get("billing_anchor_offset")).added_to(start),
        phase_end=time(given.get("phase_end")),
        subscription_end=time(given.get("subscription_end")),
    )
    items = [
        PhaseItem(
            key=item["key"],
            cadence=duration(item.get("cadence")),
            price=price_named(item.get("price") or "none"),
            start_after=duration(item.get("start_after")),
            end_after=duration(item.get("end_after")),
        )
        for item in given["items"]
    ]
    return subscription_periods(schedule, items, moment(given["generate_until"]))


def _anchor(collection: Given) -> Recurrence | None:
    """The dates to collect on; None unless the collection gives both their interval and their anchor."""
    written = collection.get("anchor") or {}
    if not written.get("interval") or not written.get("anchor"):
        return None
    return Recurrence(Duration.parse(written["interval"]), moment(written["anchor"]))


def _pending(lines: list[Given] | None) -> list[PendingDate]:
    return [
        PendingDate(
            invoice_at=moment(line["invoice_at"]),
            is_deleted=is_set(line, "deleted"),
            is_metered=is_set(line, "metered"),
            collection_end_override=time(line.get("collection_end_override")),
        )
        for line in lines or []
    ]


def cutoff(given: Given, expect: Given) -> None:
    collection = given["collection"]
    at = outcome(
        lambda: collection_cutoff(
            collection.get("alignment") or "",
            _anchor(collection),
            moment(given["as_of"]),
            bypass_alignment=is_set(given, "bypass_alignment"),
        ),
        expect,
    )
    if at is not None:
        assert at == moment(expect["cutoff"])


def next_collection(given: Given, expect: Given) -> None:
    collection = given["collection"]
    at = outcome(
        lambda: next_collection_at(
            collection.get("alignment") or "", _anchor(collection), _pending(given.get("lines"))
        ),
        expect,
    )
    if not expect.get("error"):
        assert at == time(expect.get("at"))


def invoice_collection(given: Given, expect: Given) -> None:
    at = invoice_collection_at(length(given.get("collection_interval")), _pending(given.get("lines")))
    assert at == time(expect.get("at"))


def draft_end(given: Given, expect: Given) -> None:
    at = draft_until(
        is_set(given, "auto_advance"),
        length(given.get("draft_period")),
        moment(given["created_at"]),
        time(given.get("collection_at")),
    )
    assert at == time(expect.get("at"))


def due(given: Given, expect: Given) -> None:
    at = due_at(
        is_set(given, "auto_advance"),
        length(given.get("due_after")),
        time(given.get("draft_until")),
        time(given.get("issued_at")),
    )
    assert at == time(expect.get("at"))


def billable(given: Given, expect: Given) -> None:
    aggregation = given.get("meter_aggregation")
    line = BillableCandidate(
        price=_some_price(given["price"]),
        service_period=period(given["service_period"]),
        invoice_at=moment(given["invoice_at"]),
        aggregation=None if aggregation is None else Aggregation(aggregation),
        was_split=is_set(given, "already_split"),
    )
    found = outcome(
        lambda: billable_period(line, moment(given["as_of"]), progressive_billing=is_set(given, "progressive_billing")),
        expect,
    )
    if not expect.get("error"):
        assert found == (None if expect.get("period") is None else period(expect["period"]))


def prefix(given: Given, expect: Given) -> None:
    assert customer_prefix(given.get("customer_name") or "") == expect["prefix"]


KINDS = {
    "flat_fee_proration": proration,
    "invoice_at": due_from,
    "subscription_periods": periods_of_subscription,
    "collection_cutoff": cutoff,
    "next_collection_at": next_collection,
    "invoice_collection_at": invoice_collection,
    "draft_until": draft_end,
    "due_at": due,
    "billable_period": billable,
    "customer_prefix": prefix,
}
