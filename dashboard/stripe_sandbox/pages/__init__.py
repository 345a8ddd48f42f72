"""The pages that Stripe would host, as plain HTML: checkout, portal, invoice, 3-D Secure."""

from starlette.routing import Route

from dashboard.stripe_sandbox.pages import authentication, checkout, embed, invoice, portal
from dashboard.stripe_sandbox.program import Sandbox


def routes(sandbox: Sandbox) -> list[Route]:
    """Every page's routes."""
    return [
        *checkout.routes(sandbox),
        *embed.routes(sandbox),
        *portal.routes(sandbox),
        *invoice.routes(sandbox),
        *authentication.routes(sandbox),
    ]
