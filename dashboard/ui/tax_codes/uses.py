"""Which rooms are asked whether they use a tax code."""

from dashboard.billing.queries import tax_code_uses as billing_uses
from dashboard.catalog.tax_codes import TaxCodeUses


def tax_code_uses() -> tuple[TaxCodeUses, ...]:
    """The questions of the rooms that point to tax codes."""
    return (billing_uses,)
