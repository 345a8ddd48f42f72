import json
import time

import pytest
from stripe import WebhookSignature

from dashboard.stripe_app.errors import BadSignature, BadStripeKey
from dashboard.stripe_app.keys import is_sandbox_key, key_shape
from dashboard.stripe_app.signature import verify_signature

SECRET = "whsec_current"
NOW = 1_800_000_000
BODY = json.dumps({"id": "evt_1", "name": "Zoë"}, ensure_ascii=False).encode()


def signed(secret=SECRET, at=NOW, body=BODY):
    return WebhookSignature.generate_signature_header(body.decode(), secret, at)


@pytest.mark.parametrize(
    ("key", "livemode", "restricted"),
    [
        ("sk_test_51AbCdEf", False, False),
        ("sk_live_51AbCdEf", True, False),
        ("rk_test_51AbCdEf", False, True),
        ("rk_live_51AbCdEf", True, True),
        ("sk_test_sandbox_demo", False, False),
    ],
)
def test_the_mode_of_a_key_is_read_from_its_prefix(key, livemode, restricted):
    shape = key_shape(key)
    assert (shape.livemode, shape.restricted) == (livemode, restricted)


@pytest.mark.parametrize(
    "key", ["", "x", "sk_", "sk_test_", "pk_test_51AbCdEf", "sk_org_1234567", "whsec_123", "sk_prod_123456", "acct_12"]
)
def test_short_and_foreign_keys_are_refused_in_words_and_never_repeated(key):
    with pytest.raises(BadStripeKey) as refusal:
        key_shape(key)
    assert refusal.value.what_to_do
    assert key == "" or len(key) < 4 or key not in refusal.value.for_people().replace("sk_test_…", "")


def test_a_masked_key_shows_no_more_than_four_letters_of_a_long_key_and_none_of_a_short_one():
    assert key_shape("sk_live_" + "a" * 20 + "wxyz").masked == "sk_live_…wxyz"
    assert key_shape("sk_test_12345678").masked == "sk_test_…"


def test_only_sandbox_keys_are_taken_for_sandbox_keys():
    assert is_sandbox_key("sk_test_sandbox_demo")
    assert is_sandbox_key("rk_test_sandbox_demo")
    assert not is_sandbox_key("sk_test_51AbCdEf")
    assert not is_sandbox_key("sk_live_sandbox_demo")


def test_a_letter_signed_by_stripes_own_sdk_is_accepted():
    verify_signature(BODY, signed(), [SECRET], NOW)


def test_while_a_secret_is_rotated_letters_signed_with_either_are_accepted():
    verify_signature(BODY, signed("whsec_old"), [SECRET, "whsec_old"], NOW)
    with pytest.raises(BadSignature):
        verify_signature(BODY, signed("whsec_older"), [SECRET, "whsec_old"], NOW)


def test_several_signatures_in_one_header_need_only_one_that_fits():
    header = signed() + ",v1=" + "0" * 64 + ",v0=deadbeef"
    verify_signature(BODY, header, [SECRET], NOW)


@pytest.mark.parametrize("seconds", [-301, 301, -10_000 * 3600])
def test_a_letter_from_more_than_five_minutes_away_is_refused_in_both_directions(seconds):
    with pytest.raises(BadSignature):
        verify_signature(BODY, signed(at=NOW + seconds), [SECRET], NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_letter_within_five_minutes_is_accepted(seconds):
    verify_signature(BODY, signed(at=NOW + seconds), [SECRET], NOW)


def test_a_changed_body_is_refused():
    with pytest.raises(BadSignature):
        verify_signature(BODY + b" ", signed(), [SECRET], NOW)


@pytest.mark.parametrize(
    "header",
    [None, "", "v1=abc", "t=abc,v1=abc", "t=-5,v1=ab", "t=1800000000", "t=" + "9" * 40 + ",v1=a", "t=²,v1=ab", "é=ü"],
)
def test_an_unreadable_signature_header_is_refused_and_never_an_error(header):
    with pytest.raises(BadSignature):
        verify_signature(BODY, header, [SECRET], time.time())


def test_without_any_secret_nothing_is_accepted():
    with pytest.raises(BadSignature):
        verify_signature(BODY, signed(), [], NOW)
