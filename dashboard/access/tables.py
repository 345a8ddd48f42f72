"""Rows of this room. Private: others see `views`. Passwords are argon2 hashes, tokens one-way prints."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from dashboard.kit.columns import JsonDocument, Row, Timestamp


class PersonRow(Row, table=True):
    """A member of the team. `founder` is true for the first owner and null for all others, so that it happens once."""

    __tablename__ = "person"
    __table_args__ = (CheckConstraint("role IN ('viewer', 'operator', 'admin', 'owner')", name="person_role_known"),)

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)
    name: str
    role: str
    password_hash: str | None = None
    founder: bool | None = Field(default=None, unique=True)
    last_signed_in_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)


class SessionRow(Row, table=True):
    """One signed-in browser."""

    __tablename__ = "person_session"

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", ondelete="CASCADE", index=True)
    token_print: str = Field(unique=True)
    address: str
    user_agent: str
    created_at: datetime = Field(sa_type=Timestamp)
    last_seen_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp, index=True)


class PasswordLinkRow(Row, table=True):
    """A link by which a person chooses a password: one per person, gone once used."""

    __tablename__ = "password_link"

    person_id: str = Field(foreign_key="person.id", ondelete="CASCADE", primary_key=True)
    token_print: str = Field(unique=True)
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)


class SignInTriesRow(Row, table=True):
    """How many attempts in a row went wrong for one email or one address, known here by its print only."""

    __tablename__ = "sign_in_tries"

    who: str = Field(primary_key=True)
    failures: int
    last_at: datetime = Field(sa_type=Timestamp, index=True)
    next_at: datetime = Field(sa_type=Timestamp)


class ApiKeyRow(Row, table=True):
    """A key for programs. Revoked keys stay, so that the audit log can be read."""

    __tablename__ = "api_key"
    __table_args__ = (CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="api_key_role_known"),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    token_print: str = Field(unique=True)
    hint: str
    created_by: str
    created_at: datetime = Field(sa_type=Timestamp)
    last_used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)


class AuditRow(Row, table=True):
    """One thing that somebody did."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_newest", "at", "id"),
        Index("ix_audit_entry_subject", "subject_type", "subject_id", "at"),
        Index("ix_audit_entry_actor", "actor_id", "at"),
    )

    id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Timestamp)
    actor_kind: str
    actor_id: str
    actor_label: str
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any] = Field(sa_type=JsonDocument)
