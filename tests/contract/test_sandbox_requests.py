"""What every request goes through: keys, permissions, versions, idempotency, expansion, paging, and a hard kill."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.contract import sandbox_support as support
from tests.contract.sandbox_support import RunningSandbox


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with support.running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    shared_sandbox.post("/reset")
    return shared_sandbox


@pytest.mark.parametrize("key", ["sk_live_abcdef1234", "sk_test_abcdef1234", "pk_test_sandbox_demo", "nonsense", ""])
def test_any_other_key_is_refused(sandbox: RunningSandbox, key: str) -> None:
    with sandbox.http(key) as http:
        answer = http.get("/v1/account")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert key[8:] not in answer.text or len(key) < 9, "the key is never shown in full"


def test_each_key_opens_an_account_of_its_own(sandbox: RunningSandbox) -> None:
    one, other = sandbox.client("sk_test_sandbox_one").v1, sandbox.client("sk_test_sandbox_other").v1
    customer = one.customers.create({"name": "Mine"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        other.customers.retrieve(customer.id)
    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (404, "resource_missing", "id")
    assert one.accounts.retrieve_current().id != other.accounts.retrieve_current().id


def test_a_restricted_key_may_do_what_its_permissions_say(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client("rk_test_sandbox_demo").v1
    v1.customers.create({"name": "Allowed"})
    v1.events.list()
    with pytest.raises(stripe.PermissionError, match="rak_charge_write"):
        v1.refunds.create({"charge": "ch_1"})
    sandbox.post("/account", account="demo", permissions={"customer": "read"})
    v1.customers.list()
    with pytest.raises(stripe.PermissionError, match="rak_customer_write"):
        v1.customers.create({"name": "Refused"})


def test_another_api_version_is_refused(sandbox: RunningSandbox) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        sandbox.client(stripe_version="2024-06-20").v1.customers.list()


def test_unknown_addresses_are_not_found(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        answer = http.get("/v1/nothing_here")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "form", "code", "param"),
    [
        ("/v1/customers", {"frobnicate": "1"}, "parameter_unknown", "frobnicate"),
        ("/v1/customers", {"address[planet]": "x"}, "parameter_unknown", "address[planet]"),
        ("/v1/customers", {"balance": "many"}, "parameter_invalid_integer", "balance"),
        ("/v1/customers", {"email": "not an address"}, "email_invalid", "email"),
        ("/v1/prices", {"product": "prod_1"}, "parameter_missing", "currency"),
        ("/v1/invoices", {}, "parameter_missing", "customer"),
        ("/v1/invoices", {"customer": "cus_none"}, "resource_missing", "customer"),
        ("/v1/checkout/sessions", {"mode": "setup"}, "parameter_missing", "currency"),
        ("/v1/products", {"name": "P", "tax_code": "txcd_none"}, "resource_missing", "tax_code"),
    ],
)
def test_mistakes_are_named_with_code_and_parameter(
    sandbox: RunningSandbox, path: str, form: dict[str, str], code: str, param: str
) -> None:
    with sandbox.http() as http:
        answer = http.post(path, data=form)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert error["doc_url"].endswith(code.replace("_", "-"))


def test_answers_carry_stripes_headers(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        answer = http.post("/v1/customers", data={"name": "H"}, headers={"Idempotency-Key": "key-1"})
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2026-10-28.endive"
    assert answer.headers["idempotency-key"] == "key-1"


def test_a_replayed_key_gives_the_first_answer_and_acts_once(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        first = http.post("/v1/customers", data={"name": "Once"}, headers={"Idempotency-Key": "k"})
        again = http.post("/v1/customers", data={"name": "Once"}, headers={"Idempotency-Key": "k"})
        other = http.post("/v1/customers", data={"name": "Twice"}, headers={"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(sandbox.client().v1.customers.list().data) == 1


def test_no_replay_ever_acts_twice(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "R", "email": "r@example.com", "balance": -100}).id
    method = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    with sandbox.http() as http:
        invoice = http.post("/v1/invoices", data={"customer": customer}).json()["id"]
        calls = [
            ("/v1/invoiceitems", {"customer": customer, "amount": "100"}),
            ("/v1/products", {"name": "P"}),
            ("/v1/coupons", {"percent_off": "5"}),
            ("/v1/setup_intents", {"customer": customer, "payment_method": method, "confirm": "true"}),
            ("/v1/checkout/sessions", {"mode": "setup", "currency": "usd", "success_url": "https://app.example"}),
            (f"/v1/customers/{customer}/balance_transactions", {"amount": "-50", "currency": "usd"}),
            (f"/v1/invoices/{invoice}/add_lines", {"lines[0][amount]": "5000"}),
            (f"/v1/invoices/{invoice}/finalize", {}),
            ("/v1/credit_notes", {"invoice": invoice, "amount": "100"}),
            (f"/v1/invoices/{invoice}/pay", {"payment_method": method}),
            ("/v1/webhook_endpoints", {"url": "https://127.0.0.1:9/", "enabled_events[0]": "coupon.deleted"}),
        ]
        for number, (path, form) in enumerate(calls):
            first = http.post(path, data=form, headers={"Idempotency-Key": f"key-{number}"})
            assert first.status_code == 200, first.text
            before = _counts(sandbox)
            again = http.post(path, data=form, headers={"Idempotency-Key": f"key-{number}"})
            assert (again.status_code, again.json()) == (200, first.json())
            assert _counts(sandbox) == before, path


def _counts(sandbox: RunningSandbox) -> tuple[Any, Any]:
    state = sandbox.get("/state")
    return state["objects"], state["events"]


def test_a_key_remembers_a_decline_but_not_a_mistake(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "D"}).id
    with sandbox.http() as http:
        url = "/v1/payment_methods/pm_card_chargeDeclined/attach"
        declined = [http.post(url, data={"customer": customer}, headers={"Idempotency-Key": "d"}) for _ in range(2)]
        wrong = http.post("/v1/customers", data={"nmae": "typo"}, headers={"Idempotency-Key": "m"})
        right = http.post("/v1/customers", data={"name": "right"}, headers={"Idempotency-Key": "m"})
    assert [answer.status_code for answer in declined] == [402, 402]
    assert declined[1].headers["idempotent-replayed"] == "true"
    assert (wrong.status_code, right.status_code) == (400, 200)


def test_a_key_is_free_again_after_a_day(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        first = http.post("/v1/customers", data={"name": "A"}, headers={"Idempotency-Key": "k"}).json()
        sandbox.post("/clock", advance="P1DT1S")
        second = http.post("/v1/customers", data={"name": "B"}, headers={"Idempotency-Key": "k"}).json()
    assert first["id"] != second["id"]


def test_lists_are_paged_both_ways(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    made = [v1.customers.create({"name": f"C{n}"}).id for n in range(7)][::-1]
    first = v1.customers.list({"limit": 3})
    assert ([each.id for each in first.data], first.has_more) == (made[:3], True)
    second = v1.customers.list({"limit": 3, "starting_after": made[2]})
    assert [each.id for each in second.data] == made[3:6]
    back = v1.customers.list({"limit": 2, "ending_before": made[3]})
    assert ([each.id for each in back.data], back.has_more) == (made[1:3], True)
    assert [each.id for each in v1.customers.list({"limit": 2}).auto_paging_iter()] == made
    with pytest.raises(stripe.InvalidRequestError):
        v1.customers.list({"starting_after": "cus_unknown"})


def test_expansion_reaches_four_levels_and_refuses_what_is_no_reference(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "E"}).id
    method = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    invoice = v1.invoices.create({"customer": customer})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 900}]})
    v1.invoices.pay(invoice.id, {"payment_method": method})
    with sandbox.http() as http:
        deep = http.get(
            f"/v1/invoices/{invoice.id}", params={"expand[]": "payments.data.payment.payment_intent"}
        ).json()
        listed = http.get("/v1/invoices", params={"customer": customer, "expand[]": "data.customer"}).json()
        wrong = http.get(f"/v1/invoices/{invoice.id}", params={"expand[]": "currency"})
        deeper = http.get(f"/v1/invoices/{invoice.id}", params={"expand[]": "a.b.c.d.e"})
    assert deep["payments"]["data"][0]["payment"]["payment_intent"]["status"] == "succeeded"
    assert listed["data"][0]["customer"]["name"] == "E"
    assert (wrong.status_code, deeper.status_code) == (400, 400)


def test_search_lags_behind_and_then_finds(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    v1.customers.create({"name": "Findable", "metadata": {"tenant": "t-1"}})
    assert v1.customers.search({"query": 'metadata["tenant"]:"t-1"'}).data == []
    sandbox.post("/clock", advance="PT1M")
    found = v1.customers.search({"query": 'name~"find" AND metadata["tenant"]:"t-1"'})
    assert [each.name for each in found.data] == ["Findable"]


def test_a_customer_event_tells_what_was_there_before(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "Old", "metadata": {"a": "1"}})
    v1.customers.update(customer.id, {"name": "New", "metadata": {"a": "", "b": "2"}})
    event = v1.events.list({"type": "customer.updated"}).data[0]
    with sandbox.http() as http:
        previous = http.get(f"/v1/events/{event.id}").json()["data"]["previous_attributes"]
    assert previous == {"name": "Old", "metadata": {"a": "1", "b": None}}
    assert event.request
    assert event.request.idempotency_key


def test_events_are_gone_after_thirty_days(sandbox: RunningSandbox) -> None:
    v1 = sandbox.client().v1
    v1.customers.create({"name": "Old"})
    sandbox.post("/clock", advance="P29D")
    assert len(v1.events.list().data) == 1
    sandbox.post("/clock", advance="P2D")
    assert v1.events.list().data == []


def test_the_request_log_has_the_raw_form_and_the_answer(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        http.post("/v1/customers", data={"name": "Logged", "metadata[k]": "v"}, headers={"Idempotency-Key": "k"})
        http.get("/v1/customers", params={"limit": "3"})
    first, second = sandbox.get("/exchanges?after=0")
    assert (first["method"], first["path"], first["params"]) == (
        "POST",
        "/v1/customers",
        "name=Logged&metadata%5Bk%5D=v",
    )
    assert (first["status"], first["response"]["name"], first["idempotency_key"]) == (200, "Logged", "k")
    assert second["params"] == "limit=3"
    assert sandbox.get(f"/exchanges?after={first['n']}")[0]["n"] == second["n"]


def test_the_clock_moves_by_duration_or_to_a_moment(sandbox: RunningSandbox) -> None:
    moved = sandbox.post("/clock", now="2027-03-01T00:00:00Z")
    assert moved["now"] == "2027-03-01T00:00:00Z"
    assert sandbox.post("/clock", advance="P1DT2H")["now"] == "2027-03-02T02:00:00Z"
    assert sandbox.client().v1.customers.create({"name": "Later"}).created >= 1_803_952_800


def test_the_console_shows_what_happened_and_throws_switches(sandbox: RunningSandbox) -> None:
    customer = sandbox.client().v1.customers.create({"name": "Seen"})
    for path in ("/", "/events", "/deliveries", "/requests", "/switches", f"/objects/{customer.id}"):
        page = sandbox.page(path)
        assert page.status_code == 200, path
        assert "Sandbox: not Stripe." in page.text
    assert customer.id in sandbox.page("/").text
    sandbox.submit("/switches", {"do": "fault", "effect": "unavailable", "path": "/v1/customers", "times": "0"})
    with pytest.raises(stripe.APIError):
        sandbox.client().v1.customers.list()
    sandbox.submit("/switches", {"do": "clear_faults"})
    sandbox.submit("/switches", {"do": "advance", "step": "day"})
    assert sandbox.get("/state")["clock_offset"] > 86_000


def test_a_foreign_page_cannot_drive_the_sandbox(sandbox: RunningSandbox) -> None:
    with sandbox.http() as http:
        foreign = {"Origin": "https://evil.example"}
        assert http.post("/_sandbox/reset", headers=foreign).status_code == 400
        assert http.post("/switches", data={"do": "reset"}, headers=foreign).status_code == 403


def test_everything_answered_survives_a_hard_kill(tmp_path: Path) -> None:
    sandbox = support.start(tmp_path)
    sandbox.post("/clock", advance="P10D")
    customer = sandbox.client().v1.customers.create({"name": "Durable"}, {"idempotency_key": "durable"})
    events = [event.id for event in sandbox.client().v1.events.list().data]
    sandbox.kill()
    again = support.start(tmp_path)
    try:
        v1 = again.client().v1
        assert v1.customers.retrieve(customer.id).name == "Durable"
        assert [event.id for event in v1.events.list().data] == events
        assert v1.customers.create({"name": "Durable"}, {"idempotency_key": "durable"}).id == customer.id
        assert again.get("/state")["clock_offset"] > 9 * 86400
    finally:
        again.stop()


def test_a_second_sandbox_on_the_same_port_refuses_to_start(sandbox: RunningSandbox, tmp_path: Path) -> None:
    port = sandbox.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "dashboard.stripe_sandbox", "--port", port, "--data-dir", str(tmp_path)]
    second = subprocess.run(command, cwd=support.ROOT, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in second.stderr


def test_appointments_survive_a_hard_kill(tmp_path: Path) -> None:
    sandbox = support.start(tmp_path)
    v1 = sandbox.client().v1
    customer = v1.customers.create({"name": "D"}).id
    method = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    invoice = v1.invoices.create({"customer": customer, "default_payment_method": method})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 900}]})
    v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    sandbox.kill()
    again = support.start(tmp_path)
    try:
        support.eventually(lambda: again.client().v1.invoices.retrieve(invoice.id).status == "paid")
    finally:
        again.stop()


def test_a_snapshot_is_the_whole_state(sandbox: RunningSandbox, tmp_path: Path) -> None:
    customer = sandbox.client().v1.customers.create({"name": "Copied"})
    with sandbox.http() as http:
        (tmp_path / "stripe_sandbox.sqlite3").write_bytes(http.get("/_sandbox/snapshot").content)
    copy = support.start(tmp_path)
    try:
        assert copy.client().v1.customers.retrieve(customer.id).name == "Copied"
    finally:
        copy.stop()


def test_reset_empties_everything(sandbox: RunningSandbox) -> None:
    sandbox.client().v1.customers.create({"name": "Gone"})
    sandbox.post("/clock", advance="P1D")
    sandbox.post("/faults", effect="unavailable", times=0)
    state: dict[str, Any] = sandbox.post("/reset")
    assert (state["objects"], state["events"], state["faults"], state["clock_offset"]) == ({}, 0, [], 0)
    assert abs(time.time() - _unix(state["now"])) < 5
    assert json.dumps(state)


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
