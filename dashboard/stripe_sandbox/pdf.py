"""An invoice as a PDF document, drawn with reportlab."""

import io
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from dashboard.stripe_sandbox.currencies import shown

_styles = getSampleStyleSheet()
_TEXT = ParagraphStyle("text", parent=_styles["BodyText"], fontSize=9, leading=12)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=8, textColor=colors.HexColor("#566073"))
_TITLE = ParagraphStyle("title", parent=_styles["Title"], alignment=0, fontSize=20, spaceAfter=4 * mm)
_BIG = ParagraphStyle("big", parent=_TEXT, fontSize=14, leading=18, fontName="Helvetica-Bold")


def invoice_pdf(invoice: dict[str, Any], lines: list[dict[str, Any]], seller: str) -> bytes:
    """The document's bytes; A4, or letter for sellers in the US and Canada."""
    return _document(f"Invoice {invoice['number']}", seller, _page_size(invoice), _story(invoice, lines, seller))


def credit_note_pdf(note: dict[str, Any], invoice: dict[str, Any], seller: str) -> bytes:
    """The credit note's bytes, on the same paper as its invoice."""
    currency = note["currency"]
    taxes = sum(entry["amount"] for entry in note["total_taxes"] if entry["tax_behavior"] == "exclusive")
    rows = [("Subtotal", note["subtotal"]), ("Discount", -note["discount_amount"]), ("Tax", taxes)]
    lines = [
        {**line, "period": {"start": 0, "end": 0}, "quantity_decimal": str(line["quantity"] or 1)}
        for line in note["_lines"]
    ]
    story: list[Any] = [
        Paragraph("Credit note", _TITLE),
        _pairs([("Number", note["number"]), ("Invoice", invoice["number"]), ("Date", _day(note["effective_at"]))]),
        Spacer(1, 6 * mm),
        _parties(invoice, seller),
        Spacer(1, 8 * mm),
        _lines(lines, currency),
        Spacer(1, 2 * mm),
        _sums([row for row in rows if row[1]] + [("Total credited", note["total"])], currency),
    ]
    if note["memo"]:
        story += [Spacer(1, 6 * mm), Paragraph(escape(note["memo"]), _SMALL)]
    return _document(f"Credit note {note['number']}", seller, _page_size(invoice), story)


def _page_size(invoice: dict[str, Any]) -> tuple[float, float]:
    chosen = ((invoice["rendering"] or {}).get("pdf") or {}).get("page_size", "auto")
    american = invoice["account_country"] in ("US", "CA")
    return LETTER if chosen == "letter" or (chosen in ("auto", None) and american) else A4


def _document(title: str, seller: str, size: tuple[float, float], story: list[Any]) -> bytes:
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target, pagesize=size, leftMargin=20 * mm, rightMargin=20 * mm, topMargin=22 * mm, bottomMargin=20 * mm,
        title=title, author=seller,
    )  # fmt: skip
    document.build(story, onFirstPage=_frame, onLaterPages=_frame)
    return target.getvalue()


def _story(invoice: dict[str, Any], lines: list[dict[str, Any]], seller: str) -> list[Any]:
    currency = invoice["currency"]
    headline = {
        "paid": f"{shown(invoice['amount_paid'], currency)} paid on {_day(invoice['status_transitions']['paid_at'])}",
        "void": "This invoice was voided",
    }.get(
        invoice["status"],
        f"{shown(invoice['amount_remaining'], currency)} due {_day(invoice['due_date'] or invoice['effective_at'])}",
    )
    story: list[Any] = [
        Paragraph("Invoice", _TITLE),
        _facts(invoice),
        Spacer(1, 6 * mm),
        _parties(invoice, seller),
        Spacer(1, 8 * mm),
        Paragraph(escape(headline), _BIG),
        Spacer(1, 6 * mm),
    ]
    if invoice["description"]:
        story += [Paragraph(escape(invoice["description"]), _TEXT), Spacer(1, 4 * mm)]
    story += [_lines(lines, currency), Spacer(1, 2 * mm), _totals(invoice)]
    if any(entry["taxability_reason"] == "reverse_charge" for entry in invoice["total_taxes"] or []):
        story += [Spacer(1, 4 * mm), Paragraph("Tax to be paid on reverse charge basis.", _SMALL)]
    if invoice["footer"]:
        story += [Spacer(1, 8 * mm), Paragraph(escape(invoice["footer"]), _SMALL)]
    return story


