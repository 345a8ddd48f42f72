"""Letters from Stripe: received, filed once, applied by reading again, whatever the weather; with billing behind it."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from stripe import WebhookSignature

from dashboard.access.inputs import AuditFilter
from dashboard.access.queries import list_audit_entries
from dashboard.billing.jobs import sweep
from dashboard.billing.service import perform_action
from dashboard.billing.views import CollectionMethod, InvoiceAction, InvoiceStatus
from dashboard.kit.paging import PageRequest
from dashboard.stripe_app import apply, customer_link, events_cursor, reconcile, webhooks
from dashboard.stripe_app.app_life import replace_key, uninstall_stripe_app
from dashboard.stripe_app.apps import app_health
from dashboard.stripe_app.checkout import create_checkout_session
from dashboard.stripe_app.errors import (
    BadSignature,
    StripeAppNotFound,
    StripeEventNotFound,
    StripeUnreachable,
    WebhookTooLarge,
)
from dashboard.stripe_app.inbox import get_event, list_events
from dashboard.stripe_app.inputs import CreateCheckoutSession, EventFilter, LinkStripeCustomer
from dashboard.stripe_app.links import get_links
from dashboard.stripe_app.reconcile import reconcile_app
from dashboard.stripe_app.tables import StripeAppRow, StripeEventRow, StripeInvoiceRow
from dashboard.stripe_app.views import EventState
from dashboard.stripe_app.webhook_endpoint import rotate_signing_secret
from dashboard.stripe_app.webhooks import LARGEST_BODY
from tests.cast import draft_for, make_profile
from tests.contract.sandbox_support import Receiver, eventually
from tests.stripe_house import ADA
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox
from tests.stripe_side import link_payer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC = "http://127.0.0.1:9"
S = InvoiceStatus


async def secret_of(house, app) -> str:
    async with house.database.read() as session:
        row = await session.get_one(StripeAppRow, app.id)
    return house.desk.secrets.open(row.sealed_webhook_secret or "")


def letter(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": "customer.updated",
        "created": int(time.time()),
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "cus_1", "object": "customer"}},
        "request": {"id": None, "idempotency_key": None},
    } | changes


async def post(house, app, body: dict[str, Any] | bytes, *, secret=None, at=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    header = WebhookSignature.generate_signature_header(raw.decode(), secret or await secret_of(house, app), at)
    return await house.desk.letterbox.receive(app.id, raw, header)


async def with_webhook(house):
    house.desk.public_url = PUBLIC
    return await house.install()


async def billed_customer(house, app, card="pm_card_visa", **workflow):
    """A profile that sends at once, and a linked customer with this card."""
    async with house.database.transaction(ADA) as work:
        await make_profile(work, app_id=app.id, collection_interval="PT0S", tax_enabled=False, **workflow)
    customer = await house.customer(currency="USD")
    await link_payer(house.desk, ADA, house.stripe, customer.id, card=card)
    return customer


async def issued(house, customer, amount="10.00"):
    draft = await draft_for(house.database, customer, amount)
    await house.work_off()
    return await house.read(draft.id)


# Receiving


async def test_a_letter_as_stripe_really_sends_it_is_taken_and_applied(house):
    receiver = Receiver()
    try:
        app = await with_webhook(house)
        [endpoint] = (await house.stripe("GET", "/v1/webhook_endpoints"))["data"]
        await house.stripe("POST", f"/v1/webhook_endpoints/{endpoint['id']}", {"url": receiver.url})
        customer = await house.customer()
        link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
        await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", {"email": "new@acme.example.com"})
        eventually(lambda: "customer.updated" in receiver.types)
        for one in receiver.letters:
            assert (await house.desk.letterbox.receive(app.id, one.body, one.signature)).is_new
        await house.work_off()
    finally:
        receiver.close()
    [event] = await house.inbox(type="customer.updated")
    assert event.state is EventState.APPLIED
    assert event.via == "webhook"
    assert event.customer_id == customer.id


async def test_a_letter_that_comes_twice_is_filed_once_and_thanked_for_twice(house):
    app = await with_webhook(house)
    assert (await post(house, app, letter())).is_new
    assert not (await post(house, app, letter())).is_new
    assert len(await house.inbox()) == 1


async def test_defect_4_a_replayed_old_letter_a_forged_and_a_huge_one_are_refused(house):
    app = await with_webhook(house)
    with pytest.raises(BadSignature):
        await post(house, app, letter(), at=int(time.time()) - 301)
    with pytest.raises(BadSignature):
        await post(house, app, letter(), at=int(time.time()) + 301)
    with pytest.raises(BadSignature):
        await post(house, app, letter(), secret="whsec_other")
    with pytest.raises(WebhookTooLarge):
        await post(house, app, b"x" * (LARGEST_BODY + 1))
    for nonsense in (b"", b"{", b"[]", b"null", b'{"id": 1}', b'{"id": "evt", "type": "x", "created": "now"}'):
        with pytest.raises(BadSignature):
            await post(house, app, nonsense)
    assert await house.inbox() == []


async def test_a_letter_for_an_app_nobody_knows_or_that_left_is_not_found(house):
    app = await house.install()
    for app_id in ("01H00000000000000000000000", "x"):
        with pytest.raises(StripeAppNotFound):
            await house.desk.letterbox.receive(app_id, b"{}", "t=1,v1=a")
    with pytest.raises(BadSignature):
        await house.desk.letterbox.receive(app.id, b"{}", "t=1,v1=a")


async def test_an_app_that_left_takes_letters_for_a_second_at_most_and_ignores_them(house, monkeypatch):
    app = await with_webhook(house)
    secret = await secret_of(house, app)
    await post(house, app, letter(id="evt_before"))
    await house.work_off()
    await uninstall_stripe_app(house.desk, ADA, app.id)
    assert (await post(house, app, letter(id="evt_within"), secret=secret)).is_new
    await house.work_off()
    [event] = [one for one in await house.inbox() if one.event_id == "evt_within"]
    assert (event.state, event.reason) == (EventState.IGNORED, "This Stripe app was uninstalled.")
    monkeypatch.setattr(webhooks, "REMEMBERED_SECONDS", 0)
    with pytest.raises(StripeAppNotFound):
        await post(house, app, letter(id="evt_after"), secret=secret)


async def test_while_the_secret_is_rotated_both_are_good_for_a_day_then_only_the_new_one(house):
    app = await with_webhook(house)
    old = await secret_of(house, app)
    await rotate_signing_secret(house.desk, ADA, app.id)
    assert (await post(house, app, letter(id="evt_a"), secret=old)).is_new
    assert (await post(house, app, letter(id="evt_b"))).is_new
    house.clock.advance(timedelta(hours=25))
    with pytest.raises(BadSignature):
        await post(house, app, letter(id="evt_c"), secret=old)
    assert (await post(house, app, letter(id="evt_c"))).is_new


# Ignored, with the reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "mandate.updated"}, "does not act"),
        ({"livemode": True}, "other mode"),
        ({}, "not linked"),
        ({"type": "invoice.paid", "data": {"object": {"id": "in_x", "object": "invoice"}}}, "Not one of our invoices"),
        ({"type": "invoice.deleted", "data": {"object": {"id": "in_x", "object": "invoice"}}}, "Not one of our"),
        ({"type": "checkout.session.completed", "data": {"object": {"id": "cs_x"}}}, "not one of ours"),
        ({"type": "setup_intent.succeeded", "data": {"object": {"id": "seti_x"}}}, "no longer exists"),
        ({"type": "charge.refunded", "data": {"object": {"id": "ch_x"}}}, "not made for an invoice"),
        ({"type": "payment_method.detached", "data": {"object": {"id": "pm_x", "customer": None}}}, "no customer of"),
        ({"type": "credit_note.created", "data": {"object": {"id": "cn_x", "invoice": "in_x"}}}, "no invoice of ours"),
    ],
)
async def test_foreign_and_unknown_letters_are_filed_as_ignored_and_say_why(house, changes, reason):
    app = await with_webhook(house)
    await post(house, app, letter(**changes))
    await house.work_off()
    [event] = await house.inbox()
    assert event.state is EventState.IGNORED
    assert reason in (event.reason or "")


async def test_a_setup_intent_of_another_app_of_the_same_account_is_ignored(house):
    app = await with_webhook(house)
    intent = await house.stripe("POST", "/v1/setup_intents", {"metadata[meterdesk_app_id]": "another"})
    await post(house, app, letter(type="setup_intent.succeeded", data={"object": {"id": intent["id"]}}))
    await house.work_off()
    [event] = await house.inbox()
    assert event.state is EventState.IGNORED
    assert "not started by this app" in (event.reason or "")


# What cannot be applied yet


async def test_a_letter_about_an_invoice_whose_making_is_not_written_down_waits_and_is_tried_again(house):
    app = await with_webhook(house)
    ours = {"meterdesk_app_id": app.id, "meterdesk_invoice_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ"}
    customer = await house.stripe("POST", "/v1/customers", {"name": "Acme"})
    metadata = {f"metadata[{name}]": value for name, value in ours.items()}
    made = await house.stripe("POST", "/v1/invoices", {"customer": customer["id"], **metadata})
    await post(house, app, letter(type="invoice.paid", data={"object": {"id": made["id"], "metadata": ours}}))
    await house.work_off()
    [event] = await house.inbox()
    assert event.state is EventState.WAITING
    assert event.next_attempt_at is not None
    pauses = []
    for _ in range(12):
        [event] = await house.inbox()
        if event.next_attempt_at is None:
            break
        pauses.append(event.next_attempt_at - house.clock.now())
        house.clock.advance(pauses[-1] - timedelta(seconds=1))
        assert await house.apply_letters() == 0
        house.clock.advance(timedelta(seconds=1))
        assert await house.apply_letters() == 1
    assert pauses == sorted(pauses)
    assert event.state is EventState.FAILED
    assert event.reason


async def test_a_letter_about_a_draft_that_is_gone_before_its_making_was_written_down_waits_for_nothing(house):
    app = await with_webhook(house)
    ours = {"meterdesk_app_id": app.id, "meterdesk_invoice_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ"}
    await post(house, app, letter(type="invoice.created", data={"object": {"id": "in_gone", "metadata": ours}}))
    await house.work_off()
    [event] = await house.inbox()
    assert (event.state, event.reason) == (EventState.IGNORED, "The invoice no longer exists in Stripe.")


async def test_while_stripe_is_away_a_letter_waits_and_then_has_its_effect(house):
    app, customer = await with_webhook(house), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await post(house, app, letter(data={"object": {"id": link.stripe_customer_id}}))
    await house.fault(effect="unavailable", path="/v1/", times=9)
    await house.work_off()
    await house.clear_faults()
    [event] = await house.inbox()
    assert event.state is EventState.WAITING
    house.clock.advance(timedelta(minutes=2))
    assert await house.apply_letters() == 1
    assert (await house.inbox())[0].state is EventState.APPLIED


async def test_with_a_revoked_key_letters_wait_without_giving_up_until_it_is_replaced(house):
    app, customer = await with_webhook(house), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await house.fault(effect="unauthorized", path="/v1/", times=1)
    await post(house, app, letter(data={"object": {"id": link.stripe_customer_id}}))
    await house.work_off()
    for _ in range(15):
        house.clock.advance(timedelta(hours=7))
        await house.work_off()
    assert (await house.inbox())[0].state is EventState.WAITING
    await replace_key(house.desk, ADA, app.id, SecretStr(house.key))
    assert await house.apply_letters() == 1
    assert (await house.inbox())[0].state is EventState.APPLIED


async def test_a_letter_that_nobody_finished_is_still_due_for_the_next_one(house, monkeypatch):
    app = await with_webhook(house)
    begun = asyncio.Event()

    async def endless(letter):
        begun.set()
        await asyncio.sleep(3600)

    await post(house, app, letter())
    with monkeypatch.context() as patched:
        patched.setattr(apply, "HANDLERS", {**apply.HANDLERS, "customer.updated": endless})
        task = asyncio.create_task(house.apply_letters())
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert await house.apply_letters() == 1
    assert (await house.inbox())[0].state is EventState.IGNORED


async def test_a_letter_that_our_own_fault_stops_waits_and_in_the_end_says_it_failed(house, monkeypatch):
    app = await with_webhook(house)

    async def faulty(letter):
        raise KeyError("status")

    monkeypatch.setattr(apply, "HANDLERS", {**apply.HANDLERS, "customer.updated": faulty})
    await post(house, app, letter())
    await house.work_off()
    [event] = await house.inbox()
    assert event.state is EventState.WAITING
    assert "KeyError" in (event.reason or "")
    for _ in range(12):
        house.clock.advance(timedelta(hours=7))
        await house.work_off()
    assert (await house.inbox())[0].state is EventState.FAILED


async def test_any_letter_can_be_applied_again_by_hand(house):
    app = await with_webhook(house)
    await post(house, app, letter())
    await house.work_off()
    [before] = await house.inbox()
    await house.apply_again(before.id)
    [after] = await house.inbox()
    assert after.state is EventState.IGNORED
    with pytest.raises(StripeEventNotFound):
        await house.apply_again("nobody")


# With billing


async def test_a_charge_at_stripe_makes_our_invoice_paid(house):
    app = await house.install()
    invoice = await issued(house, await billed_customer(house, app))
    assert invoice.status is S.PAYMENT_PENDING

    async def paid():
        return (await house.read(invoice.id)).status is S.PAID

    await house.hear(app.id, until=paid)
    after = await house.read(invoice.id)
    assert after.paid_at is not None
    assert after.external is not None
    assert after.external.amount_remaining == 0
    assert {event.state for event in await house.inbox(invoice_id=invoice.id)} == {EventState.APPLIED}


async def test_a_payment_counts_though_our_own_answer_was_written_down_after_it_was_read(house):
    app = await house.install()
    invoice = await issued(house, await billed_customer(house, app))
    async with house.database.transaction(ADA) as work:
        # The answer to `finalize` was older than the payment, but a busy machine wrote it down later.
        row = await work.session.get_one(StripeInvoiceRow, invoice.id)
        row.answered_at = house.clock.now() + timedelta(seconds=2)

    async def applied():
        letters = await house.inbox(invoice_id=invoice.id)
        return any(one.type == "invoice.paid" and one.state is EventState.APPLIED for one in letters)

    await house.hear(app.id, until=applied)
    after = await house.read(invoice.id)
    assert after.external is not None
    assert (after.status, after.external.status) == (S.PAID, "paid")


async def test_a_declined_card_keeps_the_invoice_open_and_says_why(house):
    app = await house.install()
    invoice = await issued(house, await billed_customer(house, app, "pm_card_chargeCustomerFail"))

    async def failed():
        return (await house.read(invoice.id)).status is S.PAYMENT_FAILED

    await house.hear(app.id, until=failed)
    after = await house.read(invoice.id)
    assert after.external is not None
    assert after.external.failure_code
    assert after.external.next_payment_attempt_at is not None


async def test_defect_3_a_void_in_stripes_dashboard_is_ours_too_whatever_state_we_are_in(house):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE)
    invoice = await issued(house, customer)
    assert invoice.external is not None
    await house.stripe("POST", f"/v1/invoices/{invoice.external.id}/void")
    await house.hear(app.id)
    after = await house.read(invoice.id)
    assert after.status is S.VOIDED
    assert after.voided_at is not None


async def test_several_letters_about_one_invoice_cost_one_reading(house):
    app = await house.install()
    invoice = await issued(house, await billed_customer(house, app))
    assert invoice.external is not None
    await house.charged(invoice.external.id)
    house.clock.advance(timedelta(seconds=1))
    await events_cursor.poll_app(house.desk, app.id)
    house.clock.advance(timedelta(seconds=1))
    before = len(await house.exchanges())
    await house.work_off()
    readings = [one for one in (await house.exchanges())[before:] if "/v1/invoices/in_" in one["path"]]
    assert len(readings) == 1
    about = await house.inbox(invoice_id=invoice.id)
    assert len(about) >= 5
    assert {event.state for event in about} == {EventState.APPLIED}
    assert "invoice_payment.paid" in {event.type for event in about}
    # The step is named by a letter of the invoice itself.
    assert (await house.read(invoice.id)).transitions[-1].trigger.startswith("invoice.")


async def test_a_refund_made_in_stripes_dashboard_shows_on_the_invoice(house):
    app = await house.install()
    invoice = await issued(house, await billed_customer(house, app))

    async def paid():
        return (await house.read(invoice.id)).status is S.PAID

    await house.hear(app.id, until=paid)
    [charge] = (await house.stripe("GET", "/v1/charges"))["data"]
    await house.stripe("POST", "/v1/refunds", {"charge": charge["id"], "amount": "250"})
    await house.hear(app.id)
    after = await house.read(invoice.id)
    assert after.status is S.PAID
    assert "$2.50 of the payment were refunded." in [issue.message for issue in after.issues]


async def test_defect_9_retrying_a_payment_from_here_really_charges_the_new_card(house):
    app = await house.install()
    customer = await billed_customer(house, app, "pm_card_chargeCustomerFail")
    invoice = await issued(house, customer)

    async def failed():
        return (await house.read(invoice.id)).status is S.PAYMENT_FAILED

    await house.hear(app.id, until=failed)
    async with house.database.read() as session:
        [link] = await get_links(session, customer.id)
    card = await house.stripe("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": link.stripe_customer_id})
    request = LinkStripeCustomer(
        customer_id=customer.id, stripe_customer_id=link.stripe_customer_id, default_payment_method_id=card["id"]
    )
    await customer_link.link_stripe_customer(house.desk, ADA, request)
    after = await perform_action(house.billing, ADA, invoice.id, InvoiceAction.RETRY)
    assert after.status is S.PAID
    paid = [one for one in (await house.stripe("GET", "/v1/charges"))["data"] if one["paid"]]
    assert [(one["amount"], one["payment_method"]) for one in paid] == [(1000, card["id"])]


async def test_defect_10_an_invoice_past_its_day_is_overdue_although_stripe_never_said_so(house):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE, due_after="P14D")
    invoice = await issued(house, customer)
    assert invoice.due_at is not None
    house.clock.move_to(invoice.due_at)
    await sweep(house.billing)
    await house.work_off()
    assert (await house.read(invoice.id)).status is S.OVERDUE
    assert [one.type for one in await house.inbox(type="invoice.overdue")] == []


# The cursor


async def test_a_missed_webhook_is_healed_by_asking_and_counted(house):
    app, customer = await with_webhook(house), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", {"email": "x@acme.example.com"})
    await house.hear(app.id)
    async with house.database.read() as session:
        health = await app_health(session, app.id, house.desk.public_url)
    assert health.gaps_healed >= 1
    assert health.last_poll_at is not None
    assert health.problems == ()


async def test_a_webhook_that_was_only_slower_than_polling_is_no_gap(house):
    app, customer = await with_webhook(house), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", {"email": "x@acme.example.com"})
    await house.hear(app.id)
    [polled] = await house.inbox(type="customer.updated")
    async with house.database.read() as session:
        before = (await app_health(session, app.id, house.desk.public_url)).gaps_healed
        told = (await get_event(session, polled.id)).payload
    assert not (await post(house, app, told)).is_new
    async with house.database.read() as session:
        assert (await app_health(session, app.id, house.desk.public_url)).gaps_healed == before - 1
    assert [one.via for one in await house.inbox(type="customer.updated")] == ["webhook"]


async def test_rotating_the_secret_while_deliveries_fail_loses_no_event(house):
    app, customer = await with_webhook(house), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    # Nobody listens at the address, so what happens now is still undelivered when its endpoint goes.
    await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", {"email": "x@acme.example.com"})
    await rotate_signing_secret(house.desk, ADA, app.id)
    await house.hear(app.id)
    [event] = await house.inbox(type="customer.updated")
    assert (event.state, event.customer_id) == (EventState.APPLIED, customer.id)


async def test_asking_again_files_nothing_twice_and_what_happened_before_the_install_is_left_alone(house):
    await house.stripe("POST", "/v1/customers", {"name": "before"})
    await house.sandbox.post("/_sandbox/clock", json={"advance": "PT10S"})
    app, customer = await house.install(), await house.customer()
    link = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    await house.stripe("POST", f"/v1/customers/{link.stripe_customer_id}", {"email": "x@acme.example.com"})
    for _ in range(3):
        await house.hear(app.id)
    assert [event.type for event in await house.inbox()] == ["customer.updated"]


async def test_more_than_a_hundred_events_are_fetched_page_by_page(house):
    app = await house.install()
    made = await house.stripe("POST", "/v1/customers", {"name": "busy"})
    for number in range(130):
        await house.stripe("POST", f"/v1/customers/{made['id']}", {"name": f"n{number}"})
    result = await events_cursor.poll_app(house.desk, app.id)
    assert result.filed == 130


async def test_while_a_checkout_is_awaited_stripe_is_asked_more_often(house):
    app, customer = await house.install(), await house.customer()

    async def pause():
        async with house.database.read() as session:
            row = await session.get_one(StripeAppRow, app.id)
            return await events_cursor._pause(session, house.desk, row, house.clock.now())

    assert await pause() == timedelta(seconds=10)
    request = CreateCheckoutSession(customer_id=customer.id, success_url="https://acme.example.com/thanks")
    await create_checkout_session(house.desk, ADA, request)
    assert await pause() == events_cursor.AWAITED_POLL
    house.clock.advance(events_cursor.AWAITED_FOR * 2)
    assert await pause() == timedelta(seconds=10)


async def test_a_turn_is_taken_by_one_process_only(house):
    app = await house.install()
    assert await events_cursor._take_turns(house.desk) == [app.id]
    assert await events_cursor._take_turns(house.desk) == []
    house.clock.advance(timedelta(seconds=11))
    assert await events_cursor._take_turns(house.desk) == [app.id]


async def test_an_account_that_cannot_be_polled_shows_why_and_holds_up_nobody(house):
    app = await house.install()
    await house.fault(effect="forbidden", path="/v1/events", times=9)
    await events_cursor.poll_due_apps(house.desk)
    async with house.database.read() as session:
        health = await app_health(session, app.id, None)
    assert health.poll_problem
    assert any("could not be polled" in problem for problem in health.problems)
    await house.clear_faults()
    house.clock.advance(timedelta(seconds=11))
    await events_cursor.poll_due_apps(house.desk)
    async with house.database.read() as session:
        assert (await app_health(session, app.id, None)).poll_problem is None


# Reconciling


async def test_the_daily_comparison_finds_what_no_letter_told(house):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE)
    invoice = await issued(house, customer)
    assert invoice.external is not None
    assert (await reconcile_app(house.desk, app.id)).differences == ()
    await house.stripe("POST", f"/v1/invoices/{invoice.external.id}/pay", {"paid_out_of_band": "true"})
    found = await reconcile_app(house.desk, app.id)
    assert found.compared == 1
    [difference] = found.differences
    assert "status: open → paid" in difference.what
    assert (await house.read(invoice.id)).status is S.PAID
    assert (await reconcile_app(house.desk, app.id)).compared == 0


async def test_one_invoice_that_cannot_be_compared_holds_up_none_of_the_others(house):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE)
    bad, good = await issued(house, customer), await issued(house, customer)
    assert bad.external is not None
    assert good.external is not None
    await house.stripe("POST", f"/v1/invoices/{good.external.id}/void")
    await house.fault(effect="unavailable", path=f"/v1/invoices/{bad.external.id}", times=9)
    found = await reconcile_app(house.desk, app.id)
    assert [one.invoice_id for one in found.unread] == [bad.id]
    assert [one.invoice_id for one in found.differences] == [good.id]
    assert (await house.read(good.id)).status is S.VOIDED
    async with house.database.read() as session:
        found_in_log = await list_audit_entries(session, AuditFilter())
    noted = {entry.action: str(entry.details) for entry in found_in_log.entries}
    assert "could not be compared" in noted["invoice.not_reconciled"]
    assert "open → void" in noted["invoice.reconciled"]


async def test_when_nothing_can_be_read_the_comparison_gives_up_early(house, monkeypatch):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE)
    for _ in range(3):
        await issued(house, customer)
    monkeypatch.setattr(reconcile, "GIVE_UP_AFTER", 2)
    await house.fault(effect="unavailable", path="/v1/invoices", times=0)
    before = len(await house.exchanges())
    with pytest.raises(StripeUnreachable):
        await reconcile_app(house.desk, app.id)
    assert len(await house.exchanges()) - before == 2 * 3, "two invoices, three tries each"


async def test_after_a_month_away_open_invoices_are_read_again(house):
    app = await house.install()
    customer = await billed_customer(house, app, collection_method=CollectionMethod.SEND_INVOICE)
    invoice = await issued(house, customer)
    await house.hear(app.id)
    assert invoice.external is not None
    await house.stripe("POST", f"/v1/invoices/{invoice.external.id}/void")
    async with house.database.transaction(ADA) as work:
        row = await work.session.get_one(StripeAppRow, app.id)
        # As if Stripe had forgotten that event by now.
        row.cursor_floor = row.cursor_at = row.cursor_at + timedelta(days=400)
    house.clock.advance(timedelta(days=31))
    await events_cursor.poll_due_apps(house.desk)
    assert (await house.read(invoice.id)).status is S.VOIDED


# The inbox


async def test_the_inbox_filters_pages_and_shows_the_letter_itself(house):
    app = await with_webhook(house)
    for number in range(5):
        await post(house, app, letter(id=f"evt_{number}", type="customer.updated" if number % 2 else "ping"))
    await house.work_off()
    async with house.database.read() as session:
        page = await list_events(session, EventFilter(type="ping"), PageRequest(1, 2))
        assert (page.total_count, len(page.items)) == (3, 2)
        assert (await list_events(session, EventFilter(state=("applied",)), PageRequest())).total_count == 0
        assert (await list_events(session, EventFilter(search="evt_3"), PageRequest())).total_count == 1
        detail = await get_event(session, "evt_3")
        assert detail.payload["id"] == "evt_3"
        assert (await get_event(session, detail.event.id)) == detail
        with pytest.raises(StripeEventNotFound):
            await get_event(session, "evt_none")


async def test_the_letter_is_kept_with_its_api_version_and_origin(house):
    app = await with_webhook(house)
    await post(house, app, letter())
    async with house.database.read() as session:
        [row] = await session.scalars(select(StripeEventRow))
    assert (row.api_version, row.via, row.object_type, row.object_id) == (
        "2026-10-28.endive",
        "webhook",
        "customer",
        "cus_1",
    )
