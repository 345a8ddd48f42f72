"""The verbs of this room."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.customers.errors import CustomerKeyTaken, CustomerStillBilled, SubjectAlreadyAssigned
from dashboard.customers.inputs import CreateCustomer, SetExternalInvoicing, UpdateCustomer
from dashboard.customers.queries import customer_of, live_customer_row
from dashboard.customers.tables import CustomerRow, UsageNameRow
from dashboard.customers.views import Customer
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id

REASONS_SHOWN_MAX = 5


class CustomerGuard(Protocol):
    """A higher room that may know why a customer has to stay."""

    async def __call__(self, session: AsyncSession, customer_id: str, /) -> Sequence[str]:
        """Sentences naming what is unfinished; none when the customer may go."""
        ...


async def create_customer(work: Work, wanted: CreateCustomer) -> Customer:
    """Makes a customer. Raises CustomerKeyTaken, SubjectAlreadyAssigned."""
    row = CustomerRow(
        id=new_id(),
        name=wanted.name,
        subject_keys=[],
        search_text="",
        metadata_={},
        created_at=work.now,
        updated_at=work.now,
    )
    await _fill(work, row, wanted)
    work.session.add(row)
    await _name_usage(work, row)
    work.audit("customer.created", "customer", row.id, name=row.name, key=row.key)
    work.changed("customers", f"customers/{row.id}")
    return customer_of(row)


async def update_customer(work: Work, id_or_key: str, wanted: UpdateCustomer) -> Customer:
    """Replaces everything about a customer. Issued invoices keep what they were issued with.

    Raises CustomerNotFound, CustomerDeleted, CustomerKeyTaken, SubjectAlreadyAssigned.
    """
    row = await live_customer_row(work.session, id_or_key)
    before = _told(row)
    await _fill(work, row, wanted)
    row.updated_at = work.now
    await work.session.execute(delete(UsageNameRow).where(col(UsageNameRow.customer_id) == row.id))
    await _name_usage(work, row)
    after = _told(row)
    changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    work.audit("customer.updated", "customer", row.id, changes=changes)
    work.changed("customers", f"customers/{row.id}")
    return customer_of(row)


async def set_external_invoicing(work: Work, id_or_key: str, wanted: SetExternalInvoicing) -> Customer:
    """Keeps what an invoicing system outside of here wants to know of a customer; nothing else of them changes.

    Raises CustomerNotFound, CustomerDeleted.
    """
    row = await live_customer_row(work.session, id_or_key)
    if row.external_invoicing != wanted.metadata:
        row.external_invoicing = wanted.metadata
        row.updated_at = work.now
        work.audit("customer.external_invoicing_set", "customer", row.id, metadata=wanted.metadata)
        work.changed("customers", f"customers/{row.id}")
    return customer_of(row)


async def delete_customer(work: Work, id_or_key: str, *, guards: Iterable[CustomerGuard]) -> None:
    """Takes a customer out of use; their key and subjects are free again, their invoices stay readable.

    Raises CustomerNotFound, CustomerDeleted, and CustomerStillBilled with what the guards name.
    """
    row = await live_customer_row(work.session, id_or_key)
    reasons = [reason for guard in guards for reason in await guard(work.session, row.id)]
    if reasons:
        more = f" and {len(reasons) - REASONS_SHOWN_MAX} more" if len(reasons) > REASONS_SHOWN_MAX else ""
        raise CustomerStillBilled(
            f"{row.name} cannot be deleted yet: {'; '.join(reasons[:REASONS_SHOWN_MAX])}{more}.",
            details={"reasons": reasons},
        )
    row.deleted_at = row.updated_at = work.now
    await work.session.execute(delete(UsageNameRow).where(col(UsageNameRow.customer_id) == row.id))
    work.audit("customer.deleted", "customer", row.id, name=row.name, key=row.key)
    work.changed("customers", f"customers/{row.id}")


async def _fill(work: Work, row: CustomerRow, wanted: CreateCustomer) -> None:
    await _check_names(work.session, row.id, wanted)
    address = wanted.billing_address.to_address() if wanted.billing_address else None
    row.name = wanted.name
    row.key = wanted.key
    row.description = wanted.description
    row.currency = wanted.currency
    row.primary_email = wanted.primary_email
    row.billing_address = asdict(address) if address else None
    row.subject_keys = list(wanted.subject_keys)
    row.metadata_ = dict(wanted.metadata)
    row.search_text = "\n".join(
        text.casefold() for text in (row.name, row.key, row.primary_email, *row.subject_keys) if text
    )


async def _check_names(session: AsyncSession, customer_id: str, wanted: CreateCustomer) -> None:
    names = {*wanted.subject_keys, *([wanted.key] if wanted.key else [])}
    statement = (
        select(col(UsageNameRow.name), CustomerRow)
        .join(CustomerRow, col(CustomerRow.id) == col(UsageNameRow.customer_id))
        .where(col(UsageNameRow.name).in_(names), col(UsageNameRow.customer_id) != customer_id)
        .order_by(col(UsageNameRow.name))
    )
    taken = {name: owner for name, owner in await session.execute(statement)}
    if wanted.key is not None and wanted.key in taken:
        owner = taken[wanted.key]
        what = "the key" if owner.key == wanted.key else "a subject"
        raise CustomerKeyTaken(f"“{wanted.key}” is {what} of {owner.name} already.", field="key")
    if taken:
        whose = ", ".join(f"“{name}” ({owner.name})" for name, owner in taken.items())
        raise SubjectAlreadyAssigned(
            f"These subjects count for somebody else already: {whose}.",
            field="subject_keys",
            details={"subjects": {name: owner.id for name, owner in taken.items()}},
        )


async def _name_usage(work: Work, row: CustomerRow) -> None:
    await work.session.flush()
    names: list[str] = [*([row.key] if row.key else []), *row.subject_keys]
    work.session.add_all(UsageNameRow(name=name, customer_id=row.id) for name in dict.fromkeys(names))
    try:
        await work.session.flush()
    except IntegrityError:
        # Somebody else took one of the names since we looked.
        raise SubjectAlreadyAssigned("A subject or the key was just given to somebody else.") from None


def _told(row: CustomerRow) -> dict[str, object]:
    return {
        "name": row.name,
        "key": row.key,
        "description": row.description,
        "currency": row.currency,
        "primary_email": row.primary_email,
        "billing_address": row.billing_address,
        "subject_keys": list(row.subject_keys),
        "metadata": dict(row.metadata_),
    }
