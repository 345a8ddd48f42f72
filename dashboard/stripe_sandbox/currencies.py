"""Stripe's currency table: which there are, how amounts are counted, and the smallest charge.

https://docs.stripe.com/currencies. Amounts are integers in the smallest unit by Stripe's table, which differs from
ISO's: ISK and UGX are sent with two zeros, three-decimal amounts must end in 0.
"""

from decimal import ROUND_HALF_UP, Decimal

from dashboard.stripe_sandbox.errors import ApiError, invalid_parameter

ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
_TWO_DECIMAL = frozenset(
    [
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "btn",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "hrk",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "isk",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "ugx",
        "usd",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "xcg",
        "yer",
        "zar",
        "zmw",
    ]
)
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | _TWO_DECIMAL
_MINIMUM = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "inr": "₹", "krw": "₩", "cad": "CA$", "aud": "A$"}
MAXIMUM = 99_999_999
_WIDE = frozenset(["cop", "huf", "idr", "inr", "jpy", "lbp", "krw", "clp", "vnd", "ugx", "pyg", "twd"])


def check_currency(code: str, param: str = "currency") -> str:
    """The code in lower case; raises ApiError 400 for one that Stripe does not take."""
    lowered = code.lower()
    if lowered not in CURRENCIES:
        raise invalid_parameter(param, f"Invalid currency: {code}. Stripe currently supports these currencies: …")
    return lowered


def check_amount(amount: int, currency: str, param: str = "amount") -> int:
    """Raises for amounts that cannot be charged: too many digits, or a three-decimal amount not ending in 0."""
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid_parameter(param, f"Amounts in {currency} must end in 0.", "amount_invalid")
    digits = 12 if currency in _WIDE else 8
    if abs(amount) >= 10**digits:
        raise ApiError(400, f"Amount must be no more than {10**digits - 1}.", code="amount_too_large", param=param)
    return amount


def minimum_charge(currency: str) -> int:
    """The smallest charge in minor units."""
    return _MINIMUM.get(currency, 50 if currency not in ZERO_DECIMAL else 1)


def decimals(currency: str) -> int:
    """How many of the integer's digits are behind the point."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """The amount as people read it: `$1,234.50`, `¥500`, `12.340 KWD`."""
    places = decimals(currency)
    number = f"{abs(Decimal(amount).scaleb(-places)):,.{places}f}"
    sign = "-" if amount < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency.upper()}"


def round_half_up(amount: Decimal) -> int:
    """To a whole unit, half away from zero."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
