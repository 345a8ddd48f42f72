import asyncio
from datetime import timedelta

import pytest

from dashboard.access import queries, service
from dashboard.access.errors import EmailTaken, LastOwner, PasswordLinkSpent, PersonNotFound, RoleOutOfReach
from dashboard.access.inputs import (
    ChangeRole,
    CreateOwner,
    CreatePerson,
    InvitePerson,
    ResetPassword,
    SetPassword,
    SignIn,
)
from dashboard.access.views import Role, actor_of
from dashboard.kit.inputs import parse_input

HOME = "203.0.113.7"


@pytest.fixture
async def ada(database):
    wanted = parse_input(CreateOwner, {"email": "ada@example.com", "name": "Ada", "password": "a long password"})
    return (await service.create_owner(database, wanted, address=HOME)).user


async def invite(database, by, email="bob@example.com", role="operator", name="Bob"):
    async with database.transaction(actor_of(by)) as work:
        wanted = parse_input(InvitePerson, {"email": email, "name": name, "role": role})
        return await service.invite_person(work, wanted, by=by.role)


async def take(database, link, password="chosen by bob"):
    wanted = parse_input(SetPassword, {"token": link.token, "password": password})
    return await service.set_password(database, wanted, address=HOME)


async def member(database, by, role, name="bob"):
    return await take(database, await invite(database, by, f"{name}@example.com", role, name))


async def change_role(database, by, person, role):
    async with database.transaction(actor_of(by)) as work:
        return await service.change_role(work, person.id, parse_input(ChangeRole, {"role": role}), by=by.role)


async def remove(database, by, person):
    async with database.transaction(actor_of(by)) as work:
        await service.remove_person(work, person.id, by=by.role)


async def team(database):
    async with database.read() as session:
        return {person.name: person.role for person in await queries.list_people(session)}


async def test_an_invited_person_chooses_a_password_by_the_link_and_is_signed_in(database, ada):
    link = await invite(database, ada)
    assert not link.person.has_password
    async with database.read() as session:
        shown = await queries.person_of_password_link(session, link.token, database.clock.now())
    assert shown.email == "bob@example.com"
    session = await take(database, link)
    assert (session.user.name, session.user.role) == ("Bob", Role.OPERATOR)
    assert await service.signed_in_user(database, session.token) == session.user


