"""How an invoice's money is kept."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

from dashboard.kit.money import EXACT

DECIMALS = 4
"""The most any currency has on an invoice (CLF)."""

LARGEST_AMOUNT = Decimal(10) ** 12
"""Refused long before the column's own limit, so that sums over many invoices still fit."""


class Money(TypeDecorator[Decimal]):
    """An amount in major units, kept as whole ten-thousandths whatever the currency: exact, and fit to be compared,
    ordered and summed in SQL. Refuses what is finer."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        scaled = Decimal(value).scaleb(DECIMALS, EXACT)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"an amount with more than {DECIMALS} decimals cannot be stored: {value}")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)).scaleb(-DECIMALS, EXACT)
