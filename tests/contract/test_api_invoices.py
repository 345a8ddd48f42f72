"""Invoices through v1: charges that wait, drafts that are changed, and what can be asked of them."""

from typing import Any

import pytest

from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_sandbox as api_sandbox

INVOICES = "/api/v1/billing/invoices"


def flat(name: str = "Set-up", amount: str = "100", **more: Any) -> dict[str, Any]:
    """A charge by hand whose date has passed."""
    return {
        "name": name,
        "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
        "invoiceAt": "2026-01-02T00:00:00Z",
        "rateCard": {"price": {"type": "flat", "amount": amount, "paymentTerm": "in_advance"}},
        **more,
    }


async def billed_customer(api: ApiHouse) -> dict[str, Any]:
    """Acme, linked to Stripe with a card."""
    await api.install()
    customer = await api.customer(key="acme", currency="USD", billingAddress={"country": "US", "postalCode": "94105"})
    stripe_customer = await api.stripe_customer(email="ap@acme.test")
    link = {"stripeCustomerId": stripe_customer, "stripeDefaultPaymentMethodId": await api.card(stripe_customer)}
    await api.ok("PUT", "/api/v1/customers/acme/stripe", link)
    return customer


async def pending(api: ApiHouse, customer: dict[str, Any], *lines: dict[str, Any]) -> dict[str, Any]:
    """The answer to putting lines on the customer's gathering invoice."""
    path = f"/api/v1/billing/customers/{customer['id']}/invoices/pending-lines"
    return await api.ok("POST", path, {"currency": "USD", "lines": list(lines)})


async def draft(api: ApiHouse, *lines: dict[str, Any]) -> dict[str, Any]:
    """A draft of these lines."""
    customer = await billed_customer(api)
    await pending(api, customer, *(lines or (flat(),)))
    [invoice] = await api.ok("POST", f"{INVOICES}/invoice", {"customerId": customer["id"]})
    return invoice


async def test_pending_lines_gather_and_are_invoiced(api: ApiHouse) -> None:
    customer = await billed_customer(api)
    first = await pending(api, customer, flat(metadata={"order": "7"}))
    assert (first["isInvoiceNew"], first["invoice"]["status"]) == (True, "gathering")
    assert first["lines"][0]["totals"]["total"] == "100"
    second = await pending(api, customer, flat("Support", "49.99"))
    assert (second["isInvoiceNew"], second["invoice"]["id"]) == (False, first["invoice"]["id"])
    listed = await api.ok("GET", f"{INVOICES}?statuses=gathering&expand=lines")
    assert [line["name"] for line in listed["items"][0]["lines"]] == ["Set-up", "Support"]
    [made] = await api.ok("POST", f"{INVOICES}/invoice", {"customerId": customer["id"]})
    assert made["totals"]["total"] == "149.99"
    assert made["customer"]["name"] == "ACME, Inc."
    problem = await api.refused(400, "POST", f"{INVOICES}/invoice", {"customerId": customer["id"]})
    assert problem["extensions"]["code"] == "invoice_create_no_lines"
    future = {"customerId": customer["id"], "asOf": "2199-01-01T00:00:00Z"}
    await api.refused(400, "POST", f"{INVOICES}/invoice", future)


async def test_a_simulation_stores_nothing(api: ApiHouse) -> None:
    customer = await billed_customer(api)
    path = f"/api/v1/billing/customers/{customer['id']}/invoices/simulate"
    line = flat() | {"quantity": "3"}
    simulated = await api.ok("POST", path, {"currency": "USD", "lines": [line]})
    assert (simulated["number"], simulated["totals"]["total"]) == ("INV-SIMULATED", "300")
    assert (await api.ok("GET", INVOICES))["totalCount"] == 0


async def test_a_draft_is_replaced_and_keeps_what_v1_cannot_say(api: ApiHouse) -> None:
    invoice = await draft(api, flat("Keep"), flat("Drop"))
    assert [line["name"] for line in invoice["lines"]] == ["Keep", "Drop"]
    body = {name: invoice[name] for name in ("supplier", "customer", "workflow")}
    kept = invoice["lines"][0] | {"name": "Kept"}
    changed = await api.ok(
        "PUT",
        f"{INVOICES}/{invoice['id']}",
        body | {"description": "For January", "metadata": {"a": "b"}, "lines": [kept, flat("New", "5")]},
    )
    assert sorted(line["name"] for line in changed["lines"]) == ["Kept", "New"]
    assert (changed["totals"]["total"], changed["description"], changed["metadata"]) == (
        "105",
        "For January",
        {"a": "b"},
    )
    other = body | {"supplier": {"name": "Somebody else"}, "lines": []}
    await api.refused(400, "PUT", f"{INVOICES}/{invoice['id']}", other)


async def test_a_gathering_invoice_is_replaced_too(api: ApiHouse) -> None:
    customer = await billed_customer(api)
    invoice = (await pending(api, customer, flat("Keep"), flat("Drop")))["invoice"]
    body = {name: invoice[name] for name in ("supplier", "customer", "workflow")}
    lines = [invoice["lines"][0] | {"name": "Kept"}, flat("New", "5")]
    changed = await api.ok("PUT", f"{INVOICES}/{invoice['id']}", body | {"lines": lines})
    assert sorted(line["name"] for line in changed["lines"]) == ["Kept", "New"]
    problem = await api.refused(400, "DELETE", f"{INVOICES}/{invoice['id']}")
    assert problem["extensions"]["code"] == "invoice_cannot_delete_gathering"


