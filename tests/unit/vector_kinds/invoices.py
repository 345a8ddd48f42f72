from decimal import Decimal
from typing import Any

import pytest

from dashboard.billing.progressive import RatedPiece, due_pieces
from dashboard.billing.rating.lines import sum_totals
from vector_kinds.reading import (
    Given,
    amount,
    assert_same_totals,
    expected_totals,
    is_set,
    moment,
    outcome,
    period,
    written_totals,
)
from vector_kinds.stories import Story


def progressive_invoices(given: Given, expect: Given) -> None:
    story = Story(currency=given["currency"])
    for line in given["lines"]:
        story.wait_for(line)
    progressive = _progressive(given, is_set(given, "progressive_billing"))
    invoices: list[list[RatedPiece]] = []
    for step in given["steps"]:
        match step["do"]:
            case "usage":
                story.use(step)
            case "invoice":
                _invoice(story, step, _progressive(step, progressive), invoices)
            case "preview":
                _preview(story, step["expect"])
            case "delete_last_invoice":
                for piece in invoices.pop():
                    story.give_up(piece)
            case "approve_last_invoice":
                assert invoices, "there is an invoice to approve"
            case verb:
                pytest.fail(f"nothing here knows how to {verb}")


def _progressive(asked: Given, otherwise: bool) -> bool:
    """The switch of an invoicing request, which may stand on the story or on its step, wins over the profile's."""
    override = asked.get("partial_lines_override")
    return otherwise if override is None else bool(override)


def _invoice(story: Story, step: Given, progressive: bool, invoices: list[list[RatedPiece]]) -> None:
    expected = step["expect"]
    pending, as_of = list(story.pending.values()), moment(step["as_of"])
    found = outcome(lambda: due_pieces(pending, as_of, progressive_billing=progressive), expected)
    if found is None:
        return
    billed: list[RatedPiece] = []
    for due in found:
        piece = story.rate(due.line, due.service_period)
        story.book(due, piece)
        billed.append(piece)
    invoices.append(billed)
    _assert_same_pieces(billed, expected.get("lines") or [])
    assert_same_totals(sum_totals(piece.rating.totals for piece in billed), expected.get("totals"))


def _preview(story: Story, expected: Given) -> None:
    pieces = [story.rate(line, line.service_period) for line in story.pending.values()]
    assert_same_totals(sum_totals(piece.rating.totals for piece in pieces), expected.get("totals", expected))


def _assert_same_pieces(billed: list[RatedPiece], expected: list[Given]) -> None:
    theirs = {line["key"]: line for line in expected}
    assert sorted(piece.key for piece in billed) == sorted(line["key"] for line in expected)
    for piece in billed:
        line = theirs[piece.key]
        ours: dict[str, Any] = {
            "key": piece.key,
            "service_period": piece.service_period,
            "quantity": piece.quantity,
            "metered_quantity": piece.metered_quantity,
            "totals": written_totals(piece.rating.totals),
        }
        wanted = {
            "key": line["key"],
            "service_period": period(line["service_period"]),
            "quantity": amount(line.get("quantity")),
            "totals": expected_totals(line.get("totals")),
        }
        if line.get("metered_quantity") is not None:
            wanted["metered_quantity"] = Decimal(line["metered_quantity"])
        assert {name: ours[name] for name in wanted} == wanted


KINDS = {"progressive_invoices": progressive_invoices}
