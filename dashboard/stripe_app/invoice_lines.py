"""From the lines Stripe has to the lines it should have, in at most one call each of remove, update and add."""

from dataclasses import dataclass
from typing import Any

from dashboard.kit.database import SYSTEM, Work
from dashboard.stripe_app.calls import Intent, content_hash, has_begun, once
from dashboard.stripe_app.desk import StripeDesk
from dashboard.stripe_app.draft_lines import METADATA_LINE, METADATA_PRINT, DraftLine
from dashboard.stripe_app.gateway import Gateway
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
    desk: StripeDesk, gateway: Gateway, row: StripeInvoiceRow, draft: Draft, product_ids: dict[str, str]
) -> None:
    """Sends the difference. A draft that never had lines is filled without looking; any other is looked at first."""
    async with desk.database.read() as session:
        began = await has_begun(session, row.invoice_id, ADD)
    theirs = await _read_lines(desk, gateway, row) if began else []
    missing = difference(draft, theirs)
    sender = _Sender(desk, gateway, row, draft.currency, product_ids)
    await sender.remove(missing.remove)
    await sender.update(missing.update)
    await sender.add(missing.add)


async def _read_lines(desk: StripeDesk, gateway: Gateway, row: StripeInvoiceRow) -> list[Json]:
    lines = await gateway.invoice_lines(row.stripe_invoice_id or "")
    async with desk.database.transaction(SYSTEM) as work:
        note_lines(await work.session.get_one(StripeInvoiceRow, row.invoice_id), lines)
    return lines


@dataclass(frozen=True, slots=True)
class _Sender:
    desk: StripeDesk
    gateway: Gateway
    row: StripeInvoiceRow
    currency: str
    product_ids: dict[str, str]

    async def add(self, lines: tuple[DraftLine, ...]) -> None:
        params = [line.params(self.currency, self.product_ids) for line in lines]
        if params:
            await self._once(ADD, params, lambda key: self.gateway.add_lines(self._id, params, key))

    async def update(self, lines: tuple[tuple[str, DraftLine], ...]) -> None:
        params = [{"id": line_id, **line.params(self.currency, self.product_ids)} for line_id, line in lines]
        if params:
            await self._once(UPDATE, params, lambda key: self.gateway.update_lines(self._id, params, key))

    async def remove(self, line_ids: tuple[str, ...]) -> None:
        if line_ids:
            ids = list(line_ids)
            await self._once(REMOVE, ids, lambda key: self.gateway.remove_lines(self._id, ids, key))

    @property
    def _id(self) -> str:
        return self.row.stripe_invoice_id or ""

    async def _once(self, step: str, content: Any, call: Any) -> None:
        async def look() -> Json | None:
            # The difference was taken from what Stripe has now, so an earlier try of this very call did not arrive.
            return None

        async def record(work: Work, answer: Json) -> None:
            note_answer(work, await work.session.get_one(StripeInvoiceRow, self.row.invoice_id), answer)

        # The count of finished syncs sets two equal differences at different times apart.
        revision = f"{self._id}-{self.row.syncs}-{content_hash(content)}"
        intent = Intent(self.row.app_id, self.row.invoice_id, step, revision)
        await once(self.desk.database, intent, look=look, call=call, record=record)
