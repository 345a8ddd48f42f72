"""The webhook sender: signatures, retries, filters, rolled secrets, and letters that go astray on purpose."""

from collections.abc import Iterator

import pytest
import stripe

from tests.contract import sandbox_support as support
from tests.contract.sandbox_support import Letter, Receiver, RunningSandbox, eventually


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.post("/reset")
    return shared_sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_letter_is_signed_with_real_time_although_the_clock_was_moved(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    sandbox.post("/clock", advance="P40D")
    endpoint = _endpoint(sandbox, receiver)
    _make_coupons(sandbox, 1)
    letter = eventually(lambda: receiver.letters)[0]
    event = stripe.Webhook.construct_event(letter.body, letter.signature, endpoint.secret or "", tolerance=5)
    assert event.created > letter.at + 39 * 86400


def test_the_secret_is_told_once(sandbox: RunningSandbox, receiver: Receiver) -> None:
    endpoint = _endpoint(sandbox, receiver)
    assert (endpoint.secret or "").startswith("whsec_")
    v1 = sandbox.client().v1
    assert "secret" not in v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    assert "secret" not in v1.webhook_endpoints.update(endpoint.id, {"description": "d"}).to_dict()


def test_an_endpoint_gets_only_what_it_asked_for(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver, "coupon.deleted")
    coupon = _make_coupons(sandbox, 1)[0]
    sandbox.client().v1.coupons.delete(coupon)
    eventually(lambda: receiver.letters)
    assert receiver.types == ["coupon.deleted"]


def test_a_disabled_endpoint_gets_nothing(sandbox: RunningSandbox, receiver: Receiver) -> None:
    endpoint = _endpoint(sandbox, receiver)
    sandbox.client().v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    _make_coupons(sandbox, 1)
    assert sandbox.post("/webhooks/flush") == {"delivered": 0}


def test_a_failed_delivery_is_repeated_with_back_off_by_the_clock(sandbox: RunningSandbox, receiver: Receiver) -> None:
    receiver.status = 500
    _endpoint(sandbox, receiver)
    _make_coupons(sandbox, 1)
    eventually(lambda: len(receiver.letters) == 1)
    v1 = sandbox.client().v1
    failing = eventually(lambda: v1.events.list({"delivery_success": False}).data)
    assert failing[0].pending_webhooks == 1
    receiver.status = 200
    sandbox.post("/clock", advance="PT15S")
    eventually(lambda: len(receiver.letters) == 2)
    assert receiver.letters[0].event["id"] == receiver.letters[1].event["id"]
    eventually(lambda: v1.events.retrieve(failing[0].id).pending_webhooks == 0)
    assert v1.events.list({"delivery_success": False}).data == []


def test_a_redirect_is_a_failure(sandbox: RunningSandbox, receiver: Receiver) -> None:
    receiver.status = 302
    _endpoint(sandbox, receiver)
    _make_coupons(sandbox, 1)
    eventually(lambda: sandbox.client().v1.events.list({"delivery_success": False}).data)


def test_both_secrets_sign_while_one_is_rolled(sandbox: RunningSandbox, receiver: Receiver) -> None:
    endpoint = _endpoint(sandbox, receiver)
    rolled = sandbox.post(f"/webhooks/{endpoint.id}/roll")
    _make_coupons(sandbox, 1)
    letter = eventually(lambda: receiver.letters)[0]
    assert letter.signature.count("v1=") == 2
    for secret in (endpoint.secret or "", rolled["secret"]):
        assert stripe.Webhook.construct_event(letter.body, letter.signature, secret)
    sandbox.post(f"/webhooks/{endpoint.id}/roll", overlap_seconds=0)
    _make_coupons(sandbox, 1)
    assert eventually(lambda: receiver.letters[1:])[0].signature.count("v1=") == 1


def test_held_letters_wait_for_the_flush(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver)
    sandbox.post("/webhooks", mode="hold")
    _make_coupons(sandbox, 3)
    assert receiver.letters == []
    assert sandbox.post("/webhooks/flush") == {"delivered": 3}
    assert len(receiver.letters) == 3


def test_dropped_letters_never_arrive_but_stay_in_the_event_list(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver)
    sandbox.post("/webhooks", mode="drop")
    _make_coupons(sandbox, 2)
    failed = eventually(lambda: _at_least(sandbox.client().v1.events.list({"delivery_success": False}).data, 2))
    assert {event.type for event in failed} == {"coupon.created"}
    assert receiver.letters == []


def test_every_nth_letter_is_doubled_or_dropped(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver)
    sandbox.post("/webhooks", duplicate_every=3, drop_every=4)
    _make_coupons(sandbox, 12)
    eventually(lambda: len(receiver.letters) >= 12)
    sent = [letter.event["id"] for letter in receiver.letters]
    assert len(set(sent)) == 9, "three of twelve dropped"
    assert len(sent) == 12, "numbers 3, 6 and 9 twice; 12 is dropped"


def test_letters_can_be_shuffled_in_a_repeatable_way(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver)
    sandbox.post("/webhooks", mode="hold", order="shuffle", seed=7)
    names = _make_coupons(sandbox, 8)
    sandbox.post("/webhooks/flush")
    arrived = [letter.event["data"]["object"]["id"] for letter in receiver.letters]
    assert sorted(arrived) == sorted(names)
    assert arrived != names


def test_wrong_signatures_and_stale_timestamps_are_refused_by_the_sdk(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    endpoint = _endpoint(sandbox, receiver)
    sandbox.post("/webhooks", bad_signature_every=2, stale_timestamp_every=3)
    _make_coupons(sandbox, 6)
    eventually(lambda: len(receiver.letters) == 6)
    verdicts = [_is_genuine(letter, endpoint.secret or "") for letter in receiver.letters]
    assert sorted(verdicts) == [False] * 4 + [True] * 2, "of six: 2, 4, 6 forged, 3 (and 6) stale"


def test_a_delivery_can_be_resent_from_the_console(sandbox: RunningSandbox, receiver: Receiver) -> None:
    _endpoint(sandbox, receiver)
    _make_coupons(sandbox, 1)
    eventually(lambda: receiver.letters)
    page = sandbox.page("/deliveries")
    assert "coupon.created" in page.text
    number = page.text.split('action="/deliveries/')[1].split("/")[0]
    assert sandbox.submit(f"/deliveries/{number}/resend", {}).status_code == 303
    eventually(lambda: len(receiver.letters) == 2)


@pytest.mark.parametrize("url", ["http://example.com/hook", "ftp://127.0.0.1/x", "not a url"])
def test_an_endpoint_must_be_https_or_on_this_machine(sandbox: RunningSandbox, url: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox.client().v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    assert refusal.value.code == "url_invalid"


def test_an_account_has_at_most_sixteen_endpoints(sandbox: RunningSandbox, receiver: Receiver) -> None:
    for _ in range(16):
        _endpoint(sandbox, receiver, "coupon.deleted")
    with pytest.raises(stripe.InvalidRequestError, match="maximum of 16"):
        _endpoint(sandbox, receiver)


def _endpoint(sandbox: RunningSandbox, receiver: Receiver, *types: str) -> stripe.WebhookEndpoint:
    events = list(types) or ["*"]
    return sandbox.client().v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": events})  # type: ignore[typeddict-item]


def _make_coupons(sandbox: RunningSandbox, count: int) -> list[str]:
    v1 = sandbox.client().v1
    return [v1.coupons.create({"percent_off": 10, "duration": "once"}).id for _ in range(count)]  # type: ignore[typeddict-item]


def _is_genuine(letter: Letter, secret: str) -> bool:
    try:
        stripe.Webhook.construct_event(letter.body, letter.signature, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


def _at_least(found: list[stripe.Event], count: int) -> list[stripe.Event] | None:
    return found if len(found) >= count else None
