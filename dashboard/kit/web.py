"""Small rules of the web that both front doors keep: the session's cookie, whose forms we take, where we may lead."""

from collections.abc import Mapping
from urllib.parse import urlsplit

SESSION_COOKIE = "meterdesk_session"


def is_own_form(headers: Mapping[str, str], public_url: str | None = None) -> bool:
    """Whether a POST came from a page of ours, by the Origin header, else by Sec-Fetch-Site.

    A request with neither comes from a program: it carries no cookie that it was not given. Headers are in lower case.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    own = {headers.get("host", ""), urlsplit(public_url or "").netloc} - {""}
    return urlsplit(origin).netloc in own


def local_path(wanted: str, otherwise: str = "/") -> str:
    """`wanted` if it is an address on this very server, else `otherwise`: a link must not lead people elsewhere."""
    plain = wanted.isprintable() and "\\" not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else otherwise


def cookie_value(header: str, name: str = SESSION_COOKIE) -> str | None:
    """The value of a cookie in a Cookie header; None when it is not there or empty."""
    for pair in header.split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name and value:
            return value
    return None
