"""Refusals about tax codes. (Plans and features have `plan_errors.py`.)"""

from dashboard.kit.errors import Conflict, NotFound


class TaxCodeNotFound(NotFound):
    code = "tax_code_not_found"
    remedy = "Look in the list of tax codes."


class TaxCodeKeyTaken(Conflict):
    code = "tax_code_key_taken"
    remedy = "Choose another key, or change the tax code that has it."


class TaxCodeInUse(Conflict):
    """Something still points to it; `details["uses"]` lists what."""

    code = "tax_code_in_use"
    remedy = "Let what is listed use another tax code first."
