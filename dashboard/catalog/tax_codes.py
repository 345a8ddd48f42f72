"""The organisation's tax codes and which of them apply by default: verbs and questions.

Two codes are there from the start, as in OpenMeter: *Provider default*, which leaves the choice to the Stripe account,
for what is invoiced, and *Nontaxable* for credit that is granted.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.errors import TaxCodeInUse, TaxCodeKeyTaken, TaxCodeNotFound
from dashboard.catalog.inputs import CreateTaxCode, UpdateTaxCode, UpdateTaxDefaults
from dashboard.catalog.plan_tax import rate_cards_using_tax_code
from dashboard.catalog.tables import TaxCodeRow, TaxDefaultsRow
from dashboard.catalog.views import TaxCode, TaxDefaults
from dashboard.kit.database import Work
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit
from dashboard.kit.paging import Page, PageRequest, fetch_page

PROVIDER_DEFAULT = CreateTaxCode(key="provider_default", name="Provider default")
NONTAXABLE = CreateTaxCode(key="nontaxable", name="Nontaxable", stripe_code="txcd_00000000")

_DEFAULTS_ID = "organization"


class TaxCodeUses(Protocol):
    """A room that may point to a tax code."""

    async def __call__(self, session: AsyncSession, tax_code_id: str, /) -> Sequence[str]:
        """Names of what uses the code."""
        ...


async def create_tax_code(work: Work, wanted: CreateTaxCode) -> TaxCode:
    """Makes a tax code. Raises TaxCodeKeyTaken."""
    taken = select(TaxCodeRow).where(col(TaxCodeRow.key) == wanted.key, col(TaxCodeRow.deleted_at).is_(None))
    if await work.session.scalar(taken):
        raise TaxCodeKeyTaken(f"There already is a tax code “{wanted.key}”.", field="key")
    row = TaxCodeRow(
        id=new_id(),
        key=wanted.key,
        name=wanted.name,
        other_mappings={},
        metadata_={},
        created_at=work.now,
        updated_at=work.now,
    )
    _fill(row, wanted)
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError:
        raise TaxCodeKeyTaken(f"There already is a tax code “{wanted.key}”.", field="key") from None
    work.audit("tax_code.created", "tax_code", row.id, key=row.key, stripe_code=row.stripe_code)
    work.changed("tax_codes")
    return tax_code_of(row)


async def update_tax_code(work: Work, tax_code_id: str, wanted: UpdateTaxCode) -> TaxCode:
    """Replaces everything but the key. Invoices keep the code they were made with. Raises TaxCodeNotFound."""
    row = await _live_row(work.session, tax_code_id)
    before = row.stripe_code
    _fill(row, wanted)
    row.updated_at = work.now
    work.audit("tax_code.updated", "tax_code", row.id, key=row.key, stripe_code=[before, row.stripe_code])
    work.changed("tax_codes")
    return tax_code_of(row)


async def delete_tax_code(work: Work, tax_code_id: str, *, uses: Iterable[TaxCodeUses] = ()) -> None:
    """Takes a tax code out of use. Raises TaxCodeNotFound, TaxCodeInUse with the list of what needs it."""
    row = await _live_row(work.session, tax_code_id)
    found = await where_used(work.session, row.id, uses=uses)
    if found:
        raise TaxCodeInUse(f"{row.name} is used: {'; '.join(found)}.", details={"uses": list(found)})
    row.deleted_at = row.updated_at = work.now
    work.audit("tax_code.deleted", "tax_code", row.id, key=row.key)
    work.changed("tax_codes")


async def set_tax_defaults(work: Work, wanted: UpdateTaxDefaults) -> TaxDefaults:
    """Chooses the organisation's defaults. Raises TaxCodeNotFound."""
    row = await ensure_tax_defaults(work)
    for name in ("invoicing_tax_code_id", "credit_grant_tax_code_id"):
        chosen = getattr(wanted, name)
        if chosen is not None:
            setattr(row, name, (await _live_row(work.session, chosen)).id)
    row.updated_at = work.now
    await work.session.flush()
    work.audit("tax_defaults.updated", "tax_defaults", row.id, **wanted.model_dump(exclude_none=True))
    work.changed("tax_codes")
    defaults = await tax_defaults(work.session)
    assert defaults is not None
    return defaults


