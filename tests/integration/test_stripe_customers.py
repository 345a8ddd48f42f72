import asyncio
from typing import Any

import pytest

from dashboard.billing.views import CollectionMethod, CustomerBilling, Workflow
from dashboard.customers.service import delete_customer
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.stripe_app import checkout, customer_link, links, portal
from dashboard.stripe_app.errors import (
    DifferentStripeCustomer,
    NoStripeCustomer,
    NoStripeProfile,
    PaymentMethodUnusable,
    StripeCustomerTaken,
    StripeCustomerUnusable,
    StripeObjectMissing,
    StripeUnreachable,
)
from dashboard.stripe_app.inputs import (
    CreateCheckoutSession,
    CreatePortalSession,
    LinkStripeCustomer,
    UpdateStripeCustomer,
)
from dashboard.stripe_app.readiness import readiness
from tests.stripe_house import ADA
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADDRESS = {"country": "US", "postal_code": "94107", "state": "CA", "city": "San Francisco", "line1": "1 Market St"}


async def stripe_customer(house, **data) -> str:
    made = await house.stripe("POST", "/v1/customers", {"name": "Acme Inc", "email": "pay@acme.example.com", **data})
    return made["id"]


async def stripe_customer_with(house, card, **data) -> tuple[str, str]:
    stripe_id = await stripe_customer(house, **data)
    method = await house.stripe("POST", f"/v1/payment_methods/{card}/attach", {"customer": stripe_id})
    return stripe_id, method["id"]


async def link(house, customer, stripe_id, **more) -> Any:
    request = {"customer_id": customer.id, "stripe_customer_id": stripe_id, **more}
    return await customer_link.link_stripe_customer(house.desk, ADA, parse_input(LinkStripeCustomer, request))


async def stored(house, customer) -> Any:
    async with house.database.read() as session:
        found = await links.get_links(session, customer.id)
    return found[0] if found else None


async def checkout_page(house, customer, **more):
    request = {"customer_id": customer.id, "success_url": "https://acme.test/thanks", **more}
    return await checkout.create_checkout_session(house.desk, ADA, parse_input(CreateCheckoutSession, request))


def billed(customer, **workflow):
    return CustomerBilling(customer.id, None, False, Workflow(**workflow), {})  # pyright: ignore[reportArgumentType]


# Linking


async def test_pasting_a_stripe_customer_id_links_it_and_shows_name_email_and_no_payment_method(house):
    app, customer = await house.install(), await house.customer()
    seen = await link(house, customer, await stripe_customer(house), labels={"tier": "gold"})
    assert seen.app_id == app.id
    assert (seen.stripe_name, seen.stripe_email) == ("Acme Inc", "pay@acme.example.com")
    assert (seen.payment_method, seen.payment_method_source) == (None, "none")
    assert seen.labels == {"tier": "gold"}


async def test_defect_13_labels_are_kept_and_survive_an_update_without_labels(house):
    _, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    await link(house, customer, stripe_id, labels={"tier": "gold"})
    assert (await link(house, customer, stripe_id)).labels == {"tier": "gold"}
    assert (await link(house, customer, stripe_id, labels={})).labels == {}


@pytest.mark.parametrize("stripe_id", ["", "acme", "pm_1", "cus_"])
async def test_what_is_no_stripe_customer_id_is_refused_before_asking_stripe(house, stripe_id):
    _, customer = await house.install(), await house.customer()
    before = len(await house.exchanges())
    with pytest.raises(InvalidInput):
        await link(house, customer, stripe_id)
    assert len(await house.exchanges()) == before


async def test_an_unknown_stripe_customer_is_refused_in_stripes_words(house):
    _, customer = await house.install(), await house.customer()
    with pytest.raises(StripeCustomerUnusable) as refusal:
        await link(house, customer, "cus_nobody")
    assert "cus_nobody" in refusal.value.message
    assert await stored(house, customer) is None


async def test_defect_11_a_deleted_stripe_customer_is_refused(house):
    _, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    await house.stripe("DELETE", f"/v1/customers/{stripe_id}")
    with pytest.raises(StripeCustomerUnusable):
        await link(house, customer, stripe_id)


