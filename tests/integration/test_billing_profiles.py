"""Billing profiles, customers' overrides, tax codes: who bills a customer, and how."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from dashboard.billing.errors import (
    BillingProfileAppUnknown,
    BillingProfileInUse,
    CustomerOverrideNotFound,
    DefaultProfileCannotBeDeleted,
    DefaultProfileCannotBeUnset,
    NoBillingProfile,
)
from dashboard.billing.inputs import (
    CreateBillingProfile,
    SetCustomerOverride,
    SupplierInput,
    TaxConfigInput,
    UpdateBillingProfile,
    WorkflowInput,
)
from dashboard.billing.invoice_inputs import AddCharges, ChargeInput
from dashboard.billing.overrides import customer_billing
from dashboard.billing.profiles import all_billing_profiles, get_billing_profile
from dashboard.billing.queries import tax_code_uses
from dashboard.billing.service import (
    add_charges,
    create_billing_profile,
    delete_billing_profile,
    delete_customer_override,
    make_default_profile,
    set_customer_override,
    update_billing_profile,
)
from dashboard.billing.tables import BillingProfileRow
from dashboard.billing.tax import UnknownTaxCode
from dashboard.billing.views import BillingProfile, CollectionMethod, TaxBehavior, TaxConfig
from dashboard.catalog.errors import TaxCodeInUse, TaxCodeKeyTaken, TaxCodeNotFound
from dashboard.catalog.inputs import CreateTaxCode, UpdateTaxCode, UpdateTaxDefaults
from dashboard.catalog.plan_errors import PlanNotPublishable
from dashboard.catalog.plan_inputs import CreatePlan
from dashboard.catalog.plans import archive_plan, create_plan, next_plan_version, publish_plan
from dashboard.catalog.tax_codes import (
    create_tax_code,
    delete_tax_code,
    ensure_tax_defaults,
    get_tax_code,
    list_tax_codes,
    set_tax_defaults,
    tax_defaults,
    update_tax_code,
    where_used,
)
from dashboard.kit.database import Database
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input
from dashboard.kit.paging import PageRequest
from dashboard.subscriptions.inputs import CreateSubscription
from dashboard.subscriptions.service import SubscriptionDesk, cancel_subscription, create_subscription
from tests.cast import ANN, any_app, draft_for, make_customer, make_profile
from tests.fakes import RecordingOutbox

SUPPLIER = SupplierInput(name="Us", country="DE")


async def test_the_first_profile_is_the_default_and_a_new_default_demotes_it(database: Database) -> None:
    async with database.transaction(ANN) as work:
        first = await make_profile(work, name="First")
        second = await make_profile(work, name="Second")
        assert (first.is_default, second.is_default) == (True, False)
        await make_default_profile(work, second.id)
    async with database.read() as session:
        profiles = await all_billing_profiles(session)
    assert [(one.name, one.is_default) for one in profiles] == [("Second", True), ("First", False)]


async def test_there_is_one_default_however_many_are_made_at_once(database: Database) -> None:
    async def make(number: int) -> BillingProfile:
        wanted = CreateBillingProfile(
            name=f"P{number}", app_id="app", supplier=SUPPLIER, make_default=True if number % 2 else None
        )
        async with database.transaction(ANN) as work:
            return await create_billing_profile(work, wanted, apps=any_app)

    await asyncio.gather(*(make(number) for number in range(6)))
    async with database.read() as session:
        defaults = select(func.count()).where(col(BillingProfileRow.is_default).is_(True))
        assert await session.scalar(defaults) == 1


async def test_the_default_can_be_neither_deleted_nor_unset(database: Database) -> None:
    async with database.transaction(ANN) as work:
        profile = await make_profile(work)
    unset = UpdateBillingProfile(name="P", supplier=SUPPLIER, workflow=WorkflowInput(), make_default=False)
    with pytest.raises(DefaultProfileCannotBeUnset):
        async with database.transaction(ANN) as work:
            await update_billing_profile(work, profile.id, unset, apps=any_app)
    with pytest.raises(DefaultProfileCannotBeDeleted):
        async with database.transaction(ANN) as work:
            await delete_billing_profile(work, profile.id)


async def test_a_profile_needs_an_installed_app(database: Database) -> None:
    async def none(_session: object, _app_id: str) -> bool:
        return False

    wanted = CreateBillingProfile(name="P", app_id="app_x", supplier=SUPPLIER)
    with pytest.raises(BillingProfileAppUnknown):
        async with database.transaction(ANN) as work:
            await create_billing_profile(work, wanted, apps=none)


async def test_an_update_replaces_workflow_and_supplier(database: Database) -> None:
    async with database.transaction(ANN) as work:
        profile = await make_profile(work, draft_period="P1D")
        wanted = UpdateBillingProfile(
            name="New name",
            supplier=SupplierInput(name="Them", country="us", tax_id="DE123"),
            workflow=WorkflowInput(
                collection_method=CollectionMethod.SEND_INVOICE, due_after="P7D", tax_enabled=True, tax_enforced=True
            ),
        )
        changed = await update_billing_profile(work, profile.id, wanted, apps=any_app)
    async with database.read() as session:
        assert await get_billing_profile(session, profile.id) == changed
    assert changed.workflow.draft_period == "P0D"
    assert (changed.workflow.due_after, changed.workflow.tax_enforced, changed.supplier.country) == ("P7D", True, "US")
    assert changed.app_id == profile.app_id


@pytest.mark.parametrize(
    "workflow",
    [
        {"tax_enabled": False, "tax_enforced": True},
        {"draft_period": "three days"},
        {"draft_period": "-P1D"},
        {"collection_alignment": "anchored"},
        {"default_tax": {"stripe_code": "txcd_1"}},
    ],
)
def test_a_workflow_that_does_not_fit_together_is_refused(workflow: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_input(
            CreateBillingProfile,
            {"name": "P", "app_id": "a", "supplier": {"name": "Us", "country": "DE"}, "workflow": workflow},
        )
    assert all(name.startswith("workflow") for name in refusal.value.fields)


async def test_defect_13_the_customers_own_word_beats_the_profile_for_tax_too(database: Database) -> None:
    async with database.transaction(ANN) as work:
        await ensure_tax_defaults(work)
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
        profile = await make_profile(
            work, due_after="P30D", default_tax=TaxConfigInput(behavior=TaxBehavior.EXCLUSIVE, tax_code_id=code.id)
        )
        customer = await make_customer(work)
        billing = await set_customer_override(
            work,
            customer.id,
            SetCustomerOverride(
                due_after="P7D", default_tax=TaxConfigInput(stripe_code="txcd_20030000"), auto_advance=False
            ),
        )
    assert billing.profile == profile
    assert not billing.is_pinned
    assert billing.workflow.due_after == "P7D"
    assert billing.workflow.auto_advance is False
    assert billing.workflow.default_tax == TaxConfig(TaxBehavior.EXCLUSIVE, None, "txcd_20030000")
    assert billing.workflow.draft_period == "P0D"
    assert {name for name, source in billing.sources.items() if source == "override"} == {
        "due_after",
        "default_tax",
        "auto_advance",
    }


async def test_a_pinned_customer_keeps_their_profile_when_the_default_changes(database: Database) -> None:
    async with database.transaction(ANN) as work:
        first = await make_profile(work, name="First")
        customer = await make_customer(work, name="Pinned")
        await set_customer_override(work, customer.id, SetCustomerOverride(billing_profile_id=first.id))
        second = await make_profile(work, name="Second")
        await make_default_profile(work, second.id)
    async with database.read() as session:
        billing = await customer_billing(session, customer.id)
    assert (billing.profile.id, billing.is_pinned) == (first.id, True)
    with pytest.raises(BillingProfileInUse) as refusal:
        async with database.transaction(ANN) as work:
            await delete_billing_profile(work, first.id)
    assert refusal.value.details["reasons"] == ["Pinned"]
    async with database.transaction(ANN) as work:
        await delete_customer_override(work, customer.id)
        await delete_billing_profile(work, first.id)
    async with database.read() as session:
        assert (await customer_billing(session, customer.id)).profile.id == second.id
    with pytest.raises(CustomerOverrideNotFound):
        async with database.transaction(ANN) as work:
            await delete_customer_override(work, customer.id)


async def test_a_new_default_with_another_app_keeps_those_who_pay_through_the_old_one_there(
    database: Database,
) -> None:
    database.outbox = RecordingOutbox()
    async with database.transaction(ANN) as work:
        old = await make_profile(work, name="Old account", app_id="app_1")
        billed, waiting, fresh = [await make_customer(work, name=name, currency="USD") for name in "ABC"]
        own = SetCustomerOverride(due_after="P7D")
        await set_customer_override(work, waiting.id, own)
    await draft_for(database, billed, "10")
    async with database.transaction(ANN) as work:
        charge = ChargeInput(name="Later", unit_price=Decimal(5))
        await add_charges(work, AddCharges(customer_id=waiting.id, charges=(charge,)))
        new = await make_profile(work, name="New account", app_id="app_2")
        await make_default_profile(work, new.id)
    async with database.read() as session:
        found = {one.id: await customer_billing(session, one.id) for one in (billed, waiting, fresh)}
    assert [found[one.id].profile.id for one in (billed, waiting, fresh)] == [old.id, old.id, new.id]
    assert [found[one.id].is_pinned for one in (billed, waiting, fresh)] == [True, True, False]
    assert found[waiting.id].workflow.due_after == "P7D", "what was different for them stays so"


async def test_a_new_default_with_the_same_app_takes_everybody_along(database: Database) -> None:
    database.outbox = RecordingOutbox()
    async with database.transaction(ANN) as work:
        await make_profile(work, name="First", app_id="app_1")
        customer = await make_customer(work, currency="USD")
    await draft_for(database, customer, "10")
    async with database.transaction(ANN) as work:
        second = await make_profile(work, name="Second", app_id="app_1")
        await make_default_profile(work, second.id)
    async with database.read() as session:
        assert (await customer_billing(session, customer.id)).profile.id == second.id


async def test_nobody_can_be_billed_before_there_is_a_profile(database: Database) -> None:
    async with database.transaction(ANN) as work:
        customer = await make_customer(work)
    with pytest.raises(NoBillingProfile):
        async with database.read() as session:
            await customer_billing(session, customer.id)


async def test_an_override_takes_known_tax_codes_only(database: Database) -> None:
    async with database.transaction(ANN) as work:
        await make_profile(work)
        customer = await make_customer(work)
    wanted = SetCustomerOverride(default_tax=TaxConfigInput(tax_code_id="01JHXXXXXXXXXXXXXXXXXXXXXX"))
    with pytest.raises(UnknownTaxCode):
        async with database.transaction(ANN) as work:
            await set_customer_override(work, customer.id, wanted)


# Tax codes


async def test_the_organisation_starts_with_two_tax_codes_made_once(database: Database) -> None:
    async def start() -> None:
        async with database.transaction(ANN) as work:
            await ensure_tax_defaults(work)

    await asyncio.gather(start(), start())
    async with database.read() as session:
        defaults = await tax_defaults(session)
        assert (await list_tax_codes(session, PageRequest())).total_count == 2
    assert defaults is not None
    assert (defaults.invoicing.stripe_code, defaults.credit_grant.stripe_code) == (None, "txcd_00000000")


async def test_a_tax_code_is_changed_and_found(database: Database) -> None:
    async with database.transaction(ANN) as work:
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
        await update_tax_code(work, code.id, UpdateTaxCode(name="Software", stripe_code=None))
    async with database.read() as session:
        found = await get_tax_code(session, "saas")
        assert (found.name, found.stripe_code) == ("Software", None)
        assert (await list_tax_codes(session, PageRequest(), search="SOFT")).total_count == 1
    with pytest.raises(TaxCodeKeyTaken):
        async with database.transaction(ANN) as work:
            await create_tax_code(work, CreateTaxCode(key="saas", name="Other"))


async def test_a_tax_code_in_use_cannot_be_deleted(database: Database) -> None:
    async with database.transaction(ANN) as work:
        await ensure_tax_defaults(work)
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
        await set_tax_defaults(work, UpdateTaxDefaults(invoicing_tax_code_id=code.id))
        profile = await make_profile(work, name="Main", default_tax=TaxConfigInput(tax_code_id=code.id))
    async with database.read() as session:
        uses = await where_used(session, code.id, uses=[tax_code_uses])
    assert uses == ("organisation default for invoicing", "billing profile Main")
    with pytest.raises(TaxCodeInUse) as refusal:
        async with database.transaction(ANN) as work:
            await delete_tax_code(work, code.id, uses=[tax_code_uses])
    assert refusal.value.details["uses"] == list(uses)

    async with database.transaction(ANN) as work:
        provider = await get_tax_code(work.session, "provider_default")
        await set_tax_defaults(work, UpdateTaxDefaults(invoicing_tax_code_id=provider.id))
        plain = UpdateBillingProfile(name="Main", supplier=SUPPLIER, workflow=WorkflowInput())
        await update_billing_profile(work, profile.id, plain, apps=any_app)
        await delete_tax_code(work, code.id, uses=[tax_code_uses])
    async with database.read() as session:
        assert (await get_tax_code(session, code.id)).deleted_at is not None
        with pytest.raises(TaxCodeNotFound):
            await get_tax_code(session, "saas")


async def test_a_tax_code_of_a_rate_card_stays_while_a_plan_or_a_subscription_taxes_with_it(database: Database) -> None:
    fee = {"key": "base", "name": "Base fee", "type": "flat_fee", "billing_cadence": "P1M"}
    async with database.transaction(ANN) as work:
        code = await create_tax_code(work, CreateTaxCode(key="saas", name="SaaS", stripe_code="txcd_10103001"))
        card = {**fee, "price": {"type": "flat", "amount": "30"}, "tax": {"tax_code_id": code.id}}
        document = {"key": "team", "name": "Team", "currency": "USD", "billing_cadence": "P1M"}
        phase = {"key": "default", "name": "Default", "rate_cards": [card]}
        plan = await create_plan(work, parse_input(CreatePlan, {**document, "phases": [phase]}))
        customer = await make_customer(work)
    in_plan, in_subscription = "rate card “Base fee” of plan Team (version 1)", "rate card “Base fee” of subscription"

    async def refused() -> list[str]:
        with pytest.raises(TaxCodeInUse) as refusal:
            async with database.transaction(ANN) as work:
                await delete_tax_code(work, code.id, uses=[tax_code_uses])
        return refusal.value.details["uses"]

    assert await refused() == [in_plan], "a draft may be published yet"

    async def ready(customer_id: str) -> None:
        return None

    async with database.transaction(ANN) as work:
        await publish_plan(work, plan.id)
    wanted = CreateSubscription(customer_id=customer.id, plan="team")
    subscription = await create_subscription(SubscriptionDesk(database, ready), ANN, wanted)
    assert await refused() == [in_plan, f"{in_subscription} Team ({subscription.id})"]

    async with database.transaction(ANN) as work:
        await archive_plan(work, plan.id)
    assert await refused() == [f"{in_subscription} Team ({subscription.id})"], "nobody can choose the plan any more"

    async with database.transaction(ANN) as work:
        await cancel_subscription(work, subscription.id)
        await delete_tax_code(work, code.id, uses=[tax_code_uses])
        with pytest.raises(PlanNotPublishable) as wrong:
            await publish_plan(work, (await next_plan_version(work, "team")).id)
    assert wrong.value.details["codes"] == ["rate_card_tax_code_not_found"]
    assert list(wrong.value.fields) == ["phases.0.rate_cards.0.tax.tax_code_id"]
