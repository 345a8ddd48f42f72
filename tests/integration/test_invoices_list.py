"""The list of invoices: tabs, filters, search, sorting, paging, CSV, and the figures of the home page."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from dashboard.billing import invoice_list
from dashboard.billing.invoice_csv import csv_rows
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput
from dashboard.billing.invoice_list import TABS, InvoiceFilter, list_invoices, tab_counts
from dashboard.billing.invoicing_app import Trouble
from dashboard.billing.queries import find_invoice_by_external_id, get_invoice, money_figures, page_of_invoices
from dashboard.billing.service import add_charges, delete_pending_line
from dashboard.billing.views import Invoice, InvoiceAction, InvoiceStatus, InvoiceSummary
from dashboard.customers.inputs import CreateCustomer
from dashboard.customers.service import create_customer
from dashboard.kit.errors import InvalidInput, NotFound
from dashboard.kit.paging import PageRequest
from tests.billing_house import House
from tests.billing_house import house as house
from tests.cast import ANN, Cast, bring_cast, draft_for


async def some_invoices(house: House) -> tuple[Cast, dict[str, Invoice]]:
    """One of each: paid by Acme, open and overdue at Globex, voided, held, a draft to approve; each a day apart."""
    cast = await bring_cast(house.database)
    found: dict[str, Invoice] = {}

    async def add(name: str, customer: str, amount: str) -> Invoice:
        house.clock.advance(timedelta(days=1))
        draft = await draft_for(house.database, getattr(cast, customer), amount)
        found[name] = await house.advance(draft.id)
        return found[name]

    await add("paid", "acme", "100")
    await add("overdue", "globex", "200")
    await add("voided", "globex", "300")
    await house.act(found["voided"].id, InvoiceAction.VOID)
    house.clock.advance(timedelta(days=14))
    await house.advance(found["overdue"].id)
    await add("open", "globex", "400")
    house.app.fail("sync_draft", Trouble.NEEDS_PERSON, "no", "It was refused.")
    await add("failed", "initech", "50")
    return cast, {name: await house.read(invoice.id) for name, invoice in found.items()}


async def listed(house: House, **wanted: object) -> list[InvoiceSummary]:
    async with house.database.read() as session:
        return list((await list_invoices(session, InvoiceFilter(**wanted))).items)  # pyright: ignore[reportArgumentType]


async def test_each_tab_shows_and_counts_its_own(house: House) -> None:
    _, invoices = await some_invoices(house)
    expected = {
        "all": ["failed", "open", "voided", "overdue", "paid"],
        "draft": ["failed"],
        "needs_attention": ["failed", "overdue"],
        "open": ["open"],
        "overdue": ["overdue"],
        "paid": ["paid"],
        "uncollectible": [],
        "voided": ["voided"],
    }
    for tab in TABS:
        assert [item.id for item in await listed(house, tab=tab)] == [invoices[name].id for name in expected[tab]], tab
    async with house.database.read() as session:
        counts = await tab_counts(session, InvoiceFilter())
    assert {one.tab: one.count for one in counts} == {tab: len(names) for tab, names in expected.items()}
    assert not any(one.is_more for one in counts)


async def test_a_row_says_what_is_wrong(house: House) -> None:
    await some_invoices(house)
    problems = {item.status.value: item.problem for item in await listed(house)}
    assert problems["draft.sync_failed"] == "It was refused."
    assert problems["overdue"] == "It is past its due date."
    assert problems["paid"] is None


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"currency": "eur"}, ["open", "voided", "overdue"]),
        ({"amount_min": Decimal(200), "amount_max": Decimal(300)}, ["voided", "overdue"]),
        ({"statuses": (InvoiceStatus.PAID, InvoiceStatus.VOIDED)}, ["voided", "paid"]),
        ({"collection_method": "charge_automatically"}, ["failed", "paid"]),
        ({"search": "acme inc"}, ["paid"]),
        ({"search": "ap@globex"}, ["open", "voided", "overdue"]),
        ({"search": "acct-0002"}, ["overdue"]),
        ({"search": "ACCT-000"}, ["open", "voided", "overdue", "paid"]),
        ({"search": "ac"}, ["open", "voided", "overdue", "paid"]),
        ({"search": "in_1"}, ["paid"]),
        ({"search": "nobody at all"}, []),
        ({"search": "100%"}, []),
    ],
)
async def test_filters_and_search_find(house: House, wanted: dict[str, object], names: list[str]) -> None:
    _, invoices = await some_invoices(house)
    assert [item.id for item in await listed(house, **wanted)] == [invoices[name].id for name in names]


async def test_a_filter_is_counted_exactly_where_few_fit_and_among_the_newest_where_many_do(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoices = await some_invoices(house)

    async def counted(**wanted: object) -> dict[str, tuple[int, bool]]:
        async with house.database.read() as session:
            found = await tab_counts(session, InvoiceFilter(**wanted))  # pyright: ignore[reportArgumentType]
        return {one.tab: (one.count, one.is_more) for one in found if one.count or one.is_more}

    of_globex = {"all": (3, False), "open": (1, False), "overdue": (1, False), "voided": (1, False)}
    attention = {"needs_attention": (1, False)}
    assert await counted(currency="EUR") == of_globex | attention
    issued = {"issued_from": invoices["overdue"].issued_at, "issued_to": invoices["open"].created_at}
    expected = {"all": (2, False), "overdue": (1, False), "voided": (1, False)} | attention
    assert await counted(**issued) == expected

    monkeypatch.setattr(invoice_list, "TOGETHER_MAX", 1)
    monkeypatch.setattr(invoice_list, "SCANNED_MAX", 3)
    # Of everything only the newest three are looked at: one failed, two in euro. No tab alone has so many.
    assert await counted(currency="EUR") == of_globex | attention | {"all": (2, True)}
    assert [item.id for item in await listed(house, **issued)] == [invoices["voided"].id, invoices["overdue"].id]


async def test_dates_and_customer_filter_too(house: House) -> None:
    cast, invoices = await some_invoices(house)
    assert [item.id for item in await listed(house, customer_id=cast.acme.id)] == [invoices["paid"].id]
    made = invoices["overdue"].created_at
    day = {"created_from": made, "created_to": made + timedelta(days=1)}
    assert [item.id for item in await listed(house, **day)] == [invoices["overdue"].id]
    due = invoices["overdue"].due_at
    assert due is not None
    assert [item.id for item in await listed(house, tab="overdue", due_to=due)] == []
    in_time = {"due_from": due, "due_to": due + timedelta(hours=1)}
    assert [item.id for item in await listed(house, tab="overdue", **in_time)] == [invoices["overdue"].id]
    assert [item.id for item in await listed(house, tab="open", **in_time)] == []


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["created", "total", "due", "issued"])
async def test_pages_lead_through_everything_and_back(house: House, sort: str, descending: bool) -> None:
    await some_invoices(house)
    async with house.database.read() as session:

        async def page(cursor: str | None, limit: int = 2):
            return await list_invoices(
                session, InvoiceFilter(), sort=sort, descending=descending, cursor=cursor, limit=limit
            )

        everything = [item.id for item in (await page(None, 100)).items]
        assert len(everything) == 5
        first = await page(None)
        second = await page(first.next)
        third = await page(second.next)
        walked = [item.id for one in (first, second, third) for item in one.items]
        back = await page(third.previous)
        front = await page(back.previous)
    assert walked == everything
    assert (first.previous, third.next) == (None, None)
    assert back.items == second.items
    assert front.items == first.items
    assert front.previous is None


async def test_a_date_that_is_missing_comes_last(house: House) -> None:
    await some_invoices(house)
    async with house.database.read() as session:
        for descending in (True, False):
            page = await list_invoices(session, InvoiceFilter(), sort="due", descending=descending)
            assert [item.due_at is None for item in page.items] == [False, False, False, True, True]


async def test_a_forged_page_marker_is_refused(house: House) -> None:
    async with house.database.read() as session:
        for cursor in ("x", "WyJ4IiwgIjEiLCBmYWxzZV0", "bnVsbA"):
            with pytest.raises(InvalidInput):
                await list_invoices(session, InvoiceFilter(), cursor=cursor)
        with pytest.raises(InvalidInput):
            await list_invoices(session, InvoiceFilter(), sort="shoe_size")
    with pytest.raises(InvalidInput):
        InvoiceFilter(tab="shoes")


async def test_pending_lines_and_deleted_drafts_are_no_rows_of_the_list(house: House) -> None:
    cast = await bring_cast(house.database, auto_advance=False)
    draft = await house.advance((await draft_for(house.database, cast.acme, "10")).id)
    await house.act(draft.id, InvoiceAction.DELETE)
    assert await listed(house) == []
    assert [item.id for item in await listed(house, tab="deleted")] == [draft.id]


async def test_the_api_s_numbered_pages_hold_whole_invoices(house: House) -> None:
    cast, invoices = await some_invoices(house)
    async with house.database.read() as session:
        now = house.clock.now()
        page = await page_of_invoices(session, PageRequest(1, 2), InvoiceFilter(), now, with_lines=True)
        assert (page.total_count, [item.id for item in page.items]) == (5, [invoices["failed"].id, invoices["open"].id])
        assert page.items[1].lines[0].totals.total == Decimal(400)
        assert page.items[1] == await get_invoice(session, invoices["open"].id, now)
        mine = await page_of_invoices(
            session, PageRequest(), InvoiceFilter(), now, customer_ids=[cast.acme.id, cast.initech.id], sort="total"
        )
        assert [item.id for item in mine.items] == [invoices["paid"].id, invoices["failed"].id]
        with pytest.raises(NotFound):
            await get_invoice(session, "01JHXXXXXXXXXXXXXXXXXXXXXX", now)
        assert await find_invoice_by_external_id(session, "app_1", "in_1") == invoices["paid"].id


async def test_the_csv_holds_every_row_and_no_formulas(house: House) -> None:
    cast = await bring_cast(house.database)
    async with house.database.transaction(ANN) as work:
        evil = await create_customer(work, CreateCustomer(name='=HYPERLINK("x"),', currency="USD"))
    await house.advance((await draft_for(house.database, cast.acme, "12.50")).id)
    await draft_for(house.database, evil, "1")
    async with house.database.read() as session:
        text = "".join([row async for row in csv_rows(session, InvoiceFilter())])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["customer"], row["total"]) for row in rows] == [('\'=HYPERLINK("x"),', "1"), ("Acme Inc", "12.5")]
    assert rows[1]["paid_at"] == "2026-01-15T12:00:00Z"


async def test_the_home_page_adds_up_by_currency(house: House) -> None:
    await some_invoices(house)
    async with house.database.read() as session:
        now = house.clock.now()
        euros, dollars = await money_figures(session, now - timedelta(days=60), now + timedelta(seconds=1))
        nothing_billed, *_ = await money_figures(session, now + timedelta(days=1), now + timedelta(days=2))
    assert (euros.currency, euros.billed, euros.collected) == ("EUR", Decimal(600), Decimal(0))
    assert (euros.outstanding, euros.overdue) == (Decimal(600), Decimal(200))
    assert (dollars.billed, dollars.collected, dollars.outstanding) == (Decimal(100), Decimal(100), Decimal(0))
    assert (nothing_billed.billed, nothing_billed.outstanding) == (Decimal(0), Decimal(600))


async def test_a_gathering_is_found_by_the_api_until_it_is_emptied(house: House) -> None:
    cast = await bring_cast(house.database)
    async with house.database.transaction(ANN) as work:
        charges = (ChargeInput(name="Setup", unit_price=Decimal(10)),)
        (line,) = (await add_charges(work, AddCharges(customer_id=cast.acme.id, charges=charges))).lines
    async with house.database.read() as session:
        page = await page_of_invoices(session, PageRequest(), InvoiceFilter(), house.clock.now())
    assert [item.status for item in page.items] == [InvoiceStatus.GATHERING]
    async with house.database.transaction(ANN) as work:
        await delete_pending_line(work, line.id)
    async with house.database.read() as session:
        assert (await page_of_invoices(session, PageRequest(), InvoiceFilter(), house.clock.now())).total_count == 0