async def test_one_stripe_customer_serves_one_customer(house):
    _, acme, globex = await house.install(), await house.customer(), await house.customer("Globex")
    stripe_id = await stripe_customer(house)
    await link(house, acme, stripe_id)
    with pytest.raises(StripeCustomerTaken):
        await link(house, globex, stripe_id)
    assert await stored(house, globex) is None


async def test_a_payment_method_must_belong_to_the_very_customer(house):
    _, customer = await house.install(), await house.customer()
    stripe_id, method = await stripe_customer_with(house, "pm_card_visa")
    _, foreign = await stripe_customer_with(house, "pm_card_mastercard")
    for wrong in (foreign, "pm_nobody"):
        with pytest.raises(PaymentMethodUnusable):
            await link(house, customer, stripe_id, default_payment_method_id=wrong)
    assert await stored(house, customer) is None
    seen = await link(house, customer, stripe_id, default_payment_method_id=method)
    assert (seen.payment_method.brand, seen.payment_method.last4) == ("visa", "4242")
    assert seen.payment_method_source == "ours"


async def test_stripes_own_default_is_used_and_said_to_be_stripes_when_we_have_none(house):
    _, customer = await house.install(), await house.customer()
    stripe_id, method = await stripe_customer_with(house, "pm_card_mastercard")
    await house.stripe("POST", f"/v1/customers/{stripe_id}", {"invoice_settings[default_payment_method]": method})
    seen = await link(house, customer, stripe_id)
    assert seen.payment_method_source == "stripe"
    assert seen.payment_method.last4 == "4444"
    assert seen.default_payment_method_id is None


async def test_relinking_keeps_or_clears_the_payment_method_as_asked(house):
    _, customer = await house.install(), await house.customer()
    stripe_id, method = await stripe_customer_with(house, "pm_card_visa")
    await link(house, customer, stripe_id, default_payment_method_id=method)
    kept = await link(house, customer, stripe_id, keep_payment_method=True)
    assert kept.default_payment_method_id == method
    assert (await link(house, customer, stripe_id)).default_payment_method_id is None


async def test_linking_another_stripe_customer_forgets_the_old_payment_method(house):
    _, customer = await house.install(), await house.customer()
    stripe_id, method = await stripe_customer_with(house, "pm_card_visa")
    await link(house, customer, stripe_id, default_payment_method_id=method)
    seen = await link(house, customer, await stripe_customer(house), keep_payment_method=True)
    assert seen.payment_method_source == "none"


async def test_unlinking_forgets_the_link_and_leaves_stripe_alone(house):
    _, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    await link(house, customer, stripe_id)
    before = await house.writes()
    await customer_link.unlink_stripe_customer(house.desk, ADA, customer.id)
    await customer_link.unlink_stripe_customer(house.desk, ADA, customer.id)
    assert await stored(house, customer) is None
    assert await house.writes() == before


async def test_defect_11_another_currency_at_stripe_is_noticed(house):
    _, customer = await house.install(), await house.customer(currency="EUR")
    stripe_id = await stripe_customer(house)
    await house.stripe("POST", "/v1/invoiceitems", {"customer": stripe_id, "amount": "100", "currency": "usd"})
    await house.stripe("POST", "/v1/invoices", {"customer": stripe_id, "pending_invoice_items_behavior": "include"})
    seen = await link(house, customer, stripe_id)
    assert seen.stripe_currency == "usd"
    assert "USD" in seen.notices[0]


async def test_without_any_app_linking_says_what_to_do(house):
    customer = await house.customer()
    with pytest.raises(NoStripeProfile):
        await link(house, customer, "cus_1")


# Searching


async def test_stripe_customers_are_found_by_id_email_and_name_and_show_who_has_them(house):
    app, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    await link(house, customer, stripe_id)
    for text in (stripe_id, "pay@acme.example.com"):
        [hit] = await customer_link.search_stripe_customers(house.desk, app.id, text)
        assert (hit.stripe_customer_id, hit.linked_customer_id) == (stripe_id, customer.id)
    assert await customer_link.search_stripe_customers(house.desk, app.id, "cus_nobody") == ()
    assert await customer_link.search_stripe_customers(house.desk, app.id, "  ") == ()
    for hostile in ("o'brien", 'a"b', "\\", "metadata['x']:'y'"):
        await customer_link.search_stripe_customers(house.desk, app.id, hostile)


