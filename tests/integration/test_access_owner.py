import asyncio

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from dashboard.access import queries, service
from dashboard.access.errors import OwnerExists, WrongCredentials
from dashboard.access.inputs import CreateOwner, SignIn
from dashboard.access.tables import PersonRow
from dashboard.access.views import Role
from dashboard.kit.database import SYSTEM
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

HOME = "203.0.113.7"


def wanted(email="ada@example.com", password="a long password") -> CreateOwner:
    return parse_input(CreateOwner, {"email": email, "name": "Ada", "password": password})


async def sign_in(database, email="ada@example.com", password="a long password"):
    return await service.sign_in(database, parse_input(SignIn, {"email": email, "password": password}), address=HOME)


async def people(database):
    async with database.read() as session:
        return await queries.list_people(session)


async def test_the_first_visitor_becomes_the_owner_and_is_signed_in(database):
    async with database.read() as session:
        assert not await queries.any_user_exists(session)
    session = await service.create_owner(database, wanted(), address=HOME)
    assert session.user.role is Role.OWNER
    assert await service.signed_in_user(database, session.token) == session.user
    async with database.read() as session:
        assert await queries.any_user_exists(session)


async def test_the_second_visitor_cannot_create_an_owner(database):
    await service.create_owner(database, wanted(), address=HOME)
    with pytest.raises(OwnerExists):
        await service.create_owner(database, wanted("eve@example.com"), address=HOME)
    assert [person.email for person in await people(database)] == ["ada@example.com"]


async def test_of_many_first_visitors_at_once_exactly_one_becomes_the_owner(database):
    attempts = (service.create_owner(database, wanted(f"p{n}@example.com"), address=HOME) for n in range(5))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NewSession", *["OwnerExists"] * 4]
    assert len(await people(database)) == 1


async def test_two_founders_cannot_stand_in_the_database_even_past_our_own_check(database):
    await service.create_owner(database, wanted(), address=HOME)
    async with database.read() as session:
        founder = (await session.scalars(select(PersonRow))).one()
    copy = founder.model_dump() | {"id": "another", "email": "eve@example.com"}
    with pytest.raises(Exception, match=r"(?i)unique"):
        async with database.transaction(SYSTEM) as work:
            work.session.add(PersonRow(**copy))


async def test_the_owner_of_the_surroundings_exists_after_the_start_and_can_sign_in(database):
    assert await service.ensure_owner(database, wanted())
    assert (await sign_in(database)).user.role is Role.OWNER
    with pytest.raises(OwnerExists):
        await service.create_owner(database, wanted("eve@example.com"), address=HOME)


async def test_many_starts_at_once_make_the_owner_of_the_surroundings_once(database):
    made = await asyncio.gather(*(service.ensure_owner(database, wanted()) for _ in range(4)))
    assert made.count(True) == 1
    assert len(await people(database)) == 1


async def test_another_start_leaves_a_changed_password_alone(database):
    await service.ensure_owner(database, wanted())
    assert not await service.ensure_owner(database, wanted(password="another password"))
    assert (await sign_in(database)).user.email == "ada@example.com"
    with pytest.raises(WrongCredentials):
        await sign_in(database, password="another password")


async def test_the_surroundings_make_a_demoted_person_an_owner_again(database):
    await service.create_owner(database, wanted("boss@example.com"), address=HOME)
    await service.ensure_owner(database, wanted())
    async with database.transaction(SYSTEM) as work:
        await work.session.execute(
            update(PersonRow).where(col(PersonRow.email) == "ada@example.com").values(role="viewer")
        )
    assert await service.ensure_owner(database, wanted())
    assert (await sign_in(database)).user.role is Role.OWNER


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("email", "a b@example.com"), ("name", " "), ("password", "short"), ("password", "x" * 257)],
)
async def test_an_owner_needs_an_email_a_name_and_a_password_of_fair_length(field, value):
    with pytest.raises(InvalidInput) as refusal:
        parse_input(CreateOwner, {"email": "ada@example.com", "name": "Ada", "password": "long enough", field: value})
    assert list(refusal.value.fields) == [field]
