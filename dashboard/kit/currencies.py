"""Which currencies there are, how many decimals each has, and how Stripe counts them.

Two tables, because they differ. ISO 4217 says how an amount is rounded and shown. Stripe's own table says which integer
stands for it in the API (https://docs.stripe.com/currencies): ISK and UGX have no decimals but are sent with two zeros,
MGA has two but is sent whole, the three-decimal ones must end in 0.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from dashboard.kit.errors import InvalidInput


class UnknownCurrency(InvalidInput):
    code = "unknown_currency"
    remedy = "Use a three-letter ISO 4217 code such as USD, EUR or JPY."


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TWO_DECIMALS = _codes("""
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
""")
_NO_DECIMALS = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF")
_THREE_DECIMALS = _codes("BHD IQD JOD KWD LYD OMR TND")
_FOUR_DECIMALS = _codes("CLF UYW")

_ISO_DECIMALS: dict[str, int] = (
    dict.fromkeys(_TWO_DECIMALS, 2)
    | dict.fromkeys(_NO_DECIMALS, 0)
    | dict.fromkeys(_THREE_DECIMALS, 3)
    | dict.fromkeys(_FOUR_DECIMALS, 4)
)

_STRIPE_ZERO_DECIMAL = _codes("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
_STRIPE_THREE_DECIMAL = _codes("BHD JOD KWD OMR TND")
_STRIPE_TWO_ZEROS = _codes("ISK UGX")
_STRIPE_WHOLE_PAYOUTS = _codes("HUF ISK TWD UGX")

_STRIPE_MINIMUM_CHARGE = {
    code: Decimal(amount)
    for code, amount in {
        "AED": "2.00", "AUD": "0.50", "BGN": "1.00", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50", "CZK": "15.00",
        "DKK": "2.50", "EUR": "0.50", "GBP": "0.30", "HKD": "4.00", "HUF": "175.00", "INR": "0.50", "JPY": "50",
        "MXN": "10", "MYR": "2", "NOK": "3.00", "NZD": "0.50", "PLN": "2.00", "RON": "2.00", "SEK": "3.00",
        "SGD": "0.50", "THB": "10", "USD": "0.50",
    }.items()
}  # fmt: skip

_SYMBOLS = {
    "AUD": "A$", "BRL": "R$", "CAD": "CA$", "CNY": "CN¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "ILS": "₪", "INR": "₹",
    "JPY": "¥", "KRW": "₩", "MXN": "MX$", "NZD": "NZ$", "PHP": "₱", "TWD": "NT$", "USD": "$", "VND": "₫",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency, with the figures of both tables."""

    code: str
    decimals: int
    """How many decimals an amount has on an invoice (ISO 4217)."""
    stripe_decimals: int
    """Stripe's integer is the amount times ten to this power."""
    stripe_step: Decimal
    """The smallest difference between two amounts Stripe takes, in major units: 0.01 for USD and KWD, 1 for ISK."""
    minimum_charge: Decimal | None
    """Below this Stripe refuses a charge; None where Stripe publishes no figure."""
    whole_payouts: bool
    """Stripe pays out whole units only, although charges may have decimals."""
    symbol: str | None


@cache
def currency(code: str) -> Currency:
    """The currency with this ISO 4217 code, in either case. Raises UnknownCurrency."""
    known = code.upper() if isinstance(code, str) else ""
    if known not in _ISO_DECIMALS:
        raise UnknownCurrency(f"{code!r} is not a currency we know.", field="currency")
    return Currency(
        code=known,
        decimals=_ISO_DECIMALS[known],
        stripe_decimals=_stripe_decimals(known),
        stripe_step=_stripe_step(known),
        minimum_charge=_STRIPE_MINIMUM_CHARGE.get(known),
        whole_payouts=known in _STRIPE_WHOLE_PAYOUTS,
        symbol=_SYMBOLS.get(known),
    )


def known_currencies() -> tuple[str, ...]:
    """Every code `currency` takes, in alphabetical order."""
    return tuple(sorted(_ISO_DECIMALS))


def _stripe_decimals(code: str) -> int:
    if code in _STRIPE_ZERO_DECIMAL:
        return 0
    return 3 if code in _STRIPE_THREE_DECIMAL else 2


def _stripe_step(code: str) -> Decimal:
    if code in _STRIPE_ZERO_DECIMAL or code in _STRIPE_TWO_ZEROS:
        return Decimal(1)
    return Decimal("0.01")