def _facts(invoice: dict[str, Any]) -> Table:
    rows = [("Invoice number", invoice["number"]), ("Date of issue", _day(invoice["effective_at"]))]
    if invoice["due_date"]:
        rows.append(("Date due", _day(invoice["due_date"])))
    rows += [(entry["name"], entry["value"]) for entry in invoice["custom_fields"] or []]
    return _pairs(rows)


def _pairs(rows: list[tuple[str, str]]) -> Table:
    cells = [[Paragraph(escape(name), _TEXT), Paragraph(escape(value), _TEXT)] for name, value in rows]
    table = Table(cells, colWidths=[35 * mm, 80 * mm], hAlign="LEFT")
    close = [("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)]
    table.setStyle(TableStyle([*close, ("LEFTPADDING", (0, 0), (0, -1), 0)]))
    return table


def _parties(invoice: dict[str, Any], seller: str) -> Table:
    place = invoice["customer_address"] or {}
    names = ("line1", "line2", "postal_code", "city", "state", "country")
    to = [invoice["customer_name"], *(place.get(name) for name in names), invoice["customer_email"]]
    to += [entry["value"] for entry in invoice["customer_tax_ids"] or []]
    left = Paragraph(f"<b>{escape(seller)}</b><br/>{escape(invoice['account_country'] or '')}", _TEXT)
    right = Paragraph("<b>Bill to</b><br/>" + "<br/>".join(escape(part) for part in to if part), _TEXT)
    table = Table([[left, right]], colWidths=["50%", "50%"])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)]))
    return table


def _lines(lines: list[dict[str, Any]], currency: str) -> Table:
    rows: list[list[Any]] = [["Description", "Qty", "Amount"]]
    for line in lines:
        text = escape(line["description"] or "–")
        period = line["period"]
        if period["start"] != period["end"]:
            text += f'<br/><font size="7.5" color="#566073">{_day(period["start"])} – {_day(period["end"])}</font>'
        rows.append([Paragraph(text, _TEXT), line["quantity_decimal"], shown(line["amount"], currency)])
    table = Table(rows, colWidths=["64%", "14%", "22%"], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("FONTSIZE", (0, 0), (-1, -1), 9),
                ("TEXTCOLOR", (0, 0), (-1, 0), colors.HexColor("#566073")),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.HexColor("#1a2233")),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, colors.HexColor("#d9dee7")),
                ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
            ]
        )
    )
    return table


def _totals(invoice: dict[str, Any]) -> Table:
    currency = invoice["currency"]
    rows = [("Subtotal", invoice["subtotal"])]
    rows += [("Discount", -entry["amount"]) for entry in invoice["total_discount_amounts"] or []]
    if invoice["total_taxes"]:
        rows.append(("Total excluding tax", invoice["total_excluding_tax"]))
    for entry in invoice["total_taxes"] or []:
        rows.append(("Tax" if entry["tax_behavior"] == "exclusive" else "Tax (included)", entry["amount"]))
    rows.append(("Total", invoice["total"]))
    applied = invoice["starting_balance"] - (invoice["ending_balance"] or 0)
    if applied:
        rows.append(("Applied balance", applied))
    if invoice["amount_paid"]:
        rows.append(("Amount paid", invoice["amount_paid"]))
    rows.append(("Amount due", 0 if invoice["status"] == "void" else invoice["amount_remaining"]))
    return _sums(rows, currency)


def _sums(rows: list[tuple[str, int]], currency: str) -> Table:
    table = Table([["", name, shown(amount, currency)] for name, amount in rows], colWidths=["50%", "28%", "22%"])
    table.setStyle(
        TableStyle(
            [
                ("FONTSIZE", (0, 0), (-1, -1), 9),
                ("ALIGN", (2, 0), (2, -1), "RIGHT"),
                ("LINEABOVE", (1, 0), (-1, -1), 0.3, colors.HexColor("#d9dee7")),
                ("FONTNAME", (1, -1), (-1, -1), "Helvetica-Bold"),
            ]
        )
    )
    return table


def _frame(canvas: Canvas, document: Any) -> None:
    """The note on every page that this is no real invoice."""
    canvas.saveState()
    canvas.setFont("Helvetica-Bold", 8)
    canvas.setFillColor(colors.HexColor("#7a4b00"))
    canvas.drawString(20 * mm, document.pagesize[1] - 12 * mm, "Sandbox: not Stripe. Not a real invoice.")
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(colors.HexColor("#566073"))
    canvas.drawRightString(document.pagesize[0] - 20 * mm, 10 * mm, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()


def _day(moment: int | None) -> str:
    if moment is None:
        return "–"
    when = datetime.fromtimestamp(moment, UTC)
    return f"{when:%B} {when.day}, {when.year}"
