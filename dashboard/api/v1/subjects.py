"""v1 subjects: what is known of the names under which usage arrives. Whose usage it is, is said by customers."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from dashboard.api.auth import Operator, Viewer
from dashboard.api.shapes import IdOrKey, Time, nothing, optional_time, reply, time_text, without_none
from dashboard.api.v1.base import V1Model
from dashboard.backend import running
from dashboard.customers import subjects
from dashboard.customers.inputs import KEY_LENGTH_MAX, NAME_LENGTH_MAX, UpsertSubject
from dashboard.customers.views import Subject
from dashboard.kit.inputs import parse_input

router = APIRouter(prefix="/api/v1/subjects", tags=["Subjects"])

SUBJECTS_AT_ONCE_MAX = 1000
_Name = Annotated[str, StringConstraints(max_length=NAME_LENGTH_MAX)]


class SubjectBody(V1Model):
    """`SubjectUpsert`."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=KEY_LENGTH_MAX)]
    display_name: _Name | None = None
    metadata: dict[str, Any] | None = None
    current_period_start: Time | None = None
    current_period_end: Time | None = None
    stripe_customer_id: _Name | None = None


@router.get("", deprecated=True)
async def list_subjects(_: Viewer) -> Response:
    """Every subject that was made here, by key."""
    async with running().database.read() as session:
        return reply([subject_to_v1(one) for one in await subjects.list_subjects(session)])


@router.post("", deprecated=True)
async def upsert_subject(
    actor: Operator, body: Annotated[list[SubjectBody], Field(max_length=SUBJECTS_AT_ONCE_MAX)]
) -> Response:
    """Makes subjects, or changes what is sent of those that are there; all of them or none."""
    wanted = [parse_input(UpsertSubject, one.model_dump(exclude_unset=True)) for one in body]
    async with running().database.transaction(actor) as work:
        done = [await subjects.upsert_subject(work, one) for one in wanted]
    return reply([subject_to_v1(one) for one in done])


@router.get("/{subject_id_or_key}", deprecated=True)
async def get_subject(_: Viewer, subject_id_or_key: IdOrKey) -> Response:
    """One subject, by id or key."""
    async with running().database.read() as session:
        return reply(subject_to_v1(await subjects.get_subject(session, subject_id_or_key)))


@router.delete("/{subject_id_or_key}", status_code=204, deprecated=True)
async def delete_subject(actor: Operator, subject_id_or_key: IdOrKey) -> Response:
    """Forgets what is known of a subject; its usage stays, and stays whose it was."""
    async with running().database.transaction(actor) as work:
        await subjects.delete_subject(work, subject_id_or_key)
    return nothing()


def subject_to_v1(subject: Subject) -> dict[str, Any]:
    """v1's `Subject`."""
    return without_none(
        [
            ("id", subject.id),
            ("key", subject.key),
            ("displayName", subject.display_name),
            ("metadata", subject.metadata),
            ("currentPeriodStart", optional_time(subject.current_period_start)),
            ("currentPeriodEnd", optional_time(subject.current_period_end)),
            ("stripeCustomerId", subject.stripe_customer_id),
            ("createdAt", time_text(subject.created_at)),
            ("updatedAt", time_text(subject.updated_at)),
        ]
    )
