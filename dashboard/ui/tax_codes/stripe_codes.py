"""Searching tax codes: one's own library and Stripe's list."""

from dataclasses import dataclass

from dashboard.backend import running
from dashboard.catalog.tax_codes import list_tax_codes as list_own_codes
from dashboard.catalog.views import TaxCode as OwnCode
from dashboard.kit.errors import MeterdeskError, PreconditionFailed
from dashboard.kit.paging import PageRequest
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.stripe_app.tax import get_tax_code, list_tax_codes
from dashboard.stripe_app.views import AppState, TaxCode

HITS = 20
_CONSIDERED = 200
USUAL = ("txcd_10103001", "txcd_10103000", "txcd_10000000", "txcd_20030000", "txcd_10010001", "txcd_00000000")
"""What software companies mostly use; shown before anything is searched."""


class NoStripeForTaxCodes(PreconditionFailed):
    code = "no_stripe_for_tax_codes"
    remedy = "Connect a Stripe account under Settings → Stripe; Stripe publishes the list."


@dataclass(frozen=True, slots=True)
class TaxChoice:
    """One code to choose. `value` is what a form posts: the id of an own code, or Stripe's code itself."""

    value: str = ""
    code: str = ""
    name: str = ""
    description: str = ""
    is_own: bool = False


async def find_stripe_codes(app_id: str, text: str) -> list[TaxChoice]:
    """The codes that match every word of `text`, best first; the usual ones for no text.

    Raises NoStripeForTaxCodes, and what Stripe refuses.
    """
    desk, app = running().stripe, app_id or await _any_app()
    words = text.lower().split()
    if not words:
        usual = [await get_tax_code(desk, app, code) for code in USUAL]
        return [_choice(code) for code in usual if code is not None]
    found = await list_tax_codes(desk, app, text, limit=_CONSIDERED)
    return [_choice(code) for code in sorted(found, key=lambda code: _rank(code, words))[:HITS]]


async def find_own_codes(text: str) -> list[TaxChoice]:
    """The codes of one's own library that match `text`."""
    async with running().database.read() as session:
        page = await list_own_codes(session, PageRequest(size=HITS), search=text.strip() or None)
    return [own_choice(code) for code in page.items]


def own_choice(code: OwnCode) -> TaxChoice:
    """A code of the library as a choice."""
    return TaxChoice(
        value=code.id,
        code=code.stripe_code or code.key,
        name=code.name,
        description=code.description or "From your own library.",
        is_own=True,
    )


async def stripe_code_name(app_id: str, code: str) -> str:
    """The name of one code, empty when Stripe cannot be asked or does not know it."""
    if not code:
        return ""
    try:
        known = await get_tax_code(running().stripe, app_id or await _any_app(), code)
    except MeterdeskError:
        return ""
    return known.name if known else ""


async def _any_app() -> str:
    async with running().database.read() as session:
        apps = await list_stripe_apps(session)
    ready = next((app for app in apps if app.state is AppState.READY), None)
    if ready is None:
        raise NoStripeForTaxCodes("There is no connected Stripe account to ask for its tax codes.")
    return ready.id


def _choice(code: TaxCode) -> TaxChoice:
    return TaxChoice(code.id, code.id, code.name, code.description)


def _rank(code: TaxCode, words: list[str]) -> tuple[int, str]:
    """Those with the words in their name come first."""
    name = f"{code.id} {code.name}".lower()
    return sum(word not in name for word in words), code.name
