"""Which rooms are asked whether they use a tax code."""

from dashboard.billing.profiles import profiles_using_tax_code
from dashboard.catalog.tax_codes import TaxCodeUses


def tax_code_uses() -> tuple[TaxCodeUses, ...]:
    """The questions of the rooms that point to tax codes."""
    return (profiles_using_tax_code,)