async def test_an_invoice_is_moved_along_until_stripe_has_it_and_voided(api: ApiHouse) -> None:
    customer = await billed_customer(api)
    profile = (await api.ok("GET", "/api/v1/billing/profiles"))["items"][0]
    profile["workflow"]["payment"] = {"collectionMethod": "send_invoice"}
    profile["workflow"]["invoicing"] |= {"autoAdvance": False, "dueAfter": "P14D"}
    profile["workflow"]["tax"] = {"enabled": False, "enforced": False}
    await api.ok("PUT", f"/api/v1/billing/profiles/{profile['id']}", profile)
    await pending(api, customer, flat())
    [invoice] = await api.ok("POST", f"{INVOICES}/invoice", {"customerId": customer["id"]})
    path = f"{INVOICES}/{invoice['id']}"
    moved = await api.ok("POST", f"{path}/advance")
    assert moved["statusDetails"]["extendedStatus"] == "draft.manual_approval_needed", moved
    assert moved["statusDetails"]["availableActions"]["approve"]["resultingState"]
    recalculated = await api.ok("POST", f"{path}/taxes/recalculate")
    assert recalculated["status"] == "draft"
    assert (await api.ok("POST", f"{path}/advance"))["statusDetails"]["availableActions"]["approve"]
    approved = await api.ok("POST", f"{path}/approve")
    assert approved["status"] == "payment_processing"
    assert approved["externalIds"]["invoicing"].startswith("in_")
    assert approved["statusDetails"]["immutable"]
    assert approved["dueAt"]
    assert (await api.refused(400, "POST", f"{path}/approve"))["extensions"]["code"] == "invoice_action_not_available"
    whole = {"action": {"percentage": 100, "action": {"type": "discard"}}, "reason": "A mistake"}
    half = {"action": {"percentage": 50, "action": {"type": "discard"}}, "reason": "A mistake"}
    await api.refused(400, "POST", f"{path}/void", half)
    assert (await api.ok("POST", f"{path}/void", whole))["status"] == "voided"
    seen = await api.stripe("GET", f"/v1/invoices/{approved['externalIds']['invoicing']}")
    assert seen["status"] == "void"


async def test_a_draft_is_deleted(api: ApiHouse) -> None:
    invoice = await draft(api)
    assert await api.ok("DELETE", f"{INVOICES}/{invoice['id']}") is None
    assert (await api.ok("GET", f"{INVOICES}/{invoice['id']}"))["deletedAt"]
    assert (await api.ok("GET", f"{INVOICES}?statuses=draft"))["totalCount"] == 0
    assert (await api.ok("GET", f"{INVOICES}?includeDeleted=true"))["totalCount"] == 2


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("statuses=draft", 1),
        ("statuses=paid", 0),
        ("statuses=draft&statuses=paid", 1),
        ("extendedStatuses=draft.created", 1),
        ("extendedStatuses=no.such", 0),
        ("periodStartAfter=2026-01-01T00:00:00Z", 1),
        ("periodStartAfter=2026-02-01T00:00:00Z", 0),
        ("periodStartBefore=2026-01-02T00:00:00Z&expand=lines", 1),
        ("createdBefore=2001-01-01T00:00:00Z", 0),
        ("customers=01G65Z755AFWAKHE12NY0CQ9FH", 0),
        ("orderBy=customer.name&order=DESC&statuses=draft", 1),
    ],
)
async def test_invoices_are_filtered(api: ApiHouse, query: str, count: int) -> None:
    await draft(api)
    assert (await api.ok("GET", f"{INVOICES}?{query}"))["totalCount"] == count


async def test_v3_shows_changes_and_moves_invoices(api: ApiHouse) -> None:
    invoice = await draft(api, flat("Keep", "10", metadata={"label": "ok"}), flat("Drop"))
    base = "/v3/openmeter/billing/invoices"
    path = f"{base}/{invoice['id']}"
    seen = await api.ok("GET", path)
    assert [line["name"] for line in seen["lines"]] == ["Keep", "Drop"]
    assert seen["lines"][0]["labels"] == {"label": "ok"}
    listed = await api.ok("GET", f"{base}?filter[status]=draft&filter[customer_id]={seen['customer']['id']}")
    assert [one["id"] for one in listed["data"]] == [invoice["id"]]
    assert (await api.ok("GET", f"{base}?filter[status][oeq]=paid,voided"))["data"] == []
    assert (await api.ok("GET", f"{base}?filter[created_at][gte]=2199-01-01T00:00:00Z"))["data"] == []
    body = {
        "type": "standard",
        "supplier": {"name": seen["supplier"]["name"]},
        "customer": {"id": seen["customer"]["id"], "name": seen["customer"]["name"]},
        "workflow": {"workflow": {}},
        "lines": [
            {name: seen["lines"][0][name] for name in ("type", "id", "service_period", "rate_card")} | {"name": "Kept"}
        ],
    }
    changed = await api.ok("PUT", path, body)
    assert [(line["name"], line["totals"]["total"]) for line in changed["lines"]] == [("Kept", "10")]
    await api.refused(400, "PUT", path, body | {"customer": body["customer"] | {"name": "Somebody else"}})
    gathering = await api.ok("GET", f"{INVOICES}?statuses=gathering")
    for one in gathering["items"]:
        await api.refused(404, "GET", f"{base}/{one['id']}")
    moved = await api.ok("POST", f"{path}/advance")
    assert moved["status"] in ("draft", "issuing", "issued", "payment_processing", "paid")
    await api.refused(400, "POST", f"{path}/snapshot-quantities")
