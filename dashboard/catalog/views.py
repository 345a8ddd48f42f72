"""What others may hold of tax codes. (Plans and features have `plan_views.py`.)"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TaxCode:
    """A kind of goods or service, as tax law sees it. `stripe_code` is `txcd_` and eight digits; None sends nothing, so
    the Stripe account's default applies."""

    id: str
    key: str
    name: str
    description: str | None
    stripe_code: str | None
    other_mappings: dict[str, str] = field(hash=False)
    metadata: dict[str, str] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaxDefaults:
    """The organisation's tax codes, for what is invoiced and for credit that is granted."""

    invoicing: TaxCode
    credit_grant: TaxCode
    created_at: datetime
    updated_at: datetime