# Making


async def test_a_stripe_customer_is_made_with_name_email_address_and_our_ids(house):
    app = await house.install()
    customer = await house.customer(primary_email="ap@acme.example.com", billing_address=ADDRESS)
    seen = await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    made = await house.stripe("GET", f"/v1/customers/{seen.stripe_customer_id}")
    assert made["name"] == "Acme"
    assert made["email"] == "ap@acme.example.com"
    assert made["address"]["postal_code"] == "94107"
    assert made["metadata"] == {"meterdesk_app_id": app.id, "meterdesk_customer_id": customer.id}


@pytest.mark.parametrize("effect", ["cut_before", "cut_after", "error_500_before", "error_500_after", "lock_timeout"])
async def test_defect_2_making_a_stripe_customer_in_bad_weather_makes_exactly_one(house, effect):
    await house.install()
    customer = await house.customer()
    await house.fault(effect=effect, path="/v1/customers", method="POST", times=1)
    for _ in range(3):
        try:
            await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
            break
        except StripeUnreachable:
            continue
    made = (await house.stripe("GET", "/v1/customers"))["data"]
    assert [one["id"] for one in made] == [(await stored(house, customer)).stripe_customer_id]


async def test_five_people_asking_for_a_checkout_page_at_once_make_one_stripe_customer(house):
    await house.install()
    customer = await house.customer()
    request = CreateCheckoutSession(customer_id=customer.id, success_url="https://acme.example.com/thanks")
    pages = await asyncio.gather(*(checkout.create_checkout_session(house.desk, ADA, request) for _ in range(5)))
    assert len({page.stripe_customer_id for page in pages}) == 1
    assert len((await house.stripe("GET", "/v1/customers"))["data"]) == 1


async def test_the_stripe_customer_of_a_deleted_customer_is_free_again(house):
    _, acme, other = await house.install(), await house.customer(), await house.customer("Other")
    stripe_id = await stripe_customer(house)
    await link(house, acme, stripe_id)
    async with house.database.transaction(ADA) as work:
        await delete_customer(work, acme.id, guards=())
    assert (await link(house, other, stripe_id)).stripe_customer_id == stripe_id


async def test_defect_15_the_email_at_stripe_can_be_set_from_here(house):
    _, customer = await house.install(), await house.customer(billing_address=ADDRESS)
    await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    request = UpdateStripeCustomer(customer_id=customer.id, email="new@acme.example.com", send_address=True)
    seen = await customer_link.update_stripe_customer(house.desk, ADA, request)
    assert seen.stripe_email == "new@acme.example.com"
    at_stripe = await house.stripe("GET", f"/v1/customers/{seen.stripe_customer_id}")
    assert at_stripe["email"] == "new@acme.example.com"
    assert at_stripe["name"] == "Acme"


# Readiness


async def test_readiness_says_what_is_missing_for_each_collection_method_with_a_remedy(house):
    app, customer = await house.install(), await house.customer()

    async def codes(**workflow):
        found = await readiness(house.desk, app.id, billed(customer, **workflow))
        assert all(issue.remedy for issue in found)
        return [issue.code for issue in found]

    assert await codes() == ["customer_not_linked"]
    stripe_id, method = await stripe_customer_with(house, "pm_card_visa", email="")
    await link(house, customer, stripe_id)
    assert await codes() == ["no_payment_method"]
    assert await codes(collection_method=CollectionMethod.SEND_INVOICE) == ["no_stripe_email"]
    assert await codes(tax_enforced=True) == ["no_payment_method", "tax_location"]
    await link(house, customer, stripe_id, default_payment_method_id=method)
    assert await codes() == []
    await customer_link.update_stripe_customer(
        house.desk, ADA, UpdateStripeCustomer(customer_id=customer.id, email="a@acme.example.com")
    )
    assert await codes(collection_method=CollectionMethod.SEND_INVOICE) == []


# Checkout