async def ensure_tax_defaults(work: Work) -> TaxDefaultsRow:
    """The row of the defaults; with it the two tax codes that are there from the start, made once."""
    await lock_until_commit(work.session, "tax_defaults")
    row = await work.session.get(TaxDefaultsRow, _DEFAULTS_ID)
    if row is not None:
        return row
    invoicing, credit = [await _find_or_create(work, wanted) for wanted in (PROVIDER_DEFAULT, NONTAXABLE)]
    row = TaxDefaultsRow(
        id=_DEFAULTS_ID,
        invoicing_tax_code_id=invoicing,
        credit_grant_tax_code_id=credit,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    return row


async def get_tax_code(session: AsyncSession, id_or_key: str) -> TaxCode:
    """The tax code with this id (deleted ones too) or key (live ones). Raises TaxCodeNotFound."""
    row = await session.get(TaxCodeRow, id_or_key.upper())
    if row is None:
        live = select(TaxCodeRow).where(col(TaxCodeRow.deleted_at).is_(None))
        row = await session.scalar(live.where(col(TaxCodeRow.key) == id_or_key))
    if row is None:
        raise TaxCodeNotFound(f"There is no tax code {id_or_key!r}.")
    return tax_code_of(row)


async def list_tax_codes(
    session: AsyncSession, page: PageRequest, *, search: str | None = None, include_deleted: bool = False
) -> Page[TaxCode]:
    """Tax codes by name; `search` looks in key, name and Stripe code."""
    statement = select(TaxCodeRow)
    if not include_deleted:
        statement = statement.where(col(TaxCodeRow.deleted_at).is_(None))
    if search:
        columns = (TaxCodeRow.key, TaxCodeRow.name, TaxCodeRow.stripe_code)
        statement = statement.where(or_(*(col(column).icontains(search, autoescape=True) for column in columns)))
    rows, total = await fetch_page(session, statement.order_by(col(TaxCodeRow.name), col(TaxCodeRow.id)), page)
    return Page(tuple(tax_code_of(row) for row in rows), total, page.number, page.size)


async def count_tax_codes(session: AsyncSession) -> int:
    """How many live tax codes there are."""
    statement = select(func.count()).select_from(TaxCodeRow).where(col(TaxCodeRow.deleted_at).is_(None))
    return await session.scalar(statement) or 0


async def tax_codes_by_id(session: AsyncSession, ids: Iterable[str]) -> dict[str, TaxCode]:
    """The tax codes with these ids, deleted ones too; unknown ids are left out."""
    rows = await session.scalars(select(TaxCodeRow).where(col(TaxCodeRow.id).in_(set(ids))))
    return {row.id: tax_code_of(row) for row in rows}


async def tax_defaults(session: AsyncSession) -> TaxDefaults | None:
    """The organisation's defaults; None before the first start made them."""
    row = await session.get(TaxDefaultsRow, _DEFAULTS_ID)
    if row is None:
        return None
    codes = await tax_codes_by_id(session, [row.invoicing_tax_code_id, row.credit_grant_tax_code_id])
    return TaxDefaults(
        invoicing=codes[row.invoicing_tax_code_id],
        credit_grant=codes[row.credit_grant_tax_code_id],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def where_used(session: AsyncSession, tax_code_id: str, *, uses: Iterable[TaxCodeUses] = ()) -> tuple[str, ...]:
    """What points to a tax code: the organisation's defaults, rate cards, and what the rooms behind `uses` name."""
    found: list[str] = []
    row = await session.get(TaxDefaultsRow, _DEFAULTS_ID)
    if row is not None and row.invoicing_tax_code_id == tax_code_id:
        found.append("organisation default for invoicing")
    if row is not None and row.credit_grant_tax_code_id == tax_code_id:
        found.append("organisation default for credit grants")
    found += await rate_cards_using_tax_code(session, tax_code_id)
    for question in uses:
        found += await question(session, tax_code_id)
    return tuple(found)


def tax_code_of(row: TaxCodeRow) -> TaxCode:
    """The tax code in a row, as others may hold it."""
    return TaxCode(
        id=row.id,
        key=row.key,
        name=row.name,
        description=row.description,
        stripe_code=row.stripe_code,
        other_mappings=dict(row.other_mappings),
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def _fill(row: TaxCodeRow, wanted: UpdateTaxCode) -> None:
    row.name = wanted.name
    row.description = wanted.description or None
    row.stripe_code = wanted.stripe_code
    row.other_mappings = {mapping.app_type: mapping.tax_code for mapping in wanted.other_mappings}
    row.metadata_ = dict(wanted.metadata)


async def _live_row(session: AsyncSession, tax_code_id: str) -> TaxCodeRow:
    row = await session.get(TaxCodeRow, tax_code_id.upper())
    if row is None or row.deleted_at is not None:
        raise TaxCodeNotFound(f"There is no tax code {tax_code_id!r}.")
    return row


async def _find_or_create(work: Work, wanted: CreateTaxCode) -> str:
    live = select(col(TaxCodeRow.id)).where(col(TaxCodeRow.key) == wanted.key, col(TaxCodeRow.deleted_at).is_(None))
    found = await work.session.scalar(live)
    return found or (await create_tax_code(work, wanted)).id