async def test_a_link_works_once_however_many_use_it_at_the_same_moment(database, ada):
    link = await invite(database, ada)
    outcomes = await asyncio.gather(*(take(database, link) for _ in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NewSession", *["PasswordLinkSpent"] * 3]


async def test_a_link_ends_after_seven_days(database, ada, clock):
    link = await invite(database, ada)
    clock.advance(timedelta(days=7))
    with pytest.raises(PasswordLinkSpent):
        await take(database, link)


async def test_a_newer_link_replaces_the_older_one(database, ada):
    old = await invite(database, ada)
    async with database.transaction(actor_of(ada)) as work:
        new = await service.new_password_link(work, old.person.id, by=ada.role)
    with pytest.raises(PasswordLinkSpent):
        await take(database, old)
    assert (await take(database, new)).user.name == "Bob"


async def test_a_link_does_not_show_its_token_when_printed(database, ada):
    link = await invite(database, ada)
    assert link.token not in repr(link)


async def test_a_second_person_with_the_same_email_is_refused(database, ada):
    await invite(database, ada)
    with pytest.raises(EmailTaken):
        await invite(database, ada, "BOB@example.com")


async def test_two_invitations_of_one_email_at_the_same_moment_make_one_person(database, ada):
    outcomes = await asyncio.gather(*(invite(database, ada) for _ in range(3)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EmailTaken", "EmailTaken", "PasswordLink"]


async def test_a_changed_role_holds_at_once_and_ends_that_persons_sessions(database, ada):
    bob = await member(database, ada, "operator")
    changed = await change_role(database, ada, bob.user, "admin")
    assert changed.role is Role.ADMIN
    assert await service.signed_in_user(database, bob.token) is None


async def test_the_same_role_again_changes_nothing(database, ada):
    bob = await member(database, ada, "operator")
    await change_role(database, ada, bob.user, "operator")
    assert await service.signed_in_user(database, bob.token) is not None


async def test_a_removed_person_is_out_at_once_and_cannot_come_back(database, ada):
    bob = await member(database, ada, "operator")
    await remove(database, ada, bob.user)
    assert await service.signed_in_user(database, bob.token) is None
    assert await team(database) == {"Ada": Role.OWNER}
    with pytest.raises(PersonNotFound):
        await remove(database, ada, bob.user)


async def test_the_last_owner_can_neither_be_removed_nor_demoted(database, ada):
    with pytest.raises(LastOwner):
        await remove(database, ada, ada)
    with pytest.raises(LastOwner):
        await change_role(database, ada, ada, "viewer")
    assert await team(database) == {"Ada": Role.OWNER}


async def test_an_owner_who_never_took_their_invitation_does_not_count_as_one(database, ada):
    await invite(database, ada, role="owner")
    with pytest.raises(LastOwner):
        await remove(database, ada, ada)


async def test_two_owners_who_demote_each_other_at_the_same_moment_leave_one(database, ada):
    bob = (await member(database, ada, "owner")).user
    outcomes = await asyncio.gather(
        change_role(database, ada, bob, "viewer"), change_role(database, bob, ada, "viewer"), return_exceptions=True
    )
    assert [isinstance(outcome, LastOwner) for outcome in outcomes].count(True) == 1
    assert list((await team(database)).values()).count(Role.OWNER) == 1


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_viewers_and_operators_do_not_manage_the_team(database, ada, role):
    eve = (await member(database, ada, role, "eve")).user
    before = await team(database)
    for attempt in (
        invite(database, eve, "x@example.com", "viewer"),
        change_role(database, eve, eve, "admin"),
        remove(database, eve, eve),
    ):
        with pytest.raises(RoleOutOfReach):
            await attempt
    assert await team(database) == before


async def test_an_admin_manages_everybody_but_owners(database, ada):
    admin = (await member(database, ada, "admin", "eve")).user
    bob = (await member(database, admin, "viewer")).user
    await change_role(database, admin, bob, "admin")
    await remove(database, admin, bob)
    with pytest.raises(RoleOutOfReach):
        await change_role(database, admin, admin, "owner")
    with pytest.raises(RoleOutOfReach):
        await change_role(database, admin, ada, "viewer")
    with pytest.raises(RoleOutOfReach):
        await remove(database, admin, ada)
    with pytest.raises(RoleOutOfReach):
        await invite(database, admin, "x@example.com", "owner")


async def test_an_admin_cannot_take_over_an_owner_by_a_password_link(database, ada):
    admin = (await member(database, ada, "admin", "eve")).user
    with pytest.raises(RoleOutOfReach):
        async with database.transaction(actor_of(admin)) as work:
            await service.new_password_link(work, ada.id, by=admin.role)


async def test_a_person_made_with_a_password_can_sign_in_with_it(database, ada):
    wanted = parse_input(
        CreatePerson, {"email": "bob@example.com", "name": "Bob", "role": "viewer", "password": "given to bob"}
    )
    await service.create_person(database, wanted, actor=actor_of(ada), by=ada.role)
    credentials = parse_input(SignIn, {"email": "bob@example.com", "password": "given to bob"})
    assert (await service.sign_in(database, credentials, address=HOME)).user.role is Role.VIEWER


async def test_a_reset_password_ends_all_sessions_and_waits(database, ada):
    bob = await member(database, ada, "viewer")
    wrong = parse_input(SignIn, {"email": "bob@example.com", "password": "forgotten"})
    await asyncio.gather(*(service.sign_in(database, wrong, address=HOME) for _ in range(8)), return_exceptions=True)
    reset = parse_input(ResetPassword, {"password": "a fresh one"})
    await service.reset_password(database, bob.user.id, reset, actor=actor_of(ada))
    assert await service.signed_in_user(database, bob.token) is None
    credentials = parse_input(SignIn, {"email": "bob@example.com", "password": "a fresh one"})
    assert (await service.sign_in(database, credentials, address=HOME)).user.id == bob.user.id