async def test_a_checkout_page_makes_the_stripe_customer_and_carries_our_ids_on_the_setup_intent(house):
    app, customer = await house.install(), await house.customer(currency="EUR")
    page = await checkout_page(house, customer, metadata={"campaign": "spring"}, client_reference_id="ref-1")
    assert page.url
    assert page.mode == "setup"
    assert page.currency == "EUR"
    assert page.client_reference_id == "ref-1"
    assert page.metadata == {"campaign": "spring"}
    intent = await house.stripe("GET", f"/v1/setup_intents/{page.setup_intent_id}")
    assert intent["metadata"] == {
        "campaign": "spring",
        "meterdesk_app_id": app.id,
        "meterdesk_customer_id": customer.id,
    }
    session = await house.stripe("GET", f"/v1/checkout/sessions/{page.session_id}")
    assert session["ui_mode"] == "hosted_page"
    assert session["metadata"] == intent["metadata"]


async def test_defect_12_every_option_of_the_checkout_contract_reaches_stripe_and_metadata_comes_back(house):
    _, customer = await house.install(), await house.customer()
    page = await checkout_page(
        house,
        customer,
        cancel_url="https://acme.test/back",
        currency="usd",
        billing_address_collection="required",
        tax_id_collection={"enabled": True, "required": "if_supported"},
        customer_update={"address": "auto", "name": "auto", "shipping": "never"},
        consent_collection={"payment_method_reuse_agreement": "auto", "terms_of_service": "none", "promotions": "none"},
        custom_text={"submit": "Save it", "after_submit": "Thanks"},
        locale="de",
        payment_method_types=["card"],
        metadata={"order": "7"},
    )
    assert page.metadata["order"] == "7"
    at_stripe = await house.stripe("GET", f"/v1/checkout/sessions/{page.session_id}")
    assert at_stripe["metadata"]["order"] == "7"
    assert at_stripe["billing_address_collection"] == "required"
    assert at_stripe["tax_id_collection"] == {"enabled": True, "required": "if_supported"}
    assert at_stripe["consent_collection"]["payment_method_reuse_agreement"] == {"position": "auto"}
    assert at_stripe["custom_text"]["submit"] == {"message": "Save it"}
    assert at_stripe["locale"] == "de"
    assert at_stripe["cancel_url"] == "https://acme.test/back"


async def test_an_embedded_form_answers_a_client_secret_and_no_address(house):
    _, customer = await house.install(), await house.customer()
    request = {"customer_id": customer.id, "ui_mode": "embedded", "return_url": "https://acme.test/back"}
    page = await checkout.create_checkout_session(house.desk, ADA, parse_input(CreateCheckoutSession, request))
    assert page.client_secret
    assert page.url is None
    assert page.return_url == "https://acme.test/back"


@pytest.mark.parametrize(
    "wrong",
    [
        {"success_url": None},
        {"ui_mode": "embedded"},
        {"ui_mode": "embedded", "success_url": None},
        {"ui_mode": "custom"},
        {"return_url": "https://acme.test"},
        {"success_url": "javascript:alert(1)"},
        {"metadata": {"meterdesk_app_id": "x"}},
        {"metadata": {"k" * 41: "x"}},
        {"custom_text": {"submit": "x" * 1201}},
        {"currency": "XXX"},
        {"unknown": 1},
        {"stripe_customer_id": "pm_1"},
    ],
)
async def test_a_checkout_page_that_stripe_could_not_make_is_refused_first(house, wrong):
    _, customer = await house.install(), await house.customer()
    with pytest.raises(InvalidInput):
        await checkout_page(house, customer, **wrong)
    assert [one for one in await house.writes() if "checkout" in one] == []


async def test_a_given_stripe_customer_is_linked_and_another_one_later_is_refused(house):
    _, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    page = await checkout_page(house, customer, stripe_customer_id=stripe_id)
    assert page.stripe_customer_id == stripe_id
    with pytest.raises(DifferentStripeCustomer):
        await checkout_page(house, customer, stripe_customer_id=await stripe_customer(house))


async def test_after_the_page_is_filled_in_the_payment_method_is_the_default_here_and_in_stripe(house):
    app, customer = await house.install(), await house.customer()
    page = await checkout_page(house, customer)
    await house.complete_checkout(page.session_id)
    await house.hear(app.id)
    seen = await stored(house, customer)
    assert seen.payment_method_source == "ours"
    assert seen.payment_method.last4 == "4242"
    at_stripe = await house.stripe("GET", f"/v1/customers/{seen.stripe_customer_id}")
    assert at_stripe["invoice_settings"]["default_payment_method"] == seen.default_payment_method_id
    async with house.database.read() as session:
        [remembered] = await checkout.list_checkouts(session, customer.id)
    assert remembered.status == "complete"


