"""Rows of invoices at Stripe: what we sent, what Stripe last answered. Nothing here talks to Stripe."""

from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from dashboard.billing.views import ExternalInvoice, Issue
from dashboard.kit.database import Work
from dashboard.kit.money import from_minor
from dashboard.stripe_app.apps import dashboard_url
from dashboard.stripe_app.from_stripe import external_invoice
from dashboard.stripe_app.tables import StripeAppRow, StripeInvoiceRow
from dashboard.stripe_app.to_stripe import METADATA_LINE

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
    """Takes over Stripe's answer about an invoice. Its lines come along for the first ten only; those are noted."""
    row.stripe_invoice_id = answer["id"]
    row.status = answer.get("status") or "draft"
    # Payments come only with reads that ask for them; until the next such read the last known ones are the best.
    before = {"payments": row.answer["payments"]} if row.answer and "payments" in row.answer else {}
    row.answer = before | {name: value for name, value in answer.items() if name != "lines"}
    row.answered_at = work.now
    for line in (answer.get("lines") or {}).get("data") or []:
        key = (line.get("metadata") or {}).get(METADATA_LINE)
        if key:
            row.line_ids = {**row.line_ids, key: line["id"]}
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
        [line.get("description") or line["id"], str(from_minor(line["amount"], line["currency"]))]
        for line in lines
        if not is_ours(line)
    ]


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


def _foreign_note(foreign: tuple[tuple[str, Decimal], ...]) -> Issue:
    names = ", ".join(text for text, _ in foreign[:3])
    return Issue(
        "warning",
        "foreign_lines",
        f"{len(foreign)} lines on the Stripe invoice are not ours ({names}); they explain the difference in totals.",
        component="stripe",
    )
