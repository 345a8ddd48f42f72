"""The people on the team: who, in which role, and the links by which they choose their passwords."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from dashboard.access.inputs import ChangeRole, InvitePerson
from dashboard.access.queries import list_people
from dashboard.access.service import change_role, invite_person, new_password_link, remove_person
from dashboard.access.views import PasswordLink, Person, Role, SignedInUser, actor_of
from dashboard.backend import running
from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import parse_input
from dashboard.ui import components as ui
from dashboard.ui.api_keys.secret_once import forget_secret, show_secret
from dashboard.ui.live import news
from dashboard.ui.roles import needs
from dashboard.ui.sessions import signed_in_user
from dashboard.ui.views import NO_MOMENT, Moment, exact_text, moment

LINK_FIELD = "password_link"
ROLE_MEANINGS = {
    "owner": "Everything, owners included",
    "admin": "Stripe, billing profiles, keys, and people below the owners",
    "operator": "Customers, usage, catalog, invoices",
    "viewer": "Looks, changes nothing",
}


@dataclass(frozen=True, slots=True)
class PersonView:
    """A row of the list. `manageable`: the signed-in person reaches this one's role and is somebody else."""

    id: str = ""
    name: str = ""
    email: str = ""
    role: str = ""
    is_self: bool = False
    is_invited: bool = False
    manageable: bool = False
    last_signed_in: Moment = NO_MOMENT


class PeopleState(rx.State):
    """What the tab shows and asks."""

    loading: bool = True
    problem: str = ""
    people: list[PersonView] = []
    roles: list[ui.Option] = []
    inviting: bool = False
    saving: bool = False
    errors: dict[str, str] = {}
    link_for: str = ""
    link_until: str = ""
    changing: PersonView = PersonView()
    removing: PersonView = PersonView()

    @rx.event
    @needs("viewer")
    async def load(self) -> Any:
        """Fills the list, then keeps it true."""
        self.inviting = self.saving = False
        self.errors, self.problem, self.link_for = {}, "", ""
        self.changing, self.removing = PersonView(), PersonView()
        try:
            user = await signed_in_user(self)
            self.roles = _roles_for(user)
            self.people = await _read(user)
        except MeterdeskError as error:
            self.problem = error.for_people()
        self.loading = False
        return PeopleState.watch

    @rx.event(background=True, supersedes=True)
    @needs("viewer")
    async def watch(self) -> None:
        """Shows what others change."""
        async for _ in news(self, "people"):
            async with self:
                user = await signed_in_user(self)
            people = await _read(user)
            async with self:
                self.people = people

    @rx.event
    @needs("admin")
    def start_inviting(self) -> None:
        """Opens the invitation."""
        self.inviting, self.link_for, self.errors = True, "", {}

    @rx.event
    @needs("admin")
    def close(self) -> Any:
        """Closes whichever dialog is open, and forgets a shown link."""
        self.inviting = False
        self.link_for, self.errors = "", {}
        self.changing, self.removing = PersonView(), PersonView()
        return forget_secret(LINK_FIELD)

    @rx.event
    @needs("admin")
    async def invite(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Adds a person and shows the link by which they choose a password."""
        self.saving, self.errors = True, {}
        yield
        try:
            wanted = parse_input(InvitePerson, {name: form.get(name, "") for name in ("name", "email", "role")})
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                link = await invite_person(work, wanted, by=user.role)
            yield self._show_link(link)
            self.people = await _read(user)
        except MeterdeskError as error:
            self.errors = error.fields or {"form": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("admin")
    async def make_link(self, person_id: str) -> AsyncIterator[Any]:
        """A new password link for somebody who lost theirs."""
        try:
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                link = await new_password_link(work, person_id, by=user.role)
            self.inviting = True
            yield self._show_link(link)
        except MeterdeskError as error:
            yield ui.toast_error(error)

    @rx.event
    @needs("admin")
    def ask_for_role(self, person_id: str) -> None:
        """Opens the choice of another role."""
        self.errors, self.changing = {}, self._person(person_id)

    @rx.event
    @needs("admin")
    async def give_role(self, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Gives the person another role; they have to sign in again."""
        self.saving, self.errors = True, {}
        yield
        try:
            wanted = parse_input(ChangeRole, {"role": form.get("role", "")})
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                person = await change_role(work, self.changing.id, wanted, by=user.role)
            self.changing = PersonView()
            yield ui.toast_success(f"{person.name} is {_article(person.role)} {person.role} now")
            self.people = await _read(user)
        except MeterdeskError as error:
            self.errors = error.fields or {"role": error.for_people()}
        finally:
            self.saving = False

    @rx.event
    @needs("admin")
    def ask_to_remove(self, person_id: str) -> None:
        """Opens the question before somebody leaves the team."""
        self.errors, self.removing = {}, self._person(person_id)

    @rx.event
    @needs("admin")
    async def remove(self) -> AsyncIterator[Any]:
        """Takes the person off the team."""
        self.saving, self.errors = True, {}
        yield
        try:
            user = await signed_in_user(self)
            async with running().database.transaction(actor_of(user)) as work:
                await remove_person(work, self.removing.id, by=user.role)
            yield ui.toast_success(f"{self.removing.name} was removed")
            self.removing = PersonView()
            self.people = await _read(user)
        except MeterdeskError as error:
            self.errors = {"form": error.for_people()}
        finally:
            self.saving = False

    def _person(self, person_id: str) -> PersonView:
        return next((person for person in self.people if person.id == person_id), PersonView())

    def _show_link(self, link: PasswordLink) -> Any:
        self.link_for = link.person.name
        self.link_until = exact_text(link.expires_at)
        url = self.router.url
        return show_secret(LINK_FIELD, f"{url.scheme}://{url.netloc}/set-password?token={link.token}")


async def _read(user: SignedInUser) -> list[PersonView]:
    backend = running()
    async with backend.database.read() as session:
        people = await list_people(session)
    now = backend.clock.now()
    return [_view(person, user, now) for person in people]


def _view(person: Person, user: SignedInUser, now: datetime) -> PersonView:
    return PersonView(
        id=person.id,
        name=person.name,
        email=person.email,
        role=person.role.value,
        is_self=person.id == user.id,
        is_invited=not person.has_password,
        manageable=person.id != user.id and user.role.reaches(Role.ADMIN) and user.role.reaches(person.role),
        last_signed_in=moment(person.last_signed_in_at, now),
    )


def _roles_for(user: SignedInUser) -> list[ui.Option]:
    reachable = [role for role in Role if user.role.reaches(role)]
    return [ui.Option(role.value, f"{role.value.capitalize()}: {ROLE_MEANINGS[role.value]}") for role in reachable]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
