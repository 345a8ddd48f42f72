"""What other rooms hold of this one: roles, people, sessions, API keys, entries of the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dashboard.kit.database import Actor


class Role(StrEnum):
    """What somebody may do. Each role may do everything the ones before it may."""

    VIEWER = "viewer"
    """Sees everything but secrets, changes nothing."""
    OPERATOR = "operator"
    """Runs the daily business: customers, invoices, usage, catalog."""
    ADMIN = "admin"
    """Connects Stripe, changes billing profiles, manages keys and people below the owners."""
    OWNER = "owner"
    """Everything, owners included."""

    def reaches(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        return _RANK[self] >= _RANK[other]


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """The person behind a session, as they are now: a changed role shows at the next question."""

    id: str
    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened. The token is for the browser's cookie; we keep only its print."""

    token: str = field(repr=False)
    user: SignedInUser
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One browser where somebody is signed in."""

    id: str
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the team. `has_password` is false until an invitation was taken."""

    id: str
    email: str
    name: str
    role: Role
    has_password: bool
    created_at: datetime
    last_signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """Lets `person` choose a password, once, until `expires_at`. The token is shown this one time."""

    token: str = field(repr=False)
    person: Person
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for programs. `hint` is what may be shown of it: its beginning and its end."""

    id: str
    name: str
    role: Role
    hint: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made. The token is shown this one time; we keep only its print."""

    token: str = field(repr=False)
    key: ApiKey


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what to what, and when. Written with the change itself, never changed afterwards."""

    id: str
    at: datetime
    actor: Actor
    action: str
    subject_type: str
    subject_id: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first, and the marker with which to ask for the ones before them (None: there are none)."""

    entries: tuple[AuditRecord, ...]
    next_cursor: str | None


def actor_of(who: SignedInUser | ApiKey) -> Actor:
    """The name under which a person or a key acts: `database.transaction(actor_of(user))`."""
    if isinstance(who, SignedInUser):
        return Actor("person", who.id, who.email)
    return Actor("api_key", who.id, who.name)
