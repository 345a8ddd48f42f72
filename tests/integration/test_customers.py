"""Customers: who they are, under which names their usage arrives, and when they may go."""

import asyncio

import pytest

from dashboard.customers.errors import (
    CustomerDeleted,
    CustomerKeyTaken,
    CustomerNotFound,
    CustomerStillBilled,
    SubjectAlreadyAssigned,
)
from dashboard.customers.inputs import AddressInput, CreateCustomer, SetExternalInvoicing, UpdateCustomer
from dashboard.customers.queries import (
    customer_of_subject,
    customers_of_subjects,
    get_customer,
    list_customers,
    newest_customers,
    subjects_of_customers,
)
from dashboard.customers.service import create_customer, delete_customer, set_external_invoicing, update_customer
from dashboard.kit.clock import FixedClock
from dashboard.kit.database import Database
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import Cursor, PageRequest
from tests.cast import ACME, ANN, make_customer


async def test_a_customer_comes_back_as_it_was_made(database: Database) -> None:
    async with database.transaction(ANN) as work:
        made = await create_customer(work, ACME)
    async with database.read() as session:
        assert await get_customer(session, made.id) == made
        assert await get_customer(session, "acme") == made
    assert made.billing_address is not None
    assert (made.currency, made.billing_address.country) == ("USD", "US")


async def test_usage_arrives_under_the_key_and_every_subject(database: Database) -> None:
    async with database.transaction(ANN) as work:
        acme = await create_customer(work, ACME)
    async with database.read() as session:
        assert await subjects_of_customers(session, [acme.id]) == {acme.id: ("acme", "acme-api", "acme-batch")}
        assert await customers_of_subjects(session, ["acme", "acme-api", "nobody"]) == {
            "acme": acme.id,
            "acme-api": acme.id,
        }
        assert await customer_of_subject(session, "acme-batch") == acme
        assert await customer_of_subject(session, "nobody") is None
        with pytest.raises(CustomerNotFound):
            await subjects_of_customers(session, ["01JHXXXXXXXXXXXXXXXXXXXXXX"])


@pytest.mark.parametrize(
    ("second", "refusal"),
    [
        (CreateCustomer(name="B", key="acme"), CustomerKeyTaken),
        (CreateCustomer(name="B", key="acme-api"), CustomerKeyTaken),
        (CreateCustomer(name="B", subject_keys=("acme-api",)), SubjectAlreadyAssigned),
        (CreateCustomer(name="B", subject_keys=("acme",)), SubjectAlreadyAssigned),
    ],
)
async def test_a_name_for_usage_belongs_to_one_customer(
    database: Database, second: CreateCustomer, refusal: type[Exception]
) -> None:
    async with database.transaction(ANN) as work:
        await create_customer(work, ACME)
    with pytest.raises(refusal):
        async with database.transaction(ANN) as work:
            await create_customer(work, second)
    async with database.read() as session:
        assert (await list_customers(session, PageRequest())).total_count == 1


async def test_two_at_once_cannot_take_the_same_subject(database: Database) -> None:
    async def take(name: str) -> str:
        async with database.transaction(ANN) as work:
            await make_customer(work, name=name, subject_keys=("shared",))
        return name

    outcomes = await asyncio.gather(take("A"), take("B"), return_exceptions=True)
    assert sum(isinstance(one, str) for one in outcomes) == 1
    assert sum(isinstance(one, SubjectAlreadyAssigned) for one in outcomes) == 1


async def test_an_update_replaces_everything(database: Database) -> None:
    async with database.transaction(ANN) as work:
        acme = await create_customer(work, ACME)
    async with database.transaction(ANN) as work:
        changed = await update_customer(
            work, acme.id, UpdateCustomer(name="Acme AG", key="acme", subject_keys=("acme-web",))
        )
    assert changed.name == "Acme AG"
    assert changed.primary_email is None
    assert changed.billing_address is None
    async with database.read() as session:
        assert await customers_of_subjects(session, ["acme", "acme-api", "acme-web"]) == {
            "acme": acme.id,
            "acme-web": acme.id,
        }


