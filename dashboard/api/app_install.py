"""Installing Stripe as both API generations ask for it: the app, and on request a billing profile that uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from dashboard.backend import Backend
from dashboard.billing.inputs import CreateBillingProfile
from dashboard.billing.profiles import create_billing_profile, default_billing_profile
from dashboard.kit.database import Actor
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app.apps import get_stripe_app, is_installed
from dashboard.stripe_app.errors import StripeUnauthorized
from dashboard.stripe_app.inputs import InstallStripeApp
from dashboard.stripe_app.install import install_stripe_app
from dashboard.stripe_app.views import StripeApp


class StripeRefusedTheKey(MeterdeskError):
    """The reference server's 401: not our caller's key is bad, but the one they handed over."""

    status = 401
    code = "stripe_unauthorized"
    remedy = "Copy a live key of the account from Stripe's dashboard, Developers, API keys."


@dataclass(frozen=True, slots=True)
class Installation:
    """The app, and whether customers without a profile of their own are billed through it from now on."""

    app: StripeApp
    is_default: bool


async def install_with_key(
    backend: Backend, actor: Actor, api_key: SecretStr, *, name: str | None, create_profile: bool
) -> Installation:
    """Installs the account the key opens. With a profile, it becomes the default one when there is none yet, or when
    the present one bills through the sandbox. Raises what `install_stripe_app` raises, StripeRefusedTheKey."""
    wanted = {"api_key": api_key} | ({"name": name} if name is not None else {})
    app = await install_stripe_app(backend.stripe, actor, parse_input(InstallStripeApp, wanted))
    if not create_profile:
        return Installation(app, False)
    async with backend.database.transaction(actor) as work:
        default = await default_billing_profile(work.session)
        takes_over = default is None
        if default is not None and not app.is_sandbox:
            takes_over = (await get_stripe_app(work.session, default.app_id)).is_sandbox
        profile = parse_input(
            CreateBillingProfile,
            {
                "name": f"{app.name} billing profile",
                "app_id": app.id,
                "supplier": {"name": app.account_name or app.name, "country": app.country or "US"},
                "make_default": takes_over,
            },
        )
        made = await create_billing_profile(work, profile, apps=is_installed)
    return Installation(app, made.is_default)


@contextmanager
def stripe_key_at_work(field: str) -> Iterator[None]:
    """Within the block, Stripe's 401 is about the key in `field`."""
    try:
        yield
    except StripeUnauthorized as error:
        raise StripeRefusedTheKey(error.message, field=field) from error
