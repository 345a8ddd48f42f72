"""Automatic tax: where a customer is, whether the seller collects there, and at what rate.

https://docs.stripe.com/tax: the location comes from shipping, then billing, then the payment method; a place counts
only with an active registration; business customers with an EU or UK tax id are reverse charged across borders.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboard.stripe_sandbox import tax_table
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import round_half_up
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.tax_id_formats import EU

DEFAULT_TAX_CODE = "txcd_10000000"


@dataclass(frozen=True)
class Location:
    """Where tax is due, and which of the customer's addresses said so."""

    country: str
    state: str | None
    source: str


@dataclass(frozen=True)
class Ruling:
    """The tax on one product for one customer: a tax rate object's id, its percentage, and why."""

    rate_id: str
    percent: Decimal
    reason: str


def settings(ctx: Context) -> dict[str, Any]:
    """The account's tax settings as Stripe answers them; pending until the head office is known."""
    stored = ctx.state().get("tax", {})
    head_office, defaults = stored.get("head_office"), stored.get("defaults", {})
    missing = [] if head_office and head_office["address"].get("country") else ["head_office"]
    if ctx.tax_inactive:
        missing = ["head_office"]
    details = {"pending": {"missing_fields": missing}} if missing else {"active": {}}
    return {
        "object": "tax.settings",
        "defaults": {
            "provider": "stripe",
            "tax_behavior": defaults.get("tax_behavior"),
            "tax_code": defaults.get("tax_code", DEFAULT_TAX_CODE),
        },
        "head_office": head_office,
        "livemode": False,
        "status": "pending" if missing else "active",
        "status_details": details,
    }


def check_active(ctx: Context) -> None:
    """Raises `stripe_tax_inactive` until the account can calculate tax."""
    if settings(ctx)["status"] != "active":
        raise ApiError(
            400,
            "You must have a valid head office address to enable automatic tax calculation in test mode. Visit your "
            "tax settings to update it.",
            code="stripe_tax_inactive",
        )


def location_invalid() -> ApiError:
    """The 400 when the customer's addresses do not say where they are."""
    return ApiError(
        400,
        "The customer's location isn't recognized. Set a valid customer address to automatically calculate tax.",
        code="customer_tax_location_invalid",
        param="customer[address]",
    )


def location_of(ctx: Context, customer: dict[str, Any]) -> Location | None:
    """Where the customer is taxed: shipping address, billing address, then the default card's billing address."""
    shipping = (customer.get("shipping") or {}).get("address")
    if place := _place(shipping, "shipping_destination"):
        return place
    if place := _place(customer.get("address"), "billing_address"):
        return place
    method = ctx.get(customer["invoice_settings"]["default_payment_method"]) if "invoice_settings" in customer else None
    return _place(method["billing_details"]["address"], "payment_method") if method else None


def customer_tax(ctx: Context, customer: dict[str, Any]) -> dict[str, Any]:
    """The includable `customer.tax`."""
    place = location_of(ctx, customer)
    status = "unrecognized_location"
    if place:
        status = "supported" if collects_in(ctx, place) else "not_collecting"
    return {
        "automatic_tax": status,
        "ip_address": customer.get("_ip_address"),
        "location": {"country": place.country, "source": place.source, "state": place.state} if place else None,
        "provider": "stripe",
    }


def collects_in(ctx: Context, place: Location) -> bool:
    """Whether an active registration covers the place; one EU one-stop-shop registration covers the Union."""
    now = ctx.now
    for registration in ctx.find("tax.registration"):
        if registration["active_from"] > now or (registration["expires_at"] or now + 1) <= now:
            continue
        if _covers(registration, place):
            return True
    return False


def ruling(ctx: Context, customer: dict[str, Any], place: Location, tax_code: str | None) -> Ruling:
    """The rate for one product at the customer's place, with Stripe's taxability reason."""
    code = tax_code or settings(ctx)["defaults"]["tax_code"]
    percent, kind, reason = tax_table.rate(place.country, place.state, code)
    if not collects_in(ctx, place):
        percent, reason = Decimal(0), "not_collecting"
    elif customer.get("tax_exempt") == "exempt":
        percent, reason = Decimal(0), "customer_exempt"
    elif customer.get("tax_exempt") == "reverse" or _reverse_charged(ctx, customer, place):
        percent, reason = Decimal(0), "reverse_charge"
    return Ruling(_rate_object(ctx, place, percent, kind)["id"], percent, reason)


