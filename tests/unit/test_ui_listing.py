"""Lists whose view is their address."""

import pytest

from dashboard.kit.paging import Page
from dashboard.ui.listing import Address

INVOICES = Address("/invoices", {"tab": "open", "q": "acme & co", "page": "3", "empty": ""})


def test_a_change_of_the_view_keeps_the_rest_and_begins_at_the_first_page() -> None:
    assert INVOICES.having(tab="paid") == "/invoices?q=acme+%26+co&tab=paid"


def test_none_and_nothing_remove_a_name_from_the_address() -> None:
    assert INVOICES.having(tab=None, q="") == "/invoices"


def test_a_named_page_is_kept() -> None:
    assert INVOICES.having(page=4) == "/invoices?tab=open&q=acme+%26+co&page=4"


@pytest.mark.parametrize(("written", "number"), [("3", 3), ("0", 1), ("-2", 1), ("x", 1), ("99999999999", 1), ("²", 1)])
def test_the_page_asked_for_is_a_number_from_one_whatever_was_typed(written: str, number: int) -> None:
    assert Address("/invoices", {"page": written}).page_request().number == number


def test_a_choice_outside_the_list_falls_back() -> None:
    assert INVOICES.choice("tab", ["open", "paid"], "all") == "open"
    assert INVOICES.choice("tab", ["paid"], "all") == "all"


def test_the_sorted_column_offers_the_other_direction_and_others_begin_descending() -> None:
    links = Address("/invoices", {}).sort_links(["number", "total"], current="-number")
    assert (links["number"].direction, links["number"].href) == ("descending", "/invoices?sort=number")
    assert (links["total"].direction, links["total"].href) == ("none", "/invoices?sort=-total")


def test_a_page_in_the_middle_has_both_neighbours() -> None:
    pager = INVOICES.pager(Page(items=tuple(range(25)), total_count=130, number=2, size=25))
    assert pager.summary == "26–50 of 130"
    assert pager.previous == "/invoices?tab=open&q=acme+%26+co"
    assert pager.next == "/invoices?tab=open&q=acme+%26+co&page=3"


def test_the_last_page_has_no_next_and_an_empty_list_has_no_foot() -> None:
    last = INVOICES.pager(Page(items=(1, 2), total_count=27, number=2, size=25))
    assert (last.summary, last.next) == ("26–27 of 27", "")
    assert INVOICES.pager(Page(items=(), total_count=0, number=1, size=25)).summary == ""


def test_a_list_without_numbers_moves_by_cursors() -> None:
    pager = Address("/events", {"after": "abc"}).keyset_pager("Newest 25", before="b", after=None)
    assert (pager.previous, pager.next) == ("/events?before=b", "")
