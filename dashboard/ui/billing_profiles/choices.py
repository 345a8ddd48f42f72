"""The lists one chooses from in a billing profile."""

from dashboard.kit.countries import known_countries
from dashboard.kit.currencies import currency, known_currencies
from dashboard.ui.components import Option

_FIRST = ("USD", "EUR", "GBP")


def _currency_label(code: str) -> str:
    symbol = currency(code).symbol
    return f"{code} ({symbol})" if symbol else code


COUNTRIES = tuple(Option(country.code, country.name) for country in known_countries())
CURRENCIES = tuple(
    Option(code, _currency_label(code))
    for code in (*_FIRST, *(code for code in known_currencies() if code not in _FIRST))
)
