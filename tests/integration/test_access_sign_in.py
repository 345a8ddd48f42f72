import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from dashboard.access import passwords, queries, service, slow_down
from dashboard.access.errors import SignInSlowedDown, WrongCredentials, WrongCurrentPassword
from dashboard.access.inputs import ChangePassword, CreateOwner, SignIn
from dashboard.access.sessions import SESSION_IDLE, SESSION_LIFETIME
from dashboard.access.tables import PersonRow, SessionRow, SignInTriesRow
from dashboard.access.views import actor_of
from dashboard.kit.inputs import parse_input

HOME = "203.0.113.7"
PASSWORD = " a password with blanks "


@pytest.fixture
async def ada(database):
    wanted = parse_input(CreateOwner, {"email": "Ada@Example.com ", "name": "Ada", "password": PASSWORD})
    return (await service.create_owner(database, wanted, address=HOME)).user


async def sign_in(database, email="ada@example.com", password=PASSWORD, address=HOME):
    credentials = parse_input(SignIn, {"email": email, "password": password})
    return await service.sign_in(database, credentials, address=address, user_agent="a browser")


async def fail(database, times=1, **attempt):
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            await sign_in(database, password="wrong", **attempt)


async def test_the_right_password_opens_a_session(database, ada):
    session = await sign_in(database)
    assert await service.signed_in_user(database, session.token) == ada


async def test_the_email_is_taken_in_any_case_and_with_blanks_around(database, ada):
    assert (await sign_in(database, email=" ADA@example.COM ")).user == ada


async def test_blanks_around_a_password_belong_to_it(database, ada):
    with pytest.raises(WrongCredentials):
        await sign_in(database, password=PASSWORD.strip())


async def test_an_unknown_email_gets_the_same_answer_and_the_same_work_as_a_wrong_password(database, ada, monkeypatch):
    verified = []
    real = passwords._matches
    monkeypatch.setattr(passwords, "_matches", lambda *given: verified.append(given) or real(*given))
    with pytest.raises(WrongCredentials) as wrong:
        await sign_in(database, password="wrong")
    with pytest.raises(WrongCredentials) as unknown:
        await sign_in(database, email="nobody@example.com", password="wrong")
    assert wrong.value.for_people() == unknown.value.for_people()
    assert len(verified) == 2


async def test_someone_without_a_password_yet_cannot_sign_in_with_an_empty_one(database, ada):
    async with database.transaction(actor_of(ada)) as work:
        person = await work.session.get(PersonRow, ada.id)
        assert person is not None
        person.password_hash = None
    with pytest.raises(WrongCredentials):
        await sign_in(database, password="")


async def test_neither_password_nor_token_nor_typed_email_is_in_the_database(database, ada):
    session = await sign_in(database)
    await fail(database, email="oops-my-password")
    async with database.read() as reader:
        rows = [await reader.scalars(select(table)) for table in (PersonRow, SessionRow, SignInTriesRow)]
        kept = repr([row.model_dump() for result in rows for row in result])
    assert PASSWORD.strip() not in kept
    assert session.token not in kept
    assert "oops" not in kept
    assert session.token not in repr(session)


async def test_after_five_wrong_passwords_one_has_to_wait_and_is_told_how_long(database, ada):
    await fail(database, slow_down.EMAIL_TRIES_FREE)
    with pytest.raises(SignInSlowedDown) as refusal:
        await sign_in(database)
    assert refusal.value.retry_after_seconds == 5
    assert "Try again in 5 seconds" in refusal.value.for_people()


async def test_after_the_wait_the_right_password_is_taken_again(database, ada, clock):
    await fail(database, slow_down.EMAIL_TRIES_FREE)
    clock.advance(timedelta(seconds=5))
    assert (await sign_in(database)).user == ada
    await fail(database, slow_down.EMAIL_TRIES_FREE)


async def test_asking_while_one_has_to_wait_makes_the_wait_no_longer(database, ada, clock):
    await fail(database, slow_down.EMAIL_TRIES_FREE)
    for _ in range(3):
        with pytest.raises(SignInSlowedDown):
            await sign_in(database, password="wrong")
    clock.advance(timedelta(seconds=5))
    assert (await sign_in(database)).user == ada


async def test_each_further_wrong_password_doubles_the_wait(database, ada, clock):
    await fail(database, slow_down.EMAIL_TRIES_FREE)
    clock.advance(timedelta(seconds=5))
    await fail(database)
    with pytest.raises(SignInSlowedDown) as refusal:
        await sign_in(database)
    assert refusal.value.retry_after_seconds == 10


async def test_many_guesses_at_the_same_moment_win_nothing(database, ada):
    guesses = (sign_in(database, password=f"guess {n}") for n in range(20))
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    checked = [outcome for outcome in outcomes if isinstance(outcome, WrongCredentials)]
    assert len(checked) == slow_down.EMAIL_TRIES_FREE
    assert all(isinstance(outcome, WrongCredentials | SignInSlowedDown) for outcome in outcomes)


