"""Which tax applies to a line: its own, else the customer override's or profile's, else the organisation's default.

What nobody says is left to the provider's account. Behaviour is decided on its own; our tax code and Stripe's own code
travel as a pair, because one stands for the other.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from dashboard.billing.views import TaxConfig
from dashboard.catalog.tax_codes import tax_codes_by_id, tax_defaults
from dashboard.kit.errors import InvalidInput


class UnknownTaxCode(InvalidInput):
    code = "tax_code_unknown"
    remedy = "Choose a tax code from the list in the settings."


async def resolved_tax(session: AsyncSession, config: TaxConfig, *, field: str = "tax") -> TaxConfig:
    """`config` with Stripe's code taken from our tax code, if it names one. Raises UnknownTaxCode."""
    if config.tax_code_id is None:
        return config
    code = (await tax_codes_by_id(session, [config.tax_code_id])).get(config.tax_code_id)
    if code is None or code.deleted_at is not None:
        raise UnknownTaxCode(f"There is no tax code {config.tax_code_id!r}.", field=field)
    return TaxConfig(config.behavior, code.id, code.stripe_code)


async def organisation_tax(session: AsyncSession) -> TaxConfig:
    """The organisation's default for what is invoiced."""
    defaults = await tax_defaults(session)
    if defaults is None:
        return TaxConfig()
    return TaxConfig(None, defaults.invoicing.id, defaults.invoicing.stripe_code)


def effective_tax(*from_strongest: TaxConfig) -> TaxConfig:
    """The first behaviour anybody names, and the first code."""
    behavior = next((config.behavior for config in from_strongest if config.behavior is not None), None)
    coded = next((config for config in from_strongest if config.tax_code_id or config.stripe_code), TaxConfig())
    return TaxConfig(behavior, coded.tax_code_id, coded.stripe_code)
