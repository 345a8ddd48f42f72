"""How pages are made: templates, filters, and answers that browsers may not cache or frame."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from dashboard.stripe_sandbox.currencies import shown

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, status: int = 200, *, frameable: bool = False, **values: Any) -> HTMLResponse:
    """A page from a template. Only the embedded checkout may be framed."""
    headers = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        **({} if frameable else {"Content-Security-Policy": "frame-ancestors 'none'"}),
    }
    return HTMLResponse(_environment.get_template(template).render(**values), status, headers)


def see(url: str) -> RedirectResponse:
    """After a form: go there with GET."""
    return RedirectResponse(url, 303)


def notice(
    title: str, text: str, status: int = 200, *, link: str | None = None, label: str = "Return", **more: Any
) -> HTMLResponse:
    """A page that only says something: expired, gone, already done."""
    return page("notice.html", status, title=title, text=text, link=link, label=label, **more)


def day(moment: int | None) -> str:
    """`December 1, 2026`, or a dash."""
    if moment is None:
        return "–"
    when = datetime.fromtimestamp(moment, UTC)
    return f"{when:%B} {when.day}, {when.year}"


def minute(moment: float | None) -> str:
    """`2026-12-01 10:30:00`, or a dash."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}" if moment is not None else "–"


def method_name(method: dict[str, Any]) -> str:
    """`Visa •••• 4242`."""
    facts = method[method["type"]]
    if method["type"] == "card":
        names = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}
        return f"{names.get(facts['brand'], facts['brand'].title())} •••• {facts['last4']}"
    if method["type"] == "us_bank_account":
        return f"{facts['bank_name'].title()} •••• {facts['last4']}"
    if method["type"] == "sepa_debit":
        return f"SEPA Direct Debit •••• {facts['last4']}"
    return method["type"].replace("_", " ").title()


_environment.filters |= {"money": shown, "day": day, "minute": minute, "method_name": method_name}