async def test_unknown_emails_are_slowed_down_too(database, ada):
    await fail(database, slow_down.EMAIL_TRIES_FREE, email="nobody@example.com")
    with pytest.raises(SignInSlowedDown):
        await sign_in(database, email="nobody@example.com")


async def test_one_address_that_tries_many_emails_is_slowed_down(database, ada, monkeypatch):
    monkeypatch.setattr(slow_down, "ADDRESS_TRIES_FREE", 4)
    for n in range(4):
        await fail(database, email=f"p{n}@example.com", address="2001:db8::1")
    with pytest.raises(SignInSlowedDown):
        await sign_in(database, address="2001:db8::2")
    assert (await sign_in(database, address=HOME)).user == ada


async def test_knowing_one_password_does_not_wipe_the_slate_of_an_address(database, ada, monkeypatch):
    monkeypatch.setattr(slow_down, "ADDRESS_TRIES_FREE", 4)
    for n in range(3):
        await fail(database, email=f"p{n}@example.com")
    await sign_in(database)
    await fail(database, email="p4@example.com")
    with pytest.raises(SignInSlowedDown):
        await sign_in(database)


async def test_wrong_passwords_are_forgotten_after_an_hour(database, ada, clock):
    await fail(database, slow_down.EMAIL_TRIES_FREE - 1)
    clock.advance(slow_down.FORGOTTEN_AFTER + timedelta(seconds=1))
    await fail(database, slow_down.EMAIL_TRIES_FREE - 1)
    assert (await sign_in(database)).user == ada
    async with database.read() as session:
        assert len(list(await session.scalars(select(SignInTriesRow)))) == 1


async def test_a_session_ends_when_signing_out(database, ada):
    session = await sign_in(database)
    async with database.transaction(actor_of(ada)) as work:
        await service.sign_out(work, session.token)
    assert await service.signed_in_user(database, session.token) is None


async def test_signing_out_without_a_session_is_no_harm(database, ada):
    async with database.transaction(actor_of(ada)) as work:
        await service.sign_out(work, "no such token")


async def test_a_session_ends_after_its_lifetime_even_when_used(database, ada, clock):
    session = await sign_in(database)
    for _ in range(SESSION_LIFETIME // timedelta(days=5) - 1):
        clock.advance(timedelta(days=5))
        assert await service.signed_in_user(database, session.token) == ada
    clock.advance(timedelta(days=5))
    assert await service.signed_in_user(database, session.token) is None


async def test_a_session_ends_when_nobody_uses_it(database, ada, clock):
    session = await sign_in(database)
    clock.advance(SESSION_IDLE)
    assert await service.signed_in_user(database, session.token) is None


async def test_ended_sessions_are_swept_away_by_the_next_sign_in(database, ada, clock):
    await sign_in(database)
    clock.advance(SESSION_IDLE)
    await sign_in(database)
    async with database.read() as session:
        assert len(list(await session.scalars(select(SessionRow)))) == 1


async def test_a_person_sees_where_they_are_signed_in(database, ada, clock):
    clock.advance(timedelta(hours=1))
    await sign_in(database, address="198.51.100.1")
    async with database.read() as session:
        places = await queries.list_sessions(session, ada.id, clock.now())
    assert [place.address for place in places] == ["198.51.100.1", HOME]


async def test_a_changed_password_ends_all_other_sessions_but_this_one(database, ada):
    here, there = await sign_in(database), await sign_in(database)
    wanted = parse_input(ChangePassword, {"current_password": PASSWORD, "new_password": "something new"})
    await service.change_password(database, ada, wanted, keep_token=here.token, address=HOME)
    assert await service.signed_in_user(database, here.token) == ada
    assert await service.signed_in_user(database, there.token) is None
    assert (await sign_in(database, password="something new")).user == ada
    with pytest.raises(WrongCredentials):
        await sign_in(database)


async def test_changing_the_password_takes_the_current_one_and_slows_guesses_down(database, ada):
    here = await sign_in(database)
    wanted = parse_input(ChangePassword, {"current_password": "a guess", "new_password": "something new"})
    for _ in range(slow_down.EMAIL_TRIES_FREE):
        with pytest.raises(WrongCurrentPassword):
            await service.change_password(database, ada, wanted, keep_token=here.token, address=HOME)
    with pytest.raises(SignInSlowedDown):
        await service.change_password(database, ada, wanted, keep_token=here.token, address=HOME)


async def test_a_hash_made_with_lower_costs_is_renewed_at_the_next_sign_in(database, ada):
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with database.transaction(actor_of(ada)) as work:
        person = await work.session.get(PersonRow, ada.id)
        assert person is not None
        person.password_hash = weak
    await sign_in(database)
    async with database.read() as session:
        person = await session.get(PersonRow, ada.id)
    assert person is not None
    assert person.password_hash is not None
    assert not passwords.is_outdated(person.password_hash)
