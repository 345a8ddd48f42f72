"""People and keys made on the command line, by whoever may run commands on this machine."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dashboard.access import queries, service
from dashboard.access.errors import PersonNotFound, RoleOutOfReach
from dashboard.access.inputs import CreateApiKey, CreateOwner, CreatePerson, ResetPassword
from dashboard.access.views import NewApiKey, Person, Role
from dashboard.kit.database import Actor, Database
from dashboard.kit.inputs import parse_input
from dashboard.settings import Settings
from dashboard.starting.first_start import open_database

Answer = TypeVar("Answer")


def create_api_key(settings: Settings, name: str, role: str) -> NewApiKey:
    """A new API key. Raises InvalidInput."""
    wanted = parse_input(CreateApiKey, {"name": name, "role": role})

    async def create(database: Database) -> NewApiKey:
        async with database.transaction(whoever_types()) as work:
            return await service.create_api_key(work, wanted, by=Role.OWNER)

    return _with_database(settings, create)


def create_person(settings: Settings, email: str, name: str, role: str | None, password: str) -> Person:
    """A new member of the team: an owner if there is nobody yet, else an operator unless `role` says otherwise.

    Raises InvalidInput, EmailTaken, and RoleOutOfReach for a first person who shall not be an owner.
    """
    fields = {"email": email, "name": name, "password": password}

    async def create(database: Database) -> Person:
        async with database.read() as session:
            is_first = not await queries.any_user_exists(session)
        if not is_first:
            wanted = parse_input(CreatePerson, {**fields, "role": role or Role.OPERATOR})
            return await service.create_person(database, wanted, actor=whoever_types(), by=Role.OWNER)
        if role not in (None, Role.OWNER):
            raise RoleOutOfReach("The first person has to be an owner.", remedy="Leave --role away.")
        await service.ensure_owner(database, parse_input(CreateOwner, fields))
        return await _person(database, email)

    return _with_database(settings, create)


def reset_password(settings: Settings, email: str, password: str) -> Person:
    """Another password for somebody who is locked out. Raises InvalidInput, PersonNotFound."""
    wanted = parse_input(ResetPassword, {"password": password})

    async def reset(database: Database) -> Person:
        person = await _person(database, email)
        await service.reset_password(database, person.id, wanted, actor=whoever_types())
        return person

    return _with_database(settings, reset)


def whoever_types() -> Actor:
    """The user of this machine, for the audit log."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number without a name.
        name = str(os.getuid())
    return Actor("command_line", name, f"{name} (command line)")


async def _person(database: Database, email: str) -> Person:
    async with database.read() as session:
        person = await queries.find_person(session, email)
    if person is None:
        raise PersonNotFound(f"Nobody on the team has the email {email}.", remedy="")
    return person


def _with_database(settings: Settings, do: Callable[[Database], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        database = open_database(settings)
        try:
            return await do(database)
        finally:
            await database.close()

    return asyncio.run(run())
