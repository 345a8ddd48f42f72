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
from dashboard.subscriptions.status import subscription_status
from dashboard.usage.extraction import extract
from dashboard.usage.meter_rules import MeterRule, meter_valid
from vector_kinds.reading import Given, amount, duration, moment, time


def price_valid(given: Given, expect: Given) -> None:
    try:
        valid = not price_problems(price_from_json(given["price"]))
    except InvalidInput:
        valid = False
    assert valid is expect["valid"]


def usage_discount(given: Given, expect: Given) -> None:
    allowed = usage_discount_allowed(_price_type(given), amount(given["usage_discount_quantity"]))
    assert allowed is expect["valid"]


def unit_conversion(given: Given, expect: Given) -> None:
    assert unit_conversion_allowed(_price_type(given)) is expect["valid"]


def _price_type(given: Given) -> PriceType | None:
    written = given["price_type"]
    return None if written is None else PriceType({"graduated": "tiered", "volume": "tiered"}.get(written, written))


def aligned(given: Given, expect: Given) -> None:
    plan, rate_card = duration(given["plan_cadence"]), duration(given["rate_card_cadence"])
    assert plan is not None
    assert rate_card is not None
    assert cadence_aligned(plan, rate_card) is expect["aligned"]


def status_of_plan(given: Given, expect: Given) -> None:
    status = plan_status(time(given["effective_from"]), time(given["effective_to"]), moment(given["at"]))
    assert status == expect["status"]


def status_of_subscription(given: Given, expect: Given) -> None:
    status = subscription_status(
        moment(given["active_from"]), time(given["active_to"]), time(given["deleted_at"]), moment(given["at"])
    )
    assert status == expect["status"]


def extraction(given: Given, expect: Given) -> None:
    found = extract(_rule(given["meter"]), given["data_json"])
    assert bool(found.problem) is bool(expect.get("error"))
    if not expect.get("error"):
        assert found.value == (None if expect.get("value") is None else Decimal(expect["value"]))
        assert found.value_string == expect.get("value_string")
    if "group_by" in expect:
        assert found.group_by == expect["group_by"]


def meter(given: Given, expect: Given) -> None:
    assert meter_valid(_rule(given["meter"])) is expect["valid"]


def _rule(written: Given) -> MeterRule:
    return MeterRule(
        key=written["key"],
        aggregation=written["aggregation"],
        event_type=written["event_type"],
        value_property=written.get("value_property"),
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
