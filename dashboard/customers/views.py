"""What others may hold of a customer."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    country: str | None = None
    postal_code: str | None = None
    state: str | None = None
    city: str | None = None
    line1: str | None = None
    line2: str | None = None
    phone_number: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """One we bill. `subject_keys` are the subjects of usage events that count for them; `external_invoicing` is what an
    invoicing system outside of here wants to know of them (None: nothing was ever said)."""

    id: str
    key: str | None
    name: str
    description: str | None
    currency: str | None
    primary_email: str | None
    billing_address: Address | None
    subject_keys: tuple[str, ...]
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    external_invoicing: dict[str, str] | None = field(default=None, hash=False)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """What somebody told about a name under which usage arrives. The period and the Stripe customer are kept and given
    back, never used."""

    id: str
    key: str
    display_name: str | None
    metadata: dict[str, Any] | None = field(hash=False)
    current_period_start: datetime | None
    current_period_end: datetime | None
    stripe_customer_id: str | None
    created_at: datetime
    updated_at: datetime
