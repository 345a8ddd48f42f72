"""The sixteen groups of defects that this house was built to beat: each has tests named after it."""

import re
from pathlib import Path

import pytest

DEFECTS = {
    1: "a call per line, no difference, everything written again at issuing",
    2: "what a partial failure leaves behind: doubles, orphans, stuck and undeletable drafts",
    3: "no retry of a failed sync, no reconciliation, events lost on illegal transitions",
    4: "no replay window, no ledger of events, applied while Stripe waits",
    5: "how a draft is paid is frozen when it is made",
    6: "lines mixed up, lines of others deleted",
    7: "wrong minor units",
    8: "nothing read back, tax dropped in silence",
    9: "no void, pay, send, uncollectible, credit note or refund",
    10: "overdue only with an automation in Stripe, no date of a void",
    11: "deleted customers, detached cards and other currencies unnoticed",
    12: "portal language dropped, checkout metadata lost",
    13: "labels dropped, tax precedence upside down",
    14: "secrets in clear text",
    15: "email not kept in step",
    16: "no memo, footer, purchase order, statement descriptor",
}
TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("number", DEFECTS)
def test_each_of_the_sixteen_defects_has_a_test_named_after_it(number):
    named = {
        found
        for file in TESTS.rglob("test_*.py")
        for numbers in re.findall(r"def test_defect_((?:\d+_(?:and_)?)+)", file.read_text())
        for found in re.findall(r"\d+", numbers)
    }
    assert str(number) in named, f"no test shows that we do better at: {DEFECTS[number]}"