async def test_of_two_filled_in_pages_the_later_choice_stays_whatever_the_order_of_letters(house):
    app, customer = await house.install(), await house.customer()
    first = await checkout_page(house, customer)
    second = await checkout_page(house, customer)
    await house.complete_checkout(first.session_id, payment_method="pm_card_visa")
    await house.sandbox.post("/_sandbox/clock", json={"advance": "PT5S"})
    await house.complete_checkout(second.session_id, payment_method="pm_card_mastercard")
    await house.hear(app.id)
    last_choice = (await stored(house, customer)).default_payment_method_id
    for event in reversed(await house.inbox()):
        await house.apply_again(event.id)
    assert (await stored(house, customer)).default_payment_method_id == last_choice


async def test_a_page_nobody_fills_in_expires_here_too(house):
    app, customer = await house.install(), await house.customer()
    page = await checkout_page(house, customer)
    await house.stripe("POST", f"/v1/checkout/sessions/{page.session_id}/expire")
    await house.hear(app.id)
    async with house.database.read() as session:
        [remembered] = await checkout.list_checkouts(session, customer.id)
    assert (remembered.status, remembered.url) == ("expired", None)


async def test_a_card_that_needs_the_bank_and_fails_leaves_the_reason_on_the_open_page(house):
    app, customer = await house.install(), await house.customer()
    page = await checkout_page(house, customer)
    await house.complete_checkout(
        page.session_id, payment_method="pm_card_authenticationRequired", three_d_secure="fail"
    )
    await house.hear(app.id)
    async with house.database.read() as session:
        [remembered] = await checkout.list_checkouts(session, customer.id)
    assert remembered.problem
    assert (await stored(house, customer)).payment_method_source == "none"


# What changes in Stripe later


async def test_defect_11_a_detached_card_and_a_deleted_customer_are_noticed(house):
    app, customer = await house.install(), await house.customer()
    stripe_id, method = await stripe_customer_with(house, "pm_card_visa")
    await link(house, customer, stripe_id, default_payment_method_id=method)
    await house.stripe("POST", f"/v1/payment_methods/{method}/detach")
    await house.hear(app.id)
    assert (await stored(house, customer)).payment_method_source == "none"
    await house.stripe("DELETE", f"/v1/customers/{stripe_id}")
    await house.hear(app.id)
    seen = await stored(house, customer)
    assert seen.stripe_deleted_at is not None
    assert seen.notices
    assert [issue.code for issue in await readiness(house.desk, app.id, billed(customer))] == [
        "stripe_customer_deleted"
    ]
    with pytest.raises(StripeCustomerUnusable):
        await checkout_page(house, customer)


async def test_an_email_changed_in_stripe_is_changed_here(house):
    app, customer = await house.install(), await house.customer()
    stripe_id = await stripe_customer(house)
    await link(house, customer, stripe_id)
    await house.stripe("POST", f"/v1/customers/{stripe_id}", {"email": "moved@acme.example.com"})
    await house.hear(app.id)
    assert (await stored(house, customer)).stripe_email == "moved@acme.example.com"


# Portal


async def test_defect_12_the_portal_opens_with_language_return_address_and_our_configuration(house):
    app, customer = await house.install(), await house.customer()
    await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    request = CreatePortalSession(customer_id=customer.id, locale="fr", return_url="https://acme.test/account")
    door = await portal.create_portal_session(house.desk, request)
    assert door.url.startswith("http")
    assert door.locale == "fr"
    assert door.return_url == "https://acme.test/account"
    assert door.configuration_id == app.portal_configuration_id


async def test_a_portal_without_a_stripe_customer_or_configuration_says_which(house):
    _, customer = await house.install(), await house.customer()
    with pytest.raises(NoStripeCustomer):
        await portal.create_portal_session(house.desk, CreatePortalSession(customer_id=customer.id))
    await customer_link.create_stripe_customer(house.desk, ADA, customer.id)
    request = CreatePortalSession(customer_id=customer.id, configuration_id="bpc_nobody")
    with pytest.raises(StripeObjectMissing):
        await portal.create_portal_session(house.desk, request)
