"""Rows of invoices at Stripe: what we sent, what Stripe last answered. Nothing here talks to Stripe."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.views import ExternalInvoice, Issue
from dashboard.kit.database import Work
from dashboard.kit.money import from_minor
from dashboard.stripe_app.apps import dashboard_url
from dashboard.stripe_app.draft_lines import METADATA_LINE
from dashboard.stripe_app.from_stripe import external_invoice
from dashboard.stripe_app.tables import StripeAppRow, StripeInvoiceRow

Json = dict[str, Any]
FINAL = frozenset({"paid", "void", "deleted"})


async def invoice_row_by_stripe_id(
    session: AsyncSession, app_id: str, stripe_invoice_id: str
) -> StripeInvoiceRow | None:
    """The row of one of our invoices by Stripe's id."""
    return await session.scalar(
        select(StripeInvoiceRow).where(
            col(StripeInvoiceRow.app_id) == app_id, col(StripeInvoiceRow.stripe_invoice_id) == stripe_invoice_id
        )
    )


async def external_of(session: AsyncSession, invoice_id: str) -> ExternalInvoice | None:
    """What Stripe last said of one of our invoices; None when it has none."""
    row = await session.get(StripeInvoiceRow, invoice_id)
    app = await session.get(StripeAppRow, row.app_id) if row else None
    return external_view(row, app) if row and app else None


def note_answer(work: Work, row: StripeInvoiceRow, answer: Json) -> None:
    """Takes over Stripe's answer about an invoice. Ten of its lines come along; up to ten, that is all of them."""
    row.stripe_invoice_id = answer["id"]
    row.status = answer.get("status") or "draft"
    # Payments come only with reads that ask for them; until the next such read the last known ones are the best.
    before = {"payments": row.answer["payments"]} if row.answer and "payments" in row.answer else {}
    row.answer = before | {name: value for name, value in answer.items() if name != "lines"}
    row.answered_at = work.now
    lines = answer.get("lines")
    if lines is not None and not lines.get("has_more"):
        note_lines(row, lines["data"])
    elif lines is not None:
        seen = {line["metadata"][METADATA_LINE]: line["id"] for line in lines["data"] if is_ours(line)}
        row.line_ids = {**row.line_ids, **seen}
    work.changed(f"invoices/{row.invoice_id}", "invoices")


def forget_invoice(row: StripeInvoiceRow, status: str) -> None:
    """Stripe's draft is gone; the next sync makes a fresh one, under fresh idempotency keys."""
    row.stripe_invoice_id = row.sent_revision = row.sent_lines = None
    row.sent_header, row.line_ids, row.foreign_lines = {}, {}, []
    row.status = status
    row.syncs += 1


def note_lines(row: StripeInvoiceRow, lines: list[Json]) -> None:
    """Takes over a full list of Stripe's lines: which are ours, and which somebody else put there."""
    row.line_ids = {line["metadata"][METADATA_LINE]: line["id"] for line in lines if is_ours(line)}
    row.foreign_lines = [
        [line.get("description") or line["id"], str(from_minor(after_discounts(line), line["currency"]))]
        for line in lines
        if not is_ours(line)
    ]


def before_tax(answer: Json) -> int:
    """Stripe's total after every discount, without the tax that comes on top: what we calculated, if all is well."""
    on_top = sum(tax["amount"] for tax in answer.get("total_taxes") or [] if tax.get("tax_behavior") == "exclusive")
    return int(answer.get("total") or 0) - on_top


def after_discounts(line: Json) -> int:
    """What a Stripe line comes to, in Stripe's integers."""
    return int(line["amount"]) - sum(int(part["amount"]) for part in line.get("discount_amounts") or [])


def is_ours(line: Json) -> bool:
    """Whether we made this Stripe line."""
    return bool((line.get("metadata") or {}).get(METADATA_LINE))


def external_view(row: StripeInvoiceRow, app: StripeAppRow) -> ExternalInvoice | None:
    """The row as billing reads it; None before Stripe has an invoice."""
    if row.answer is None or row.stripe_invoice_id is None:
        return None
    foreign = tuple((text, Decimal(amount)) for text, amount in row.foreign_lines)
    notes = tuple(Issue(**note) for note in row.notes)
    if foreign:
        notes += (_foreign_note(foreign),)
    return external_invoice(
        row.answer,
        dashboard_url=dashboard_url(app, f"invoices/{row.stripe_invoice_id}"),
        line_ids=row.line_ids,
        notes=notes,
        foreign_lines=foreign,
        sent_at=int(row.sent_at.timestamp()) if row.sent_at else None,
    )


def add_note(row: StripeInvoiceRow, note: Issue) -> None:
    """Keeps a note for the invoice, one per code."""
    kept = [other for other in row.notes if other["code"] != note.code]
    row.notes = [
        *kept,
        {
            "severity": note.severity,
            "code": note.code,
            "message": note.message,
            "remedy": note.remedy,
            "component": note.component,
        },
    ]


def replace_notes(row: StripeInvoiceRow, codes: frozenset[str], notes: Iterable[Issue]) -> None:
    """Of these codes the invoice carries these notes from now on, and no others."""
    row.notes = [note for note in row.notes if note["code"] not in codes]
    for note in notes:
        add_note(row, note)


def _foreign_note(foreign: tuple[tuple[str, Decimal], ...]) -> Issue:
    names = ", ".join(text for text, _ in foreign[:3])
    told = "1 line is" if len(foreign) == 1 else f"{len(foreign)} lines are"
    return Issue(
        "warning",
        "foreign_lines",
        f"On the Stripe invoice {told} not ours ({names}), which explains the difference in totals.",
        component="stripe",
    )
