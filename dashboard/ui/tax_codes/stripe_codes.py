"""Searching Stripe's list of tax codes."""

from dataclasses import dataclass

from dashboard.backend import running
from dashboard.kit.errors import PreconditionFailed
from dashboard.stripe_app.apps import list_stripe_apps
from dashboard.stripe_app.tax import tax_codes
from dashboard.stripe_app.views import AppState, TaxCode

HITS = 20
USUAL = ("txcd_10103001", "txcd_10103000", "txcd_10000000", "txcd_20030000", "txcd_10010001", "txcd_00000000")
"""What software companies mostly use; shown before anything is searched."""


class NoStripeForTaxCodes(PreconditionFailed):
    code = "no_stripe_for_tax_codes"
    remedy = "Connect a Stripe account under Settings → Stripe; Stripe publishes the list."


@dataclass(frozen=True, slots=True)
class TaxChoice:
    """One of Stripe's codes."""

    code: str = ""
    name: str = ""
    description: str = ""


async def find_stripe_codes(app_id: str, text: str) -> list[TaxChoice]:
    """The codes that match every word of `text`, best first; the usual ones for no text.

    Raises NoStripeForTaxCodes, and what Stripe refuses.
    """
    listed = await tax_codes(running().stripe, app_id or await _any_app())
    words = text.lower().split()
    if not words:
        by_id = {code.id: code for code in listed}
        found = [by_id[code] for code in USUAL if code in by_id] or list(listed[:HITS])
    else:
        found = sorted((code for code in listed if _matches(code, words)), key=lambda code: _rank(code, words))
    return [TaxChoice(code.id, code.name, code.description) for code in found[:HITS]]


async def _any_app() -> str:
    async with running().database.read() as session:
        apps = await list_stripe_apps(session)
    ready = next((app for app in apps if app.state is AppState.READY), None)
    if ready is None:
        raise NoStripeForTaxCodes("There is no connected Stripe account to ask for its tax codes.")
    return ready.id


def _matches(code: TaxCode, words: list[str]) -> bool:
    said = f"{code.id} {code.name} {code.description}".lower()
    return all(word in said for word in words)


def _rank(code: TaxCode, words: list[str]) -> tuple[int, str]:
    """Those with the words in their name come first."""
    name = f"{code.id} {code.name}".lower()
    return (sum(word not in name for word in words), code.name)
