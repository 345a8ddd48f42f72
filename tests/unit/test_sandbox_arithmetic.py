"""The invoice engine's promises, for any lines, discounts, taxes and currencies."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.stripe_sandbox import collection, invoice_engine, resources, tax
from dashboard.stripe_sandbox.context import Context
from dashboard.stripe_sandbox.currencies import minimum_charge, round_half_up, shown
from dashboard.stripe_sandbox.errors import ApiError
from dashboard.stripe_sandbox.program import Sandbox
from dashboard.stripe_sandbox.routing import HANDLERS

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "huf", "isk", "gbp"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    resources.load()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), "http://sandbox.example")
        yield sandbox
        sandbox.store.close()


@contextmanager
def _work(sandbox: Sandbox) -> Iterator[Context]:
    """A context whose effects are thrown away."""
    with sandbox.store.work(), sandbox.store.trial():
        yield sandbox.context_for_account("arithmetic")


def _call(ctx: Context, operation: str, /, *ids: str, **params: Any) -> dict[str, Any]:
    return HANDLERS[operation](ctx, params, *ids)


lines = st.lists(
    st.one_of(
        st.builds(lambda amount: {"amount": amount}, st.integers(-50_000, 90_000)),
        st.builds(
            lambda unit, quantity: {"unit_amount_decimal": unit, "quantity": quantity},
            st.decimals(0, 900, places=4).map(str),
            st.integers(0, 500),
        ),
    ),
    min_size=1,
    max_size=12,
)
rates = st.lists(st.tuples(st.decimals(0, 40, places=2), st.booleans()), max_size=3)
coupons = st.lists(
    st.one_of(
        st.builds(lambda percent: {"percent_off": percent}, st.decimals("0.5", 100, places=1)),
        st.builds(lambda amount: {"amount_off": amount}, st.integers(1, 40_000)),
    ),
    max_size=2,
)


@RELAXED
@given(lines=lines, rates=rates, coupons=coupons, currency=CURRENCIES)
def test_totals_conserve_to_the_smallest_unit(
    sandbox: Sandbox,
    lines: list[dict[str, Any]],
    rates: list[tuple[Decimal, bool]],
    coupons: list[dict[str, Any]],
    currency: str,
) -> None:
    with _work(sandbox) as ctx:
        rate_ids = [
            _call(ctx, "POST /v1/tax_rates", display_name="T", percentage=percent, inclusive=inclusive)["id"]
            for percent, inclusive in rates
        ]
        coupon_ids = [
            _call(ctx, "POST /v1/coupons", **coupon, **({"currency": currency} if "amount_off" in coupon else {}))["id"]
            for coupon in coupons
        ]
        customer = _call(ctx, "POST /v1/customers", name="A")
        invoice = _call(
            ctx, "POST /v1/invoices", customer=customer["id"], currency=currency, default_tax_rates=rate_ids,
            discounts=[{"coupon": id} for id in coupon_ids],
        )  # fmt: skip
        _call(ctx, "POST /v1/invoices/{invoice}/add_lines", invoice["id"], lines=lines)
        made = invoice_engine.lines_of(ctx, invoice)
        _assert_conserved(invoice, made)
        _assert_lines_rounded_alone(lines, made)


def _assert_conserved(invoice: dict[str, Any], made: list[dict[str, Any]]) -> None:
    discounted = sum(entry["amount"] for line in made for entry in line["discount_amounts"])
    exclusive = sum(e["amount"] for line in made for e in line["taxes"] if e["tax_behavior"] == "exclusive")
    inclusive = sum(e["amount"] for line in made for e in line["taxes"] if e["tax_behavior"] == "inclusive")
    assert invoice["subtotal"] == sum(line["amount"] for line in made)
    assert sum(entry["amount"] for entry in invoice["total_discount_amounts"]) == discounted
    assert sum(entry["amount"] for entry in invoice["total_taxes"]) == exclusive + inclusive
    assert invoice["total"] == invoice["subtotal"] - discounted + exclusive
    assert invoice["total_excluding_tax"] == invoice["total"] - exclusive - inclusive
    for line in made:
        taken = sum(entry["amount"] for entry in line["discount_amounts"])
        assert 0 <= taken <= max(line["amount"], 0), "a discount never turns a line negative"
    expected = invoice["total"] if invoice["total"] >= minimum_charge(invoice["currency"]) else 0
    assert invoice["amount_due"] == invoice["amount_remaining"] == expected


def _assert_lines_rounded_alone(wanted: list[dict[str, Any]], made: list[dict[str, Any]]) -> None:
    for given_line, line in zip(wanted, made, strict=True):
        if "amount" in given_line:
            assert line["amount"] == given_line["amount"]
        else:
            exact = Decimal(given_line["unit_amount_decimal"]) * given_line["quantity"]
            assert abs(line["amount"] - exact) <= Decimal("0.5")


@given(amount=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_a_spread_amount_adds_up_and_never_exceeds_its_weights(amount: int, weights: list[int]) -> None:
    shares = invoice_engine.spread(amount, weights)
    assert sum(shares) == min(amount, sum(weights))
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(taxable=st.integers(0, 10**9), percent=st.decimals(0, 60, places=3))
def test_inclusive_tax_is_what_the_net_amount_would_have_cost_on_top(taxable: int, percent: Decimal) -> None:
    contained = tax.tax_amount(taxable, percent, inclusive=True)
    assert 0 <= contained <= taxable
    assert abs(tax.tax_amount(taxable - contained, percent, inclusive=False) - contained) <= 1


@given(balance=st.integers(-20_000, 20_000), amount=st.integers(0, 15_000))
@RELAXED
def test_customer_balance_and_invoice_always_account_for_each_other(
    sandbox: Sandbox, balance: int, amount: int
) -> None:
    with _work(sandbox) as ctx:
        customer = _call(ctx, "POST /v1/customers", name="B", balance=balance)
        invoice = _call(ctx, "POST /v1/invoices", customer=customer["id"], currency="usd")
        _call(ctx, "POST /v1/invoices/{invoice}/add_lines", invoice["id"], lines=[{"amount": amount}])
        _call(ctx, "POST /v1/invoices/{invoice}/finalize", invoice["id"])
        assert customer["balance"] == invoice["ending_balance"]
        assert balance + amount == invoice["amount_due"] + invoice["ending_balance"]
        assert invoice["amount_due"] == 0 or invoice["amount_due"] >= 50
        assert (invoice["status"] == "paid") is (invoice["amount_due"] == 0)
        if invoice["status"] == "open":
            _call(ctx, "POST /v1/invoices/{invoice}/void", invoice["id"])
            assert customer["balance"] == balance, "voiding gives back what was applied"


HAPPY_ORDER = [
    "invoice.created", "invoiceitem.created", "invoice.updated", "invoice.finalized", "payment_intent.created",
    "charge.succeeded", "payment_intent.succeeded", "invoice_payment.paid", "invoice.updated", "invoice.paid",
    "invoice.payment_succeeded",
]  # fmt: skip


@given(
    amounts=st.lists(st.integers(50, 50_000), min_size=1, max_size=9),
    card=st.sampled_from(["visa", "amex", "mastercard"]),
)
@RELAXED
def test_a_happy_charge_always_tells_its_story_in_the_same_order(
    sandbox: Sandbox, amounts: list[int], card: str
) -> None:
    with _work(sandbox) as ctx:
        customer = _call(ctx, "POST /v1/customers", name="H")["id"]
        method = _call(ctx, "POST /v1/payment_methods/{payment_method}/attach", f"pm_card_{card}", customer=customer)[
            "id"
        ]
        _call(ctx, "POST /v1/customers/{customer}", customer, invoice_settings={"default_payment_method": method})
        begin = ctx.store.all("SELECT coalesce(max(seq), 0) AS seq FROM events")[0]["seq"]
        invoice = _call(ctx, "POST /v1/invoices", customer=customer, currency="usd")
        added = [{"amount": amount} for amount in amounts]
        _call(ctx, "POST /v1/invoices/{invoice}/add_lines", invoice["id"], lines=added)
        _call(ctx, "POST /v1/invoices/{invoice}/finalize", invoice["id"], auto_advance=True)
        collection.collect(ctx, invoice["id"])
        types = [row["type"] for row in ctx.store.all("SELECT type FROM events WHERE seq > ? ORDER BY seq", (begin,))]
        assert types.count("invoiceitem.created") == len(amounts)
        assert [name for name, before in zip(types, ["", *types], strict=False) if name != before] == HAPPY_ORDER
        assert invoice["amount_paid"] == sum(amounts)


def test_half_a_cent_rounds_away_from_zero() -> None:
    assert [round_half_up(Decimal(text)) for text in ("0.5", "1.5", "-0.5", "2.4999")] == [1, 2, -1, 2]


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123450, "usd", "$1,234.50"),
        (500, "jpy", "¥500"),
        (12340, "kwd", "12.340 KWD"),
        (-99, "eur", "-€0.99"),
        (500, "ugx", "5.00 UGX"),
    ],
)
def test_amounts_are_shown_by_stripes_currency_table(amount: int, currency: str, text: str) -> None:
    assert shown(amount, currency) == text


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("POST /v1/prices", {"currency": "usd", "unit_amount": -1}),
        ("POST /v1/prices", {"currency": "xyz", "unit_amount": 1}),
        ("POST /v1/prices", {"currency": "kwd", "unit_amount": 1001}),
        ("POST /v1/prices", {"currency": "usd", "unit_amount": 10**9}),
    ],
)
def test_impossible_amounts_are_refused(sandbox: Sandbox, path: str, params: dict[str, Any]) -> None:
    with _work(sandbox) as ctx:
        product = _call(ctx, "POST /v1/products", name="P")
        with pytest.raises(ApiError) as refusal:
            _call(ctx, path, product=product["id"], **params)
        assert refusal.value.status == 400
