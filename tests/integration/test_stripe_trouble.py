"""When something is wrong: keys, tax, customers in a hurry. Billing, the Stripe room and the sandbox together."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr

from dashboard.billing.actions import push_on
from dashboard.billing.queries import stuck_invoices
from dashboard.billing.service import perform_action
from dashboard.billing.views import CollectionMethod, InvoiceAction, InvoiceStatus
from dashboard.stripe_app import customer_link
from dashboard.stripe_app.app_life import replace_key
from dashboard.stripe_app.errors import StripeTaxProblem, StripeUnauthorized
from dashboard.stripe_app.health_figures import refresh_health_figures
from dashboard.stripe_app.inputs import LinkStripeCustomer
from dashboard.stripe_app.jobs import stripe_sweep
from dashboard.stripe_app.tables import StripeAppRow
from tests.integration.test_stripe_amounts import open_desk
from tests.integration.test_stripe_invoices import BERLIN
from tests.integration.test_stripe_invoices import billing as billing
from tests.stripe_house import ADA
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_invoices import detail, line
from tests.stripe_side import switch_tax_on

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

S, A = InvoiceStatus, InvoiceAction


async def app_state(house, app_id: str) -> str:
    async with house.database.read() as session:
        return (await session.get_one(StripeAppRow, app_id)).state


# A revoked key


async def test_a_401_pauses_every_invoice_of_the_app_and_a_new_key_lets_them_go_on_by_themselves(house):
    desk = await open_desk(house)
    await house.fault(effect="unauthorized", path="/v1/invoices", times=1)
    first, second = await desk.bill("10.00"), await desk.bill("20.00")
    assert [(one.status, one.sync_state) for one in (first, second)] == [(S.DRAFT_SYNCING, "unauthorized")] * 2
    refused = [one for one in await house.exchanges() if one["status"] == 401]
    assert len(refused) == 1, "after the first 401 nothing more is asked"
    async with house.database.read() as session:
        stuck = await stuck_invoices(session, house.clock.now())
    assert {one.id for one in stuck} == {first.id, second.id}
    assert all("no longer accepts the API key" in one.reason and "Replace the key" in one.remedy for one in stuck)

    await replace_key(house.desk, ADA, desk.app_id, SecretStr(house.key))
    await house.work_off()
    assert [(await house.read(one.id)).status for one in (first, second)] == [S.PAYMENT_PENDING] * 2


async def test_a_no_to_the_old_key_that_comes_after_it_was_replaced_stops_nothing(house):
    app = await house.install()

    async def asked_with_the_old_key() -> None:
        async with house.desk.stripe(app.id):
            await replace_key(house.desk, ADA, app.id, SecretStr(house.key))
            raise StripeUnauthorized("Invalid API Key provided", http_status=401)

    with pytest.raises(StripeUnauthorized):
        await asked_with_the_old_key()
    assert await app_state(house, app.id) == "ready"


async def test_an_invoice_that_heard_of_the_refused_key_too_late_goes_on_with_the_next_sweep(house):
    desk = await open_desk(house)
    await house.fault(effect="unauthorized", path="/v1/invoices", times=1)
    held = await desk.bill("10.00")
    async with house.database.transaction(ADA) as work:
        # As if the key had been replaced between Stripe's no and our writing it down.
        (await work.session.get_one(StripeAppRow, desk.app_id)).state = "ready"
    await stripe_sweep(house.desk)
    await house.work_off()
    assert (await house.read(held.id)).status is S.PAYMENT_PENDING


# Tax


async def taxed(house, **workflow):
    """Stripe Tax is set up in Germany; where the customer is, nobody knows."""
    desk = await open_desk(house, "EUR", tax_enabled=True, **workflow)
    await switch_tax_on(house.stripe)
    return desk


async def test_a_location_nobody_knows_holds_an_enforced_invoice_until_it_is_completed(house):
    desk = await taxed(house, tax_enforced=True)
    held = await desk.bill("100.00")
    assert held.status in (S.DRAFT_INVALID, S.ISSUING_FAILED)
    [issue] = [one for one in held.issues if one.severity == "critical"]
    assert issue.remedy
    assert (await house.stripe("GET", "/v1/charges"))["data"] == []
    await house.stripe("POST", f"/v1/customers/{desk.stripe_customer_id}", BERLIN)
    await house.hear(desk.app_id)
    after = await house.read(held.id)
    if after.status is S.ISSUING_FAILED:
        after = await push_on(house.billing, ADA, held.id)
    assert after.status is S.PAYMENT_PENDING
    assert (after.totals.taxes_exclusive, after.totals.total) == (Decimal("19.00"), Decimal("119.00"))


async def test_a_location_nobody_knows_lets_an_unenforced_invoice_out_untaxed_and_says_so(house):
    desk = await taxed(house)
    invoice = await desk.bill("100.00")
    assert invoice.status is S.PAYMENT_PENDING
    assert (invoice.totals.taxes_exclusive, invoice.totals.total) == (0, Decimal("100.00"))
    [issue] = invoice.issues
    assert issue.code in ("tax_dropped", "issued_without_tax")
    assert "Stripe said" in issue.message or "carries none" in issue.message


@pytest.mark.parametrize("enforced", [True, False])
async def test_tax_that_is_switched_off_in_the_account_is_held_or_left_out_in_writing(house, enforced):
    desk = await taxed(house, tax_enforced=enforced)
    await house.stripe("POST", f"/v1/customers/{desk.stripe_customer_id}", BERLIN)
    await house.hear(desk.app_id)
    await house.fault(effect="tax_inactive", path="/v1/invoices", times=0)
    invoice = await desk.bill("100.00")
    codes = {issue.code: issue for issue in invoice.issues}
    if enforced:
        assert invoice.status in (S.DRAFT_SYNC_FAILED, S.ISSUING_FAILED)
        assert "tax settings" in codes["stripe_tax_inactive"].remedy
        await house.clear_faults()
        invoice = await push_on(house.billing, ADA, invoice.id)
        assert (invoice.status, invoice.totals.total) == (S.PAYMENT_PENDING, Decimal("119.00"))
    else:
        assert (invoice.status, invoice.totals.total) == (S.PAYMENT_PENDING, Decimal("100.00"))
        assert codes.keys() & {"tax_dropped", "issued_without_tax"}


async def test_an_outage_of_the_tax_provider_is_waited_for_with_a_visible_next_attempt_whatever_is_enforced(
    house, monkeypatch
):
    desk = await taxed(house)
    await house.stripe("POST", f"/v1/customers/{desk.stripe_customer_id}", BERLIN)
    await house.hear(desk.app_id)
    out_of_order = SimpleNamespace(times=1)
    real = house.desk.gateways.open

    def opened(*args, **more):
        gateway = real(*args, **more)
        finalize = gateway.finalize_invoice

        async def refused(stripe_id, key):
            if out_of_order.times:
                out_of_order.times -= 1
                raise tax_outage()
            return await finalize(stripe_id, key)

        monkeypatch.setattr(gateway, "finalize_invoice", refused)
        return gateway

    monkeypatch.setattr(house.desk.gateways, "open", opened)
    held = await desk.bill("100.00")
    assert (held.status, held.sync_state) == (S.ISSUING, "retrying")
    assert held.next_attempt_at is not None
    house.clock.move_to(held.next_attempt_at)
    after = await push_on(house.billing, ADA, held.id)
    assert (after.status, after.totals.total) == (S.PAYMENT_PENDING, Decimal("119.00"))
    assert after.issues == ()


def tax_outage():
    return StripeTaxProblem(
        "The tax provider does not answer.", http_status=400, stripe_code="taxes_calculation_failed"
    )


async def test_automatic_finalisation_that_fails_in_stripe_is_told_on_the_draft(house):
    desk = await taxed(house, auto_advance=False, tax_enforced=False)
    draft = await desk.bill("100.00")
    assert draft.external is not None
    # Somebody switched automatic advancement on in Stripe's dashboard.
    await house.stripe("POST", f"/v1/invoices/{draft.external.id}", {"auto_advance": "true"})
    await house.sandbox.post("/_sandbox/clock", json={"advance": "P4D"})
    try:

        async def told() -> bool:
            return any(one.type == "invoice.finalization_failed" for one in await house.inbox())

        await house.hear(desk.app_id, until=told)
    finally:
        await house.sandbox.post("/_sandbox/clock", json={"real": True})
    seen = await house.read(draft.id)
    assert seen.status is S.DRAFT_MANUAL_APPROVAL_NEEDED
    assert seen.external is not None
    assert seen.external.status == "draft"
    assert seen.external.failure_code == "customer_tax_location_invalid"


# One writer per customer


async def test_invoices_of_one_customer_written_at_once_are_never_refused_for_a_lock(billing):
    await billing.house.fault(effect="latency", path="/v1/invoices", method="POST", delay_ms=60, times=0)
    many = [billing.invoice(line(detail(str(n + 1)))) for n in range(6)]
    found = await asyncio.gather(*(billing.plug.issue(one) for one in many))
    assert sorted(one.total for one in found) == [Decimal(n + 1) for n in range(6)]
    assert [one["path"] for one in await billing.house.exchanges() if one["status"] == 429] == []


# What a draft follows until it is finalised


async def test_a_card_changed_while_a_draft_waits_for_approval_is_the_one_that_is_charged(house):
    desk = await open_desk(house, auto_advance=False)
    draft = await desk.bill("10.00")
    assert draft.status is S.DRAFT_MANUAL_APPROVAL_NEEDED
    card = await house.stripe(
        "POST", "/v1/payment_methods/pm_card_mastercard/attach", {"customer": desk.stripe_customer_id}
    )
    request = LinkStripeCustomer(
        customer_id=desk.customer.id,
        stripe_customer_id=desk.stripe_customer_id,
        default_payment_method_id=card["id"],
    )
    await customer_link.link_stripe_customer(house.desk, ADA, request)
    approved = await perform_action(house.billing, ADA, draft.id, A.APPROVE)
    assert (await desk.at_stripe(approved))["default_payment_method"] == card["id"]
    await desk.pay(approved)
    [charge] = (await house.stripe("GET", "/v1/charges"))["data"]
    assert charge["payment_method"] == card["id"]


# Declines


async def test_a_decline_shows_stripes_own_next_retry_and_a_paid_retry_clears_it(house):
    desk = await open_desk(house)
    bad = await house.stripe(
        "POST", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": desk.stripe_customer_id}
    )
    request = LinkStripeCustomer(
        customer_id=desk.customer.id, stripe_customer_id=desk.stripe_customer_id, default_payment_method_id=bad["id"]
    )
    await customer_link.link_stripe_customer(house.desk, ADA, request)
    invoice = await desk.bill("10.00")

    async def declined() -> bool:
        return (await house.read(invoice.id)).status is S.PAYMENT_FAILED

    await house.hear(desk.app_id, until=declined)
    failed = await house.read(invoice.id)
    at_stripe = await desk.at_stripe(failed)
    assert failed.external is not None
    assert failed.external.next_payment_attempt_at is not None
    assert int(failed.external.next_payment_attempt_at.timestamp()) == at_stripe["next_payment_attempt"]
    assert failed.next_attempt_at is None, "the retries are Stripe's, not ours"


# Figures


async def test_metrics_say_how_well_we_hear_from_each_account(house):
    desk = await open_desk(house, collection_method=CollectionMethod.SEND_INVOICE)
    await desk.bill("10.00")
    await house.hear(desk.app_id)
    async with house.database.read() as session:
        await refresh_health_figures(session, house.desk.public_url)
    told = generate_latest().decode()
    for figure in (
        "stripe_app_ready",
        "stripe_last_event_timestamp_seconds",
        "stripe_last_poll_timestamp_seconds",
        "stripe_last_event_lag_seconds",
        "stripe_gaps_healed",
        "stripe_webhook_current",
    ):
        assert f'meterdesk_{figure}{{account_id="{(await house.account_id())}",app_id="{desk.app_id}"}}' in told


async def test_one_click_retries_what_is_stuck_and_never_charges_anybody(house):
    desk = await open_desk(house)
    await house.fault(effect="forbidden", path="/v1/invoices", method="POST", times=1)
    failed = await desk.bill("10.00")
    assert failed.status is S.DRAFT_SYNC_FAILED
    assert (await push_on(house.billing, ADA, failed.id)).status is S.PAYMENT_PENDING
