"""From the lines Stripe has to the lines it should have, in at most one call each of remove, update and add."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dashboard.kit.database import SYSTEM, Work
from dashboard.stripe_app.calls import Intent, content_hash, has_begun, once
from dashboard.stripe_app.draft_lines import METADATA_LINE, METADATA_PRINT, DraftLine
from dashboard.stripe_app.gateway import Gateway
from dashboard.stripe_app.invoice_job import InvoiceJob
from dashboard.stripe_app.invoice_rows import is_ours, note_answer, note_lines
from dashboard.stripe_app.tables import StripeInvoiceRow
from dashboard.stripe_app.to_stripe import Draft

Json = dict[str, Any]
ADD, UPDATE, REMOVE = "lines-add", "lines-update", "lines-remove"


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to be sent. Lines somebody else put on the invoice are in none of these."""

    add: tuple[DraftLine, ...]
    update: tuple[tuple[str, DraftLine], ...]
    remove: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.add or self.update or self.remove)


def difference(draft: Draft, theirs: list[Json]) -> Difference:
    """Compares by our id in the line's metadata, by our print of its content, and by the amount Stripe really has."""
    ours: dict[str, Json] = {}
    doubled: list[str] = []
    for line in theirs:
        if is_ours(line):
            key = line["metadata"][METADATA_LINE]
            if key in ours:
                doubled.append(line["id"])
            else:
                ours[key] = line
    wanted = {line.key: line for line in draft.lines}
    convertible = {key: line for key, line in ours.items() if key in wanted and _kind(line) == wanted[key].kind}
    update = [
        (theirs_now["id"], wanted[key]) for key, theirs_now in convertible.items() if _differs(theirs_now, wanted[key])
    ]
    return Difference(
        add=tuple(line for line in draft.lines if line.key not in convertible),
        update=tuple(update),
        remove=tuple([line["id"] for key, line in ours.items() if key not in convertible] + doubled),
    )


def _kind(line: Json) -> str:
    return str(line["metadata"].get(METADATA_PRINT, ""))[:1]


def _differs(theirs: Json, ours: DraftLine) -> bool:
    return theirs["metadata"].get(METADATA_PRINT) != ours.print_of() or theirs["amount"] != ours.minor


async def bring_lines_in_line(
    job: InvoiceJob, gateway: Gateway, product_ids: dict[str, str], *, is_empty: bool = False
) -> None:
    """Sends the difference. A draft that never had lines, or was made just now (`is_empty`), is filled without looking;
    any other is looked at first."""
    theirs = await _read_lines(job, gateway) if not is_empty and await _was_filled(job) else []
    missing = difference(job.draft, theirs)

    def params(line: DraftLine) -> Json:
        return line.params(job.draft.currency, product_ids)

    steps = (
        (REMOVE, gateway.remove_lines, list(missing.remove)),
        (UPDATE, gateway.update_lines, [{"id": line_id, **params(line)} for line_id, line in missing.update]),
        (ADD, gateway.add_lines, [params(line) for line in missing.add]),
    )
    wanted = [step for step in steps if step[2]]
    for step in wanted:
        await _send(job, *step, is_last=step is wanted[-1])


async def _was_filled(job: InvoiceJob) -> bool:
    async with job.desk.database.read() as session:
        return await has_begun(session, job.invoice.id, ADD)


async def _read_lines(job: InvoiceJob, gateway: Gateway) -> list[Json]:
    lines = await gateway.invoice_lines(job.stripe_id)
    async with job.desk.database.transaction(SYSTEM) as work:
        note_lines(await work.session.get_one(StripeInvoiceRow, job.invoice.id), lines)
    return lines


async def _send(
    job: InvoiceJob,
    step: str,
    send: Callable[[str, list[Any], str], Awaitable[Json]],
    content: list[Any],
    *,
    is_last: bool,
) -> None:
    async def look() -> Json | None:
        # The difference was taken from what Stripe has now, so an earlier try of this very call did not arrive.
        return None

    async def call(key: str) -> Json:
        return await send(job.stripe_id, content, key)

    async def record(work: Work, answer: Json) -> None:
        row = await work.session.get_one(StripeInvoiceRow, job.invoice.id)
        note_answer(work, row, answer)
        if is_last and row.sent_header == job.draft.header:
            job.note_sent(row)

    # The count of finished syncs sets two equal differences at different times apart.
    revision = f"{job.stripe_id}-{job.row.syncs}-{content_hash(content)}"
    intent = Intent(job.app.id, job.invoice.id, step, revision)
    await once(job.desk.database, intent, look=look, call=call, record=record)
