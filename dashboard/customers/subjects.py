"""Subjects as things of their own: what is known of a name under which usage arrives. Verbs and questions.

Nobody has to make one: usage is counted under any name, and whose it is says the customer. A subject only tells more.
"""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.customers.errors import SubjectNotFound
from dashboard.customers.inputs import UpsertSubject
from dashboard.customers.tables import SubjectRow
from dashboard.customers.views import Subject
from dashboard.kit.database import Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import new_id
from dashboard.kit.locks import lock_until_commit


async def upsert_subject(work: Work, wanted: UpsertSubject) -> Subject:
    """Makes a subject, or changes what `wanted` names of the one with its key; what it does not name stays.

    Raises InvalidInput for a current period that ends before it begins.
    """
    # Two who make the same subject at once would both find none.
    await lock_until_commit(work.session, "subjects")
    row = await work.session.scalar(select(SubjectRow).where(col(SubjectRow.key) == wanted.key))
    is_new = row is None
    if row is None:
        row = SubjectRow(id=new_id(), key=wanted.key, created_at=work.now, updated_at=work.now)
        work.session.add(row)
    named = wanted.model_dump(include=wanted.model_fields_set - {"key"})
    for name, value in named.items():
        setattr(row, "metadata_" if name == "metadata" else name, value)
    start, end = row.current_period_start, row.current_period_end
    if start is not None and end is not None and end <= start:
        raise InvalidInput("The current period ends before it begins.", field="current_period_end")
    row.updated_at = work.now
    await work.session.flush()
    work.audit("subject.created" if is_new else "subject.updated", "subject", row.id, key=row.key, changed=[*named])
    work.changed("subjects")
    return _subject_of(row)


async def delete_subject(work: Work, id_or_key: str) -> None:
    """Forgets what is known of a subject. Its usage, and whose that is, stay. Raises SubjectNotFound."""
    row = await _find(work.session, id_or_key)
    await work.session.delete(row)
    work.audit("subject.deleted", "subject", row.id, key=row.key)
    work.changed("subjects")


async def get_subject(session: AsyncSession, id_or_key: str) -> Subject:
    """The subject with this id or key. Raises SubjectNotFound."""
    return _subject_of(await _find(session, id_or_key))


async def list_subjects(session: AsyncSession) -> list[Subject]:
    """Every subject that somebody told about, by key."""
    return [_subject_of(row) for row in await session.scalars(select(SubjectRow).order_by(col(SubjectRow.key)))]


async def _find(session: AsyncSession, id_or_key: str) -> SubjectRow:
    statement = select(SubjectRow).where(or_(col(SubjectRow.id) == id_or_key.upper(), col(SubjectRow.key) == id_or_key))
    # A key may look like the id of another one: the id goes before it.
    found = sorted(await session.scalars(statement), key=lambda row: row.id != id_or_key.upper())
    if not found:
        raise SubjectNotFound(f"There is no subject {id_or_key!r}.")
    return found[0]


def _subject_of(row: SubjectRow) -> Subject:
    return Subject(
        id=row.id,
        key=row.key,
        display_name=row.display_name,
        metadata=None if row.metadata_ is None else dict(row.metadata_),
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        stripe_customer_id=row.stripe_customer_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
