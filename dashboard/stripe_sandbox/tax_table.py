"""Tax rates per country and state, good enough to try everything: standard rates, and what US states do with software.

Rates as of 2026, from the tax offices' published standard rates; county and city surcharges are left out on purpose.
"""

from decimal import Decimal

EU_RATES = {
    "AT": "20", "BE": "21", "BG": "20", "CY": "19", "CZ": "21", "DE": "19", "DK": "25", "EE": "24", "ES": "21",
    "FI": "25.5", "FR": "20", "GR": "24", "HR": "25", "HU": "27", "IE": "23", "IT": "22", "LT": "21", "LU": "17",
    "LV": "21", "MT": "18", "NL": "21", "PL": "23", "PT": "23", "RO": "21", "SE": "25", "SI": "22", "SK": "23",
}  # fmt: skip
OTHER_RATES = {
    "GB": ("20", "vat"), "CH": ("8.1", "vat"), "NO": ("25", "vat"), "IS": ("24", "vat"), "AU": ("10", "gst"),
    "NZ": ("15", "gst"), "SG": ("9", "gst"), "JP": ("10", "jct"), "IN": ("18", "igst"), "ZA": ("15", "vat"),
    "AE": ("5", "vat"), "SA": ("15", "vat"), "KR": ("10", "vat"), "MX": ("16", "vat"), "CL": ("19", "vat"),
    "TR": ("20", "vat"), "TH": ("7", "vat"), "TW": ("5", "vat"), "MY": ("8", "service_tax"), "ID": ("11", "vat"),
}  # fmt: skip
CANADA = {
    "AB": ("5", "gst"), "BC": ("12", "pst"), "MB": ("12", "pst"), "NB": ("15", "hst"), "NL": ("15", "hst"),
    "NS": ("14", "hst"), "NT": ("5", "gst"), "NU": ("5", "gst"), "ON": ("13", "hst"), "PE": ("15", "hst"),
    "QC": ("14.975", "qst"), "SK": ("11", "pst"), "YT": ("5", "gst"),
}  # fmt: skip
US_STATES = {
    "AL": "4", "AK": "0", "AZ": "5.6", "AR": "6.5", "CA": "7.25", "CO": "2.9", "CT": "6.35", "DC": "6", "DE": "0",
    "FL": "6", "GA": "4", "HI": "4", "ID": "6", "IL": "6.25", "IN": "7", "IA": "6", "KS": "6.5", "KY": "6",
    "LA": "5", "ME": "5.5", "MD": "6", "MA": "6.25", "MI": "6", "MN": "6.875", "MS": "7", "MO": "4.225", "MT": "0",
    "NE": "5.5", "NV": "6.85", "NH": "0", "NJ": "6.625", "NM": "4.875", "NY": "4", "NC": "4.75", "ND": "5",
    "OH": "5.75", "OK": "4.5", "OR": "0", "PA": "6", "RI": "7", "SC": "6", "SD": "4.2", "TN": "7", "TX": "6.25",
    "UT": "4.85", "VT": "6", "VA": "4.3", "WA": "6.5", "WV": "6", "WI": "5", "WY": "4",
}  # fmt: skip
# States that tax software used over the network; elsewhere it is exempt.
US_SOFTWARE_STATES = frozenset(
    [
        "AZ",
        "CT",
        "DC",
        "HI",
        "KY",
        "LA",
        "MS",
        "NM",
        "NY",
        "OH",
        "PA",
        "RI",
        "SC",
        "SD",
        "TN",
        "TX",
        "UT",
        "VT",
        "WA",
        "WV",
    ]
)
SOFTWARE_CODES = ("txcd_10103", "txcd_10102", "txcd_10000000", "txcd_10010001")
SERVICE_CODES = ("txcd_20030000",)
NONTAXABLE = "txcd_00000000"

# The first three digits of a US postal code, per state: (first, last, state).
_ZIP_STATES = (
    (5, 5, "NY"), (10, 27, "MA"), (28, 29, "RI"), (30, 38, "NH"), (39, 49, "ME"), (50, 59, "VT"), (60, 69, "CT"),
    (70, 89, "NJ"), (100, 149, "NY"), (150, 196, "PA"), (197, 199, "DE"), (200, 205, "DC"), (206, 219, "MD"),
    (220, 246, "VA"), (247, 268, "WV"), (270, 289, "NC"), (290, 299, "SC"), (300, 319, "GA"), (320, 349, "FL"),
    (350, 369, "AL"), (370, 385, "TN"), (386, 397, "MS"), (398, 399, "GA"), (400, 427, "KY"), (430, 459, "OH"),
    (460, 479, "IN"), (480, 499, "MI"), (500, 528, "IA"), (530, 549, "WI"), (550, 567, "MN"), (570, 577, "SD"),
    (580, 588, "ND"), (590, 599, "MT"), (600, 629, "IL"), (630, 658, "MO"), (660, 679, "KS"), (680, 693, "NE"),
    (700, 714, "LA"), (716, 729, "AR"), (730, 749, "OK"), (750, 799, "TX"), (800, 816, "CO"), (820, 831, "WY"),
    (832, 838, "ID"), (840, 847, "UT"), (850, 865, "AZ"), (870, 884, "NM"), (885, 885, "TX"), (889, 898, "NV"),
    (900, 961, "CA"), (967, 968, "HI"), (970, 979, "OR"), (980, 994, "WA"), (995, 999, "AK"),
)  # fmt: skip


def us_state_of(postal_code: str) -> str | None:
    """The state of a five-digit US postal code."""
    if len(postal_code) < 5 or not postal_code[:5].isdigit():
        return None
    area = int(postal_code[:3])
    return next((state for first, last, state in _ZIP_STATES if first <= area <= last), None)


def rate(country: str, state: str | None, tax_code: str) -> tuple[Decimal, str, str]:
    """`(percent, tax type, taxability reason)` of a place and product, before anything about seller and customer."""
    if tax_code == NONTAXABLE:
        return Decimal(0), tax_type(country, state), "product_exempt"
    if country == "US":
        return _us_rate(state or "", tax_code)
    if country == "CA":
        percent, kind = CANADA.get(state or "", ("5", "gst"))
        return Decimal(percent), kind, "standard_rated"
    if country in EU_RATES:
        return Decimal(EU_RATES[country]), "vat", "standard_rated"
    if country in OTHER_RATES:
        percent, kind = OTHER_RATES[country]
        return Decimal(percent), kind, "standard_rated"
    return Decimal(0), "vat", "not_supported"


def tax_type(country: str, state: str | None) -> str:
    """What the tax is called there, in Stripe's words."""
    if country == "US":
        return "sales_tax"
    if country == "CA":
        return CANADA.get(state or "", ("5", "gst"))[1]
    return OTHER_RATES.get(country, ("0", "vat"))[1]


def _us_rate(state: str, tax_code: str) -> tuple[Decimal, str, str]:
    percent = Decimal(US_STATES.get(state, "0"))
    if not percent:
        return Decimal(0), "sales_tax", "not_subject_to_tax"
    if tax_code.startswith(SERVICE_CODES):
        return Decimal(0), "sales_tax", "product_exempt"
    if tax_code.startswith(SOFTWARE_CODES) and state not in US_SOFTWARE_STATES:
        return Decimal(0), "sales_tax", "product_exempt"
    return percent, "sales_tax", "standard_rated"