async def test_what_an_outside_invoicing_system_wants_is_kept_and_an_update_leaves_it(database: Database) -> None:
    async with database.transaction(ANN) as work:
        acme = await create_customer(work, ACME)
        assert acme.external_invoicing is None
        await set_external_invoicing(work, acme.id, SetExternalInvoicing(metadata={"ledger": "7"}))
        assert (await update_customer(work, acme.id, UpdateCustomer(name="A"))).external_invoicing == {"ledger": "7"}
    async with database.transaction(ANN) as work:
        await set_external_invoicing(work, acme.id, SetExternalInvoicing(metadata=None))
    async with database.read() as session:
        assert (await get_customer(session, acme.id)).external_invoicing is None
    with pytest.raises(InvalidInput):
        parse_input(SetExternalInvoicing, {"metadata": {"ledger": "7" * 501}})


async def test_a_deleted_customer_frees_their_names_and_stays_readable(database: Database) -> None:
    async with database.transaction(ANN) as work:
        acme = await create_customer(work, ACME)
    async with database.transaction(ANN) as work:
        await delete_customer(work, "acme", guards=())
    async with database.read() as session:
        gone = await get_customer(session, acme.id)
        assert gone.is_deleted
        assert gone.subject_keys == ("acme-api", "acme-batch")
        with pytest.raises(CustomerNotFound):
            await get_customer(session, "acme")
    async with database.transaction(ANN) as work:
        await create_customer(work, ACME)
    with pytest.raises(CustomerDeleted):
        async with database.transaction(ANN) as work:
            await update_customer(work, acme.id, UpdateCustomer(name="Acme"))


async def test_a_customer_stays_while_somebody_needs_them(database: Database) -> None:
    async def two_reasons(_session: object, _customer_id: str) -> list[str]:
        return ["invoice A is not settled", "lines wait to be invoiced"]

    async with database.transaction(ANN) as work:
        acme = await create_customer(work, ACME)
    with pytest.raises(CustomerStillBilled) as refusal:
        async with database.transaction(ANN) as work:
            await delete_customer(work, acme.id, guards=(two_reasons,))
    assert refusal.value.details["reasons"] == ["invoice A is not settled", "lines wait to be invoiced"]


async def test_the_list_is_searched_in_name_key_email_and_subjects(database: Database) -> None:
    async with database.transaction(ANN) as work:
        await create_customer(work, ACME)
        await make_customer(work, name="Ünïted", primary_email="x@acme-partner.test")
        await make_customer(work, name="Other", key="100%")
    async with database.read() as session:

        async def found(search: str) -> list[str]:
            page = await list_customers(session, PageRequest(), search=search, sort="name", descending=False)
            return [one.name for one in page.items]

        assert await found("ACME") == ["Acme Inc", "Ünïted"]
        assert await found("batch") == ["Acme Inc"]
        assert await found("üNÏ") == ["Ünïted"]
        assert await found("0%") == ["Other"]
        assert await found("_") == []


async def test_the_newest_come_page_by_page_and_back(database: Database, clock: FixedClock) -> None:
    async with database.transaction(ANN) as work:
        made = [await make_customer(work, name=f"C{number}") for number in range(7)]
    expected = sorted((one.id for one in made), reverse=True)
    async with database.read() as session:
        first = await newest_customers(session, limit=3)
        second = await newest_customers(session, limit=3, after=Cursor(first[-1].created_at, first[-1].id))
        back = await newest_customers(session, limit=3, before=Cursor(second[0].created_at, second[0].id))
    assert [one.id for one in (*first, *second)] == expected[:6]
    assert back == first


async def test_numbered_pages_count_everything(database: Database) -> None:
    async with database.transaction(ANN) as work:
        for number in range(5):
            await make_customer(work, name=f"C{number}")
    async with database.read() as session:
        page = await list_customers(session, PageRequest(2, 2), sort="name", descending=False)
        assert ([one.name for one in page.items], page.total_count) == (["C2", "C3"], 5)
        with pytest.raises(InvalidInput):
            await list_customers(session, PageRequest(), sort="shoe_size")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("currency", "XYZ"),
        ("primary_email", "not an address"),
        ("billing_address", {"country": "Germany"}),
        ("subject_keys", [""]),
        ("metadata", {"key": "x" * 501}),
        ("shoe_size", 43),
    ],
)
def test_what_cannot_be_a_customer_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_input(CreateCustomer, {"name": "Acme", field: value})
    assert any(name.startswith(field) for name in refusal.value.fields)


def test_empty_form_fields_mean_nothing_was_given() -> None:
    wanted = parse_input(
        CreateCustomer, {"name": " Acme ", "key": "", "currency": "eur", "primary_email": " ", "description": None}
    )
    assert (wanted.name, wanted.key, wanted.currency, wanted.primary_email) == ("Acme", None, "EUR", None)
    assert AddressInput(city=" ").to_address() is None
