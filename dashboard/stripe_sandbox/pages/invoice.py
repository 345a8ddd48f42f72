"""The hosted invoice page: read it, pay it, download it."""

import importlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.stripe_sandbox import collection, invoice_engine
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.pages import forms
from dashboard.stripe_sandbox.pages.rendering import notice, page, see
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.resources import accounts

PAYABLE = ("open", "uncollectible")


class InvoicePages:
    """One finalized invoice, found by its unguessable address."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def show(self, request: Request) -> Response:
        """The invoice and, while it is open, the form to pay it."""
        ctx, invoice = self._invoice(request)
        if ctx is None or invoice is None:
            return notice("Page not found", "This invoice link is not valid (any more).", 404)
        country = (invoice["customer_address"] or {}).get("country") or "US"
        given = forms.entered(country=country, name=invoice["customer_name"] or "")
        intent = collection.default_intent(ctx, invoice)
        if intent and intent["last_payment_error"] and invoice["status"] in PAYABLE:
            given.errors[""] = intent["last_payment_error"]["message"]
        return self._page(ctx, invoice, given)

    async def pay(self, request: Request) -> Response:
        """The typed form: complaints, 3-D Secure, or paid."""
        ctx, invoice = self._invoice(request)
        if ctx is None or invoice is None:
            return notice("Page not found", "This invoice link is not valid (any more).", 404)
        given = forms.entered(await request.form())
        with ctx.store.work():
            invoice = ctx.need("invoice", invoice["id"])
            intent = collection.default_intent(ctx, invoice)
            if invoice["status"] not in PAYABLE or (intent and intent["status"] == "processing"):
                return see(invoice["hosted_invoice_url"])
            method = forms.read_method(ctx, given, self._types(invoice, intent))
            if method is None:
                return self._page(ctx, invoice, given, 422)
            method["customer"] = invoice["customer"]
            ctx.save(method)
            ctx.emit("payment_method.attached", method)
            collection.attempt(ctx, invoice, method, off_session=False)
            intent = collection.default_intent(ctx, invoice)
            waits = intent and intent["status"] == "requires_action"
            challenge = intent["next_action"]["redirect_to_url"]["url"] if intent and waits else None
            url = challenge or invoice["hosted_invoice_url"]
        self._sandbox.sender.wake()
        return see(url)

    async def pdf(self, request: Request) -> Response:
        """The invoice as a PDF document."""
        ctx, invoice = self._invoice(request)
        if ctx is None or invoice is None:
            return notice("Page not found", "This invoice link is not valid (any more).", 404)
        # The PDF library takes a third of a second to load, and most sandboxes never draw one.
        pdf = importlib.import_module("dashboard.stripe_sandbox.pdf")
        content = pdf.invoice_pdf(invoice, invoice_engine.lines_of(ctx, invoice), accounts.display_name(ctx))
        name = f"Invoice-{invoice['number']}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, media_type="application/pdf", headers=headers)

    async def credit_note(self, request: Request) -> Response:
        """A credit note as a PDF document."""
        ctx = self._sandbox.context(request.path_params["account"])
        note = ctx.get(request.path_params["note"])
        if not note or note.get("_page_key") != request.path_params["key"]:
            return notice("Page not found", "This link is not valid (any more).", 404)
        pdf = importlib.import_module("dashboard.stripe_sandbox.pdf")
        invoice = ctx.need("invoice", note["invoice"])
        content = pdf.credit_note_pdf(note, invoice, accounts.display_name(ctx))
        headers = {"Content-Disposition": f'attachment; filename="{note["number"]}.pdf"', "Cache-Control": "no-store"}
        return Response(content, media_type="application/pdf", headers=headers)

    def _page(self, ctx: Context, invoice: dict[str, Any], given: forms.Entered, status: int = 200) -> Response:
        intent = collection.default_intent(ctx, invoice)
        charge = ctx.get(intent["latest_charge"]) if intent and intent["latest_charge"] else None
        method = ctx.get(charge["payment_method"]) if charge else None
        return page(
            "invoice.html",
            status,
            seller=accounts.display_name(ctx),
            invoice=invoice,
            lines=invoice_engine.lines_of(ctx, invoice),
            rates={
                entry["tax_rate_details"]["tax_rate"]: _rate_name(ctx, entry) for entry in invoice["total_taxes"] or []
            },
            given=given,
            payable=invoice["status"] in PAYABLE,
            processing=bool(intent and intent["status"] == "processing"),
            challenge=_challenge(intent),
            paid_with=method if invoice["status"] == "paid" else None,
            now=ctx.now_for(invoice),
            bank_transfer=invoice["collection_method"] == "send_invoice",
            **forms.form_values(self._types(invoice, intent)),
        )

    @staticmethod
    def _types(invoice: dict[str, Any], intent: dict[str, Any] | None) -> list[str]:
        chosen = invoice["payment_settings"]["payment_method_types"]
        return chosen or [*(intent["payment_method_types"] if intent else []), "us_bank_account"]

    def _invoice(self, request: Request) -> tuple[Context | None, dict[str, Any] | None]:
        account = request.path_params["account"]
        ctx = self._sandbox.context(account)
        found = ctx.find("invoice", {"_page_key": request.path_params["key"]}, limit=1)
        return (ctx, found[0]) if found else (None, None)


def routes(sandbox: Sandbox) -> list[Route]:
    """`/i/{account}/{key}` and its PDF."""
    pages = InvoicePages(sandbox)
    return [
        Route("/i/{account}/{key}", pages.show, methods=["GET"]),
        Route("/i/{account}/{key}", pages.pay, methods=["POST"]),
        Route("/i/{account}/{key}/pdf", pages.pdf, methods=["GET"]),
        Route("/cn/{account}/{note}/{key}/pdf", pages.credit_note, methods=["GET"]),
    ]


def _challenge(intent: dict[str, Any] | None) -> str | None:
    if not intent or intent["status"] != "requires_action":
        return None
    return intent["next_action"]["redirect_to_url"]["url"]


def _rate_name(ctx: Context, entry: dict[str, Any]) -> str:
    rate = ctx.get(entry["tax_rate_details"]["tax_rate"]) or {}
    place = rate.get("jurisdiction") or ""
    percent = f"{rate.get('percentage', 0):g}%"
    note = " (reverse charge)" if entry["taxability_reason"] == "reverse_charge" else ""
    included = ", included" if entry["tax_behavior"] == "inclusive" else ""
    return f"{rate.get('display_name', 'Tax')}{' – ' + place if place else ''} ({percent}{included}){note}"
