"""OpenMeter's printed cURL examples, read from its documents and sent letter for letter."""

import re
import shlex
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboard.billing import profiles
from dashboard.customers import service as customers
from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox
from tests.contract.sandbox_support import RunningSandbox

PRINTED_V1_CUSTOMER = "01JDJM1WF8Y461YQ9F0EW4WHY2"
PRINTED_V3_ID = "01G65Z755AFWAKHE12NY0CQ9FH"


@dataclass(frozen=True)
class PrintedCall:
    """A cURL command as it stands in a document."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def printed_calls(shared: Path, document: str) -> list[PrintedCall]:
    """Every cURL command of a document, in order."""
    text = (shared / "seeds" / document).read_text()
    found: list[PrintedCall] = []
    for command in re.findall(r"^curl .*?[}\]]'\s*$", text, re.DOTALL | re.MULTILINE):
        words = shlex.split(command.replace("\\\n", " "))
        call: dict[str, Any] = {"headers": {}}
        for index, word in enumerate(words):
            following = words[index + 1] if index + 1 < len(words) else ""
            if word in ("-X", "--request"):
                call["method"] = following
            elif word == "--header":
                name, _, value = following.partition(":")
                call["headers"][name.strip().lower()] = value.strip()
            elif word in ("--data", "--data-raw"):
                call["body"] = following
            elif word.startswith("https://") and "path" not in call:
                call["path"] = urlsplit(word).path
        found.append(PrintedCall(**call))
    return found


async def send(api: ApiHouse, printed: PrintedCall, *, body: str | None = None) -> Any:
    """The printed call with our key; everything else as printed."""
    headers = {name: value for name, value in printed.headers.items() if name != "authorization"}
    content = printed.body if body is None else body
    return await api.ok(printed.method, printed.path, content=content.encode(), headers=headers)


def rename_at_stripe(sandbox: RunningSandbox, old: str, new: str) -> None:
    """Gives something at Stripe the id that the example prints."""
    with sqlite3.connect(sandbox.data_dir / "stripe_sandbox.sqlite3", timeout=10) as store:
        store.execute(
            "UPDATE objects SET id = replace(id, ?1, ?2), customer = replace(customer, ?1, ?2),"
            " body = replace(body, ?1, ?2) WHERE body LIKE '%' || ?1 || '%'",
            (old, new),
        )


@pytest.mark.parametrize("document", ["openmeter-stripe-app.txt", "openmeter-checkout-session.txt"])
async def test_the_printed_checkout_call_opens_a_page(api: ApiHouse, shared_dir: Path, document: str) -> None:
    await api.install()
    printed = next(one for one in printed_calls(shared_dir, document) if "checkout" in one.path)
    done = await send(api, printed)
    assert done["successURL"] == "https://example.com/success"
    assert done["url"]
    customer = await api.ok("GET", f"/api/v1/customers/{done['customerId']}")
    assert (customer["name"], customer["currency"]) == ("ACME, Inc.", "USD")
    assert customer["usageAttribution"] == {"subjectKeys": ["my-identifier"]}


async def test_the_printed_link_of_a_stripe_customer_works(
    api: ApiHouse, api_sandbox: RunningSandbox, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.install()
    rename_at_stripe(api_sandbox, await api.stripe_customer(), "cus_xxxxxxx")
    monkeypatch.setattr(customers, "new_id", lambda: PRINTED_V1_CUSTOMER)
    await api.customer()
    printed = next(one for one in printed_calls(shared_dir, "openmeter-stripe-app.txt") if one.path.endswith("/apps"))
    [link] = await send(api, printed)
    assert link["stripeCustomerId"] == "cus_xxxxxxx"


async def test_the_printed_billing_data_of_v3_works(
    api: ApiHouse, api_sandbox: RunningSandbox, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "new_id", lambda: PRINTED_V3_ID)
    monkeypatch.setattr(customers, "new_id", lambda: PRINTED_V3_ID)
    await api.install()
    await api.customer()
    stripe_customer = await api.stripe_customer()
    card = await api.card(stripe_customer)
    rename_at_stripe(api_sandbox, stripe_customer, "cus_1234567890")
    rename_at_stripe(api_sandbox, card, "pm_1234567890")
    printed = next(
        one for one in printed_calls(shared_dir, "konnect-stripe-integration.txt") if one.path.endswith("/billing")
    )
    done = await send(api, printed)
    assert done["billing_profile"] == {"id": PRINTED_V3_ID}
    assert done["app_data"]["stripe"] == {
        "customer_id": "cus_1234567890",
        "default_payment_method_id": "pm_1234567890",
        "labels": {"env": "test"},
    }
    assert done["app_data"]["external_invoicing"] == {"labels": {"env": "test"}}


async def test_the_printed_sessions_of_v3_work(
    api: ApiHouse, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "new_id", lambda: PRINTED_V3_ID)
    await api.install()
    await api.customer()
    calls = printed_calls(shared_dir, "konnect-stripe-integration.txt")
    checkout = next(one for one in calls if one.path.endswith("/checkout-sessions"))
    # The printed JSON has comments, which no JSON reader takes.
    done = await send(api, checkout, body=re.sub(r"\s#.*", "", checkout.body))
    assert done["success_url"] == "https://example.com/success"
    assert done["currency"] == "USD"
    portal = next(one for one in calls if one.path.endswith("/portal-sessions"))
    assert (await send(api, portal))["return_url"] == "https://your-app.com/portal"
