"""Which rooms are asked whether they use a tax code."""

from dashboard.catalog.tax_codes import TaxCodeUses


def tax_code_uses() -> tuple[TaxCodeUses, ...]:
    """The questions of the rooms above the catalog."""
    return ()