def tax_amount(taxable: int, percent: Decimal, inclusive: bool) -> int:
    """Tax in minor units, half up: on top of the amount, or contained in it."""
    if not percent:
        return 0
    if inclusive:
        return taxable - round_half_up(Decimal(taxable) * 100 / (100 + percent))
    return round_half_up(Decimal(taxable) * percent / 100)


def default_behavior(ctx: Context, currency: str) -> str | None:
    """Whether amounts include tax when their price does not say; None when the account has no default either."""
    chosen = settings(ctx)["defaults"]["tax_behavior"]
    if chosen == "inferred_by_currency":
        return "exclusive" if currency in ("usd", "cad") else "inclusive"
    return chosen


def _place(address: dict[str, Any] | None, source: str) -> Location | None:
    country = ((address or {}).get("country") or "").upper()
    if not address or len(country) != 2:
        return None
    state, postal = (address.get("state") or "").upper() or None, address.get("postal_code") or ""
    if country == "US":
        from_postal = tax_table.us_state_of(postal)
        return Location("US", from_postal, source) if from_postal else None
    if country == "CA":
        state = state if state in tax_table.CANADA else _province(postal)
        return Location("CA", state, source) if state else None
    return Location(country, state, source)


def _province(postal_code: str) -> str | None:
    provinces = dict(
        zip(
            "ABCEGHJKLMNPRSTVXY",
            [
                "NL",
                "NS",
                "PE",
                "NB",
                "QC",
                "QC",
                "QC",
                "ON",
                "ON",
                "ON",
                "ON",
                "ON",
                "MB",
                "SK",
                "AB",
                "BC",
                "NT",
                "YT",
            ],
            strict=True,
        )
    )
    return provinces.get(postal_code[:1].upper())


def _covers(registration: dict[str, Any], place: Location) -> bool:
    options = registration["country_options"].get(registration["country"].lower(), {})
    if options.get("type") in ("oss_union", "oss_non_union", "ioss"):
        return place.country in EU
    if registration["country"] != place.country:
        return False
    return place.country != "US" or options.get("state") == place.state


def _reverse_charged(ctx: Context, customer: dict[str, Any], place: Location) -> bool:
    """A business in another country than the seller's, with a tax id of its own country."""
    origin = ((settings(ctx)["head_office"] or {}).get("address") or {}).get("country")
    if place.country == origin or not (place.country in EU or place.country in ("GB", "CH", "NO", "AU", "SG")):
        return False
    kinds = (
        ("eu_vat",)
        if place.country in EU
        else (f"{place.country.lower()}_vat", f"{place.country.lower()}_gst", "au_abn")
    )
    known = customer["tax_ids"] if "tax_ids" in customer else ctx.find("tax_id", {"customer": customer["id"]})
    return any(
        tax_id["type"] in kinds and (tax_id.get("verification") or {}).get("status") != "unverified" for tax_id in known
    )


def _rate_object(ctx: Context, place: Location, percent: Decimal, kind: str) -> dict[str, Any]:
    """The tax rate that stands for this calculation; made once per place and percentage."""
    key = f"{place.country}/{place.state if place.country in ('US', 'CA') else ''}/{percent}"
    found = ctx.find("tax_rate", {"_key": key}, limit=1)
    if found:
        return found[0]
    local = place.country in ("US", "CA")
    names = {
        "sales_tax": "Sales Tax",
        "vat": "VAT",
        "gst": "GST",
        "hst": "HST",
        "pst": "PST",
        "qst": "QST",
        "jct": "JCT",
    }
    rate = ctx.new(
        "tax_rate",
        active=False,
        country=place.country,
        description=None,
        display_name=names.get(kind, kind.upper()),
        effective_percentage=float(percent),
        inclusive=False,
        jurisdiction=place.state if local else place.country,
        jurisdiction_level="state" if local else "country",
        metadata={},
        percentage=float(percent),
        rate_type="percentage",
        state=place.state if local else None,
        tax_type=kind,
        _key=key,
        _percent=str(percent),
    )
    return ctx.save(rate)
