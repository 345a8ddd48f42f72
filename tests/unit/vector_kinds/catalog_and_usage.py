from decimal import Decimal

from dashboard.catalog.price_json import price_from_json
from dashboard.catalog.price_rules import (
    cadence_aligned,
    price_problems,
    unit_conversion_allowed,
    usage_discount_allowed,
)
from dashboard.catalog.prices import PriceType
from dashboard.catalog.status import plan_status
from dashboard.kit.errors import InvalidInput
from dashboard.subscriptions.status import SubscriptionStatus, subscription_status
from dashboard.usage.extraction import extract
from dashboard.usage.meter_rules import MeterRule, meter_valid
from vector_kinds.reading import Given, amount, is_set, length, moment, time

NOT_BEGUN = (SubscriptionStatus.SCHEDULED, SubscriptionStatus.INACTIVE)
"""The vectors know three statuses: what has not begun is `inactive` to them, where we say `scheduled`."""


def price_valid(given: Given, expect: Given) -> None:
    try:
        valid = not price_problems(price_from_json(given["price"]))
    except InvalidInput:
        valid = False
    assert valid is is_set(expect, "valid")


def usage_discount(given: Given, expect: Given) -> None:
    allowed = usage_discount_allowed(_price_type(given), amount(given.get("usage_discount_quantity")))
    assert allowed is is_set(expect, "valid")


def unit_conversion(given: Given, expect: Given) -> None:
    assert unit_conversion_allowed(_price_type(given)) is is_set(expect, "valid")


def _price_type(given: Given) -> PriceType | None:
    written = given.get("price_type")
    return None if written is None else PriceType({"graduated": "tiered", "volume": "tiered"}.get(written, written))


def aligned(given: Given, expect: Given) -> None:
    plan, rate_card = length(given["plan_cadence"]), length(given["rate_card_cadence"])
    assert cadence_aligned(plan, rate_card) is is_set(expect, "aligned")


def status_of_plan(given: Given, expect: Given) -> None:
    status = plan_status(time(given.get("effective_from")), time(given.get("effective_to")), moment(given["at"]))
    assert status == expect["status"]


def status_of_subscription(given: Given, expect: Given) -> None:
    status = subscription_status(
        moment(given["active_from"]), time(given.get("active_to")), time(given.get("deleted_at")), moment(given["at"])
    )
    assert status == expect["status"] or (status, expect["status"]) == NOT_BEGUN


def extraction(given: Given, expect: Given) -> None:
    found = extract(_rule(given["meter"]), given.get("data_json"))
    assert bool(found.problem) is is_set(expect, "error")
    if not expect.get("error"):
        assert found.value == (None if expect.get("value") is None else Decimal(expect["value"]))
        assert found.value_string == expect.get("value_string")
    if expect.get("group_by") is not None:
        names = given["meter"].get("group_by") or {}
        assert found.group_by == {name: expect["group_by"].get(name) or "" for name in names}


def meter(given: Given, expect: Given) -> None:
    assert meter_valid(_rule(given["meter"])) is is_set(expect, "valid")


def _rule(written: Given) -> MeterRule:
    return MeterRule(
        key=written.get("key") or "",
        aggregation=written.get("aggregation") or "",
        event_type=written.get("event_type") or "",
        value_property=written.get("value_property") or None,
        group_by=written.get("group_by") or {},
    )


KINDS = {
    "price_valid": price_valid,
    "usage_discount_allowed": usage_discount,
    "unit_conversion_allowed": unit_conversion,
    "cadence_aligned": aligned,
    "plan_status": status_of_plan,
    "subscription_status": status_of_subscription,
    "extract": extraction,
    "meter_valid": meter,
}
