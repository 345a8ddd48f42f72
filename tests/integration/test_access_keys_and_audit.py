import contextlib
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from dashboard.access import queries, service
from dashboard.access.errors import ApiKeyNotFound, RoleOutOfReach
from dashboard.access.inputs import AuditFilter, CreateApiKey, CreateOwner, InvitePerson
from dashboard.access.tables import ApiKeyRow
from dashboard.access.views import Role, actor_of
from dashboard.kit.database import SYSTEM, Actor
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

HOME = "203.0.113.7"
BOB = Actor("person", "bob", "bob@example.com")


@pytest.fixture
async def ada(database):
    wanted = parse_input(CreateOwner, {"email": "ada@example.com", "name": "Ada", "password": "a long password"})
    return (await service.create_owner(database, wanted, address=HOME)).user


async def make_key(database, by, name="ci", role="operator"):
    async with database.transaction(actor_of(by)) as work:
        wanted = parse_input(CreateApiKey, {"name": name, "role": role})
        return await service.create_api_key(work, wanted, by=by.role)


async def audited(database, **wanted):
    async with database.read() as session:
        return await queries.list_audit_entries(session, parse_input(AuditFilter, wanted))


async def do(database, actor, action, subject_id="1", **details):
    async with database.transaction(actor) as work:
        work.audit(action, action.split(".")[0], subject_id, **details)


async def test_a_new_key_is_shown_once_and_recognised_by_its_token(database, ada):
    made = await make_key(database, ada)
    assert made.token.startswith("mdk_")
    found = await service.authenticate_api_key(database, made.token)
    assert found is not None
    assert (found.id, found.name, found.role) == (made.key.id, "ci", Role.OPERATOR)


async def test_the_database_holds_only_a_print_of_the_token(database, ada):
    made = await make_key(database, ada)
    async with database.read() as session:
        row = (await session.scalars(select(ApiKeyRow))).one()
    assert made.token not in repr(row.model_dump())
    assert made.token not in repr(made)
    assert made.key.hint.startswith("mdk_")
    assert len(made.key.hint) < 16


async def test_an_unknown_token_is_nobody(database, ada):
    assert await service.authenticate_api_key(database, "mdk_guess") is None
    assert await service.authenticate_api_key(database, "") is None


async def test_a_revoked_key_is_worthless_at_once_and_leaves_the_list(database, ada):
    made = await make_key(database, ada)
    async with database.transaction(actor_of(ada)) as work:
        await service.revoke_api_key(work, made.key.id, by=ada.role)
        await service.revoke_api_key(work, made.key.id, by=ada.role)
    assert await service.authenticate_api_key(database, made.token) is None
    async with database.read() as session:
        assert await queries.list_api_keys(session) == []
        assert [key.name for key in await queries.list_api_keys(session, with_revoked=True)] == ["ci"]
    assert len((await audited(database, action="api_key.revoked")).entries) == 1


async def test_the_list_tells_when_a_key_was_last_used_to_the_minute(database, ada, clock):
    made = await make_key(database, ada)
    await service.authenticate_api_key(database, made.token)
    first = clock.now()
    clock.advance(timedelta(seconds=30))
    await service.authenticate_api_key(database, made.token)
    async with database.read() as session:
        assert (await queries.list_api_keys(session))[0].last_used_at == first
    clock.advance(timedelta(seconds=30))
    await service.authenticate_api_key(database, made.token)
    async with database.read() as session:
        assert (await queries.list_api_keys(session))[0].last_used_at == clock.now()


async def test_only_admins_and_owners_make_and_revoke_keys(database, ada):
    made = await make_key(database, ada)
    for role in (Role.VIEWER, Role.OPERATOR):
        async with database.transaction(SYSTEM) as work:
            with pytest.raises(RoleOutOfReach):
                await service.create_api_key(work, CreateApiKey(name="x", role=Role.VIEWER), by=role)
            with pytest.raises(RoleOutOfReach):
                await service.revoke_api_key(work, made.key.id, by=role)


async def test_revoking_a_key_that_is_not_there_says_so(database, ada):
    async with database.transaction(SYSTEM) as work:
        with pytest.raises(ApiKeyNotFound):
            await service.revoke_api_key(work, "nothing", by=Role.OWNER)


async def test_the_key_of_the_surroundings_is_an_admin_and_no_other_text_is(database):
    secret = SecretStr("from the surroundings")
    key = await service.authenticate_api_key(database, "from the surroundings", environment_key=secret)
    assert key is not None
    assert (key.role, actor_of(key).label) == (Role.ADMIN, "METERDESK_API_KEY")
    assert await service.authenticate_api_key(database, "from the surrounding", environment_key=secret) is None
    assert await service.authenticate_api_key(database, "from the surroundings") is None


async def test_what_people_do_here_is_in_the_audit_log_with_who_and_when(database, ada):
    await make_key(database, ada)
    async with database.transaction(actor_of(ada)) as work:
        wanted = InvitePerson(email="bob@example.com", name="Bob", role=Role.VIEWER)
        await service.invite_person(work, wanted, by=ada.role)
    entries = (await audited(database)).entries
    assert [entry.action for entry in entries] == [
        "person.password_link_made",
        "person.added",
        "api_key.created",
        "person.signed_in",
        "person.added",
    ]
    assert {entry.actor for entry in entries} == {actor_of(ada)}
    assert {entry.at for entry in entries} == {database.clock.now()}


async def test_what_was_rolled_back_is_not_in_the_audit_log(database, ada):
    before = await audited(database)
    with contextlib.suppress(InvalidInput):
        async with database.transaction(SYSTEM) as work:
            work.audit("customer.created", "customer", "1")
            raise InvalidInput("no")
    assert await audited(database) == before


async def test_no_secret_is_in_the_audit_log(database, ada):
    made = await make_key(database, ada)
    written = repr((await audited(database)).entries)
    assert made.token not in written
    assert "a long password" not in written


async def test_the_audit_log_is_filtered_by_who_what_and_when(database, clock):
    await do(database, BOB, "customer.created", "acme", name="Acme")
    clock.advance(timedelta(hours=1))
    await do(database, SYSTEM, "customer.updated", "acme")
    await do(database, SYSTEM, "invoice.issued", "inv")
    later = clock.now()

    async def actions(**wanted):
        return [entry.action for entry in (await audited(database, **wanted)).entries]

    assert await actions(actor_id="bob") == ["customer.created"]
    assert await actions(action="customer.") == ["customer.updated", "customer.created"]
    assert await actions(action="customer.updated") == ["customer.updated"]
    assert await actions(subject_type="customer", subject_id="acme") == ["customer.updated", "customer.created"]
    assert await actions(until=later) == ["customer.created"]
    assert await actions(since=later) == ["invoice.issued", "customer.updated"]
    assert await actions(action="customer_") == []


async def test_the_audit_log_comes_in_pages_that_neither_skip_nor_repeat(database, clock):
    for number in range(7):
        await do(database, BOB, "customer.created", str(number))
        if number % 2:
            clock.advance(timedelta(seconds=1))
    seen, cursor = [], None
    while True:
        async with database.read() as session:
            page = await queries.list_audit_entries(session, cursor=cursor, size=3)
        seen += [entry.subject_id for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
        await do(database, BOB, "customer.created", "newer")
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


async def test_a_page_marker_of_somebody_else_is_refused(database):
    async with database.read() as session:
        with pytest.raises(InvalidInput):
            await queries.list_audit_entries(session, cursor="made up")
