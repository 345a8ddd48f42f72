"""Lists whose view is their address."""

import pytest

from dashboard.kit.paging import Page
from dashboard.ui.customers.state import CustomersState
from dashboard.ui.listing import Address
from dashboard.ui.plans.state import PlansState
from dashboard.ui.roles import declared_role

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


def test_a_list_is_sorted_as_the_address_says_or_as_it_is_by_itself() -> None:
    order = Address("/plans", {"sort": "-name"}).order(["key", "name"], "key")
    assert (order.key, order.descending, order.links["name"].href) == ("name", True, "/plans?sort=name")
    by_itself = Address("/plans", {"sort": "password"}).order(["key", "name"], "-key")
    assert (by_itself.key, by_itself.descending) == ("key", True)


def test_a_tab_for_each_value_the_first_without_it_and_zeros_left_out() -> None:
    words = {"all": "All", "open": "Open", "paid": "Paid"}
    everything, opened, paid = INVOICES.tabs("tab", words, {"all": 1234, "open": 0, "paid": "1,000+"})
    assert (everything.label, everything.href, everything.count) == ("All", "/invoices?q=acme+%26+co", "1,234")
    assert (opened.count, opened.current) == ("", True)
    assert (paid.href, paid.count, paid.current) == ("/invoices?q=acme+%26+co&tab=paid", "1,000+", False)


def test_a_blank_that_is_typed_stays_in_the_box_and_is_not_searched_for() -> None:
    address = Address("/plans", {"q": "team "})
    assert (address.text("q"), address.search()) == ("team ", "team")
    assert Address("/plans", {"q": "  "}).search() is None


@pytest.mark.parametrize("name", ["load", "watch", "find", "stop_creating"])
def test_lists_share_handlers_and_each_keeps_its_role_and_marks(name: str) -> None:
    of_plans, of_customers = PlansState.event_handlers[name], CustomersState.event_handlers[name]
    assert declared_role(of_plans.fn) == declared_role(of_customers.fn) == "viewer"
    assert (of_plans.state_full_name, of_plans.fn) != (of_customers.state_full_name, of_customers.fn)
    watches = name == "watch"
    assert (of_plans.is_background, of_plans.supersedes) == (watches, watches)
