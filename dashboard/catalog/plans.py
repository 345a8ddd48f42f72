"""Plans: verbs and questions. A plan is a row of versions under one key; only drafts change."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.catalog.features import features_by_key
from dashboard.catalog.plan_errors import PlanHasDraft, PlanInUse, PlanNotEditable, PlanNotFound, PlanNotPublishable
from dashboard.catalog.plan_inputs import CreatePlan, CustomPlan, PhaseInput, PublishPlan, UpdatePlan
from dashboard.catalog.plan_json import phase_from_json, phase_to_json
from dashboard.catalog.plan_rules import plan_issues
from dashboard.catalog.plan_tables import PlanRow
from dashboard.catalog.plan_views import Phase, Plan
from dashboard.catalog.status import PlanStatus, plan_status
from dashboard.catalog.tax_codes import tax_codes_by_id
from dashboard.kit.database import Work
from dashboard.kit.errors import InvalidInput
from dashboard.kit.ids import new_id
from dashboard.kit.paging import Page, PageRequest, fetch_page

EDITABLE = {PlanStatus.DRAFT, PlanStatus.SCHEDULED}
_SORTS: dict[str, Any] = {
    "id": col(PlanRow.id),
    "key": col(PlanRow.key),
    "version": col(PlanRow.version),
    "created_at": col(PlanRow.created_at),
    "updated_at": col(PlanRow.updated_at),
}


async def create_plan(work: Work, wanted: CreatePlan) -> Plan:
    """Makes a draft: version 1, or the version after the last one of this key. Raises PlanHasDraft."""
    last = await _last_version(work.session, wanted.key)
    version = (last.version if last else 0) + 1
    return await _add(work, _row_of(wanted, work.now, id_=new_id(), key=wanted.key, version=version), "plan.created")


async def next_plan_version(work: Work, key_or_id: str) -> Plan:
    """Copies the latest version of a plan into a new draft. Raises PlanNotFound, PlanHasDraft."""
    plan = await get_plan(work.session, key_or_id, now=work.now)
    latest = await _last_version(work.session, plan.key)
    assert latest is not None
    row = PlanRow(
        **latest.model_dump(exclude={"id", "version", "effective_from", "effective_to", "created_at", "updated_at"}),
        id=new_id(),
        version=latest.version + 1,
        created_at=work.now,
        updated_at=work.now,
    )
    return await _add(work, row, "plan.version_created")


async def update_plan(work: Work, plan_id: str, wanted: UpdatePlan) -> Plan:
    """Replaces a draft or scheduled version. Raises PlanNotFound, PlanNotEditable."""
    row = await _editable(work, plan_id)
    row.name = wanted.name
    row.description = wanted.description
    row.billing_cadence = wanted.billing_cadence or row.billing_cadence
    row.pro_rating_enabled = wanted.pro_rating_enabled
    row.settlement_mode = wanted.settlement_mode
    row.phases = _documents(wanted.phases)
    row.metadata_ = wanted.metadata
    return await _changed(work, row, "plan.updated")


async def publish_plan(work: Work, plan_id: str, wanted: PublishPlan | None = None) -> Plan:
    """Puts a draft into effect, now or at a time; the version in effect until then is archived at that moment.

    Raises PlanNotFound, PlanNotEditable, PlanNotPublishable with everything that is wrong.
    """
    wanted = wanted or PublishPlan()
    row = await _editable(work, plan_id)
    plan = await _plan(work.session, row, work.now)
    _refuse_issues(plan, f"{plan.name} cannot be published yet")
    start = max(wanted.effective_from or work.now, work.now)
    if wanted.effective_to is not None and wanted.effective_to <= start:
        raise InvalidInput("A plan cannot end before it starts.", field="effective_to")
    for other in await _versions(work.session, row.key):
        if other.id != row.id and plan_status(other.effective_from, other.effective_to, start) is PlanStatus.ACTIVE:
            other.effective_to = start
            other.updated_at = work.now
    row.effective_from, row.effective_to = start, wanted.effective_to
    return await _changed(work, row, "plan.published")


async def archive_plan(work: Work, plan_id: str) -> Plan:
    """Ends a published version now; subscriptions keep it. Raises PlanNotFound, PlanNotEditable for a draft."""
    row = await _find(work.session, plan_id, work.now)
    status = plan_status(row.effective_from, row.effective_to, work.now)
    if status not in (PlanStatus.ACTIVE, PlanStatus.SCHEDULED):
        raise PlanNotEditable(f"This version is {status.value}; only a published one can be archived.")
    row.effective_to = work.now
    if row.effective_from and row.effective_from > work.now:
        row.effective_from = work.now
    return await _changed(work, row, "plan.archived")


async def delete_plan(work: Work, plan_id: str, *, used_by: Sequence[str] = ()) -> None:
    """Deletes a version that nobody subscribed to. Raises PlanNotFound, PlanInUse, PlanNotEditable while active."""
    row = await _find(work.session, plan_id, work.now)
    if used_by:
        raise PlanInUse(f"{len(used_by)} subscriptions were made from this version.")
    if plan_status(row.effective_from, row.effective_to, work.now) is PlanStatus.ACTIVE:
        raise PlanNotEditable("This version is in effect.", remedy="Archive it first.")
    row.deleted_at = work.now
    work.audit("plan.deleted", "plan", row.id, key=row.key, version=row.version)
    work.changed("plans")


async def get_plan(
    session: AsyncSession, id_or_key: str, *, now: datetime, version: int | None = None, latest: bool = False
) -> Plan:
    """A version by its id; by key the given one, else the active one, else the latest. Raises PlanNotFound."""
    return await _plan(session, await _find(session, id_or_key, now, version, latest=latest), now)


async def custom_plan(session: AsyncSession, wanted: CustomPlan, *, now: datetime) -> Plan:
    """A plan that is stored nowhere: no id, no key, version 0, a draft for ever.

    Raises PlanNotPublishable with all that is wrong.
    """
    plan = await _plan(session, _row_of(wanted, now), now)
    _refuse_issues(plan, f"{plan.name} cannot be subscribed to")
    return plan


async def list_plans(
    session: AsyncSession,
    page: PageRequest,
    *,
    now: datetime,
    search: str | None = None,
    ids: Iterable[str] = (),
    keys: Iterable[str] = (),
    currencies: Iterable[str] = (),
    statuses: Iterable[PlanStatus] = (),
    sort: str = "key",
    descending: bool = False,
    include_deleted: bool = False,
) -> Page[Plan]:
    """Versions of plans that fit. Raises InvalidInput for an unknown `sort`."""
    if sort not in _SORTS:
        raise InvalidInput(f"Plans cannot be sorted by {sort!r}.", field="sort")
    statement = select(PlanRow).where(*_that_hold(search))
    if not include_deleted:
        statement = statement.where(col(PlanRow.deleted_at).is_(None))
    for column, values in ((col(PlanRow.id), ids), (col(PlanRow.key), keys), (col(PlanRow.currency), currencies)):
        if chosen := list(values):
            statement = statement.where(column.in_(chosen))
    if wanted := set(statuses):
        statement = statement.where(or_(*[_status_condition(status, now) for status in wanted]))
    column = _SORTS[sort]
    rows, total = await fetch_page(
        session,
        statement.order_by(column.desc() if descending else column, col(PlanRow.version).desc(), col(PlanRow.id)),
        page,
    )
    return Page(tuple([await _plan(session, row, now) for row in rows]), total, page.number, page.size)


async def count_plans(session: AsyncSession, *, now: datetime, search: str | None = None) -> dict[PlanStatus, int]:
    """How many versions that are not deleted and fit have each status; those with none are left out."""
    status = case(*((_status_condition(status, now), status.value) for status in PlanStatus)).label("status")
    rows = select(status).where(col(PlanRow.deleted_at).is_(None), *_that_hold(search)).subquery()
    found = await session.execute(select(rows.c.status, func.count()).group_by(rows.c.status))
    return {PlanStatus(status): count for status, count in found}


def _that_hold(search: str | None) -> list[ColumnElement[bool]]:
    if not search:
        return []
    return [or_(*(col(column).icontains(search, autoescape=True) for column in (PlanRow.key, PlanRow.name)))]


def _status_condition(status: PlanStatus, now: datetime) -> Any:
    start, end = col(PlanRow.effective_from), col(PlanRow.effective_to)
    begun = or_(start.is_(None), start <= now)
    running = or_(end.is_(None), end > now)
    match status:
        case PlanStatus.DRAFT:
            return start.is_(None) & end.is_(None)
        case PlanStatus.SCHEDULED:
            return (start > now) & running
        case PlanStatus.ACTIVE:
            return start.is_not(None) & begun & running
        case PlanStatus.ARCHIVED:
            return end <= now
        case PlanStatus.INVALID:
            return start > end


async def _add(work: Work, row: PlanRow, action: str) -> Plan:
    for other in await _versions(work.session, row.key):
        if plan_status(other.effective_from, other.effective_to, work.now) is PlanStatus.DRAFT:
            raise PlanHasDraft(f"Version {other.version} of {row.key} still is a draft.", field="key")
    work.session.add(row)
    await work.session.flush()
    return await _changed(work, row, action)


async def _changed(work: Work, row: PlanRow, action: str) -> Plan:
    row.updated_at = work.now
    work.audit(action, "plan", row.id, key=row.key, version=row.version)
    work.changed("plans", f"plans/{row.id}")
    return await _plan(work.session, row, work.now)


async def _editable(work: Work, plan_id: str) -> PlanRow:
    row = await _find(work.session, plan_id, work.now)
    status = plan_status(row.effective_from, row.effective_to, work.now)
    if status not in EDITABLE:
        raise PlanNotEditable(f"Version {row.version} of {row.key} is {status.value} and does not change any more.")
    return row


async def _find(
    session: AsyncSession, id_or_key: str, now: datetime, version: int | None = None, *, latest: bool = False
) -> PlanRow:
    by_id = await session.scalar(
        select(PlanRow).where(col(PlanRow.id) == id_or_key.upper(), col(PlanRow.deleted_at).is_(None))
    )
    if by_id is not None:
        return by_id
    versions = await _versions(session, id_or_key)
    if version is not None:
        versions = [row for row in versions if row.version == version]
    elif not latest:
        active = [
            row for row in versions if plan_status(row.effective_from, row.effective_to, now) is PlanStatus.ACTIVE
        ]
        versions = active or versions
    if not versions:
        raise PlanNotFound(f"There is no plan {id_or_key!r}" + (f" of version {version}." if version else "."))
    return versions[-1]


async def _versions(session: AsyncSession, key: str) -> list[PlanRow]:
    statement = (
        select(PlanRow).where(col(PlanRow.key) == key, col(PlanRow.deleted_at).is_(None)).order_by(col(PlanRow.version))
    )
    return list(await session.scalars(statement))


async def _last_version(session: AsyncSession, key: str) -> PlanRow | None:
    # Deleted versions count: a number is never given twice.
    highest = select(func.max(col(PlanRow.version))).where(col(PlanRow.key) == key).scalar_subquery()
    return await session.scalar(select(PlanRow).where(col(PlanRow.key) == key, col(PlanRow.version) == highest))


async def _plan(session: AsyncSession, row: PlanRow, now: datetime) -> Plan:
    phases = tuple(phase_from_json(document) for document in row.phases)
    status = plan_status(row.effective_from, row.effective_to, now)
    issues = await _issues(session, row, phases) if status in EDITABLE else ()
    return Plan(
        id=row.id,
        key=row.key,
        version=row.version,
        name=row.name,
        description=row.description,
        currency=row.currency,
        billing_cadence=row.billing_cadence,
        pro_rating_enabled=row.pro_rating_enabled,
        settlement_mode=row.settlement_mode,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        status=status,
        phases=phases,
        issues=issues,
        metadata=dict(row.metadata_),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


async def _issues(session: AsyncSession, row: PlanRow, phases: tuple[Phase, ...]) -> Any:
    keys = {card.feature_key for phase in phases for card in phase.rate_cards if card.feature_key}
    return plan_issues(
        row.billing_cadence, phases, await features_by_key(session, keys), await _live_tax_codes(session, phases)
    )


async def _live_tax_codes(session: AsyncSession, phases: tuple[Phase, ...]) -> set[str]:
    ids = {card.tax.tax_code_id for phase in phases for card in phase.rate_cards if card.tax.tax_code_id}
    if not ids:
        return set()
    return {code.id for code in (await tax_codes_by_id(session, ids)).values() if code.deleted_at is None}


def _row_of(wanted: CustomPlan, now: datetime, *, id_: str = "", key: str = "", version: int = 0) -> PlanRow:
    return PlanRow(
        id=id_,
        key=key,
        version=version,
        name=wanted.name,
        description=wanted.description,
        currency=wanted.currency,
        billing_cadence=wanted.billing_cadence,
        pro_rating_enabled=wanted.pro_rating_enabled,
        settlement_mode=wanted.settlement_mode,
        phases=_documents(wanted.phases),
        metadata_=wanted.metadata,
        created_at=now,
        updated_at=now,
    )


def _documents(phases: Sequence[PhaseInput]) -> list[dict[str, Any]]:
    return [phase_to_json(phase.to_phase(f"phases.{number}.")) for number, phase in enumerate(phases)]


def _refuse_issues(plan: Plan, what: str) -> None:
    if plan.issues:
        raise PlanNotPublishable(
            f"{what}: {plan.issues[0].message}",
            fields={issue.field: issue.message for issue in reversed(plan.issues)},
            details={"codes": [issue.code for issue in plan.issues]},
        )
