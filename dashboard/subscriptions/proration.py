"""How much of a flat fee is due when its period is cut short. Usage is never prorated: it was used or it was not."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from dashboard.kit.calendar import Period, cut_to_seconds
from dashboard.kit.money import exact_arithmetic, round_money


class SubscriptionEndMode(StrEnum):
    """What happens to a period that the end of the subscription cuts."""

    BILL_ACTUAL_PERIOD = "bill_actual_period"
    BILL_FULL_PERIOD = "bill_full_period"


def flat_fee_proration(
    amount: Decimal,
    currency: str,
    service_period: Period,
    full_service_period: Period,
    *,
    enabled: bool = True,
    subscription_end: datetime | None = None,
    subscription_end_mode: SubscriptionEndMode = SubscriptionEndMode.BILL_ACTUAL_PERIOD,
) -> Decimal | None:
    """The amount to bill for the service period, or None when that is nothing and no line is needed.

    It is amount × service ÷ full service by elapsed time, rounded to the currency; the whole amount where proration is
    off, the full period is empty, or the subscription ends with this period and its last period is charged in full.
    """
    ends_here = subscription_end is not None and cut_to_seconds(subscription_end) == cut_to_seconds(service_period.end)
    charged_in_full = ends_here and subscription_end_mode is SubscriptionEndMode.BILL_FULL_PERIOD
    if not enabled or full_service_period.is_empty or charged_in_full:
        return amount or None
    with exact_arithmetic():
        share = amount * _microseconds(service_period) / _microseconds(full_service_period)
        return round_money(share, currency) or None


def _microseconds(period: Period) -> int:
    return period.length // timedelta(microseconds=1)
