"""What rating refuses."""

from dashboard.kit.errors import InvalidInput


class NegativeQuantity(InvalidInput):
    code = "quantity_negative"
    remedy = "Check the events of this meter: usage below zero cannot be priced."


class BadDiscount(InvalidInput):
    code = "bad_discount"
    remedy = "Give a percentage between 0 and 100, and free units of zero or more."


class CreditsNotConsumedFully(InvalidInput):
    code = "credits_not_consumed_fully"
    remedy = "Apply no more credit than the line is worth."


class VolumeSplitNotSupported(InvalidInput):
    code = "progressive_not_supported"
    remedy = "Bill this price once, when its period has ended."


class MissingOpenEndedTier(InvalidInput):
    code = "invoice_line_missing_open_ended_tier"
    remedy = "Give the price a last tier without a limit."


class UnitConversionNotAllowed(InvalidInput):
    code = "unit_config_requires_usage_based_price"
    remedy = "Convert units only with a price per unit or by tiers."
