"""The audit log: `Work.audit` ends here, in the same transaction as the change it tells of."""

from dashboard.access.tables import AuditRow
from dashboard.kit.database import AuditEntry, Work
from dashboard.kit.ids import new_id


class AuditLog:
    """Stores what was done (the `AuditWriter` of the database)."""

    async def write(self, work: Work, entries: list[AuditEntry]) -> None:
        """One row per entry, with who and when."""
        work.session.add_all(
            AuditRow(
                id=new_id(),
                at=work.now,
                actor_kind=work.actor.kind,
                actor_id=work.actor.id,
                actor_label=work.actor.label,
                action=entry.action,
                subject_type=entry.subject_type,
                subject_id=entry.subject_id,
                details=dict(entry.details),
            )
            for entry in entries
        )
        await work.session.flush()
        work.changed("audit")
