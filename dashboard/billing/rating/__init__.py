"""From a metered quantity to priced lines, with the reasons for every amount. See README.md."""

from dashboard.billing.rating.difference import rate_run, rate_run_by_periods, rerate_difference
from dashboard.billing.rating.explain import Explanation, component_name, explain
from dashboard.billing.rating.lines import Position, RatedLine, RateRequest, RatingResult, RatingTerms
from dashboard.billing.rating.rate import rate_line

__all__ = [
    "Explanation",
    "Position",
    "RateRequest",
    "RatedLine",
    "RatingResult",
    "RatingTerms",
    "component_name",
    "explain",
    "rate_line",
    "rate_run",
    "rate_run_by_periods",
    "rerate_difference",
]
