import asyncio

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from dashboard.kit.inputs import parse_input
from dashboard.stripe_app import app_life, apps, install, webhook_endpoint
from dashboard.stripe_app.errors import (
    AccountAlreadyInstalled,
    BadStripeKey,
    StripeAppDeleted,
    StripeAppNotFound,
    StripeRefused,
    StripeUnauthorized,
    StripeUnreachable,
    WrongStripeAccount,
)
from dashboard.stripe_app.inputs import InstallStripeApp, UpdateStripeApp
from dashboard.stripe_app.jobs import stripe_reconcile
from dashboard.stripe_app.tables import StripeAppRow
from dashboard.stripe_app.views import AppState, Delivery
from dashboard.stripe_app.webhook_endpoint import EVENTS, register_again, rotate_signing_secret
from tests.stripe_house import ADA
from tests.stripe_house import house as house
from tests.stripe_house import sandbox_url as sandbox_url
from tests.stripe_house import stripe_sandbox as stripe_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC = "http://127.0.0.1:9"


async def rows(house):
    async with house.database.read() as session:
        return list(await session.scalars(select(StripeAppRow)))


async def endpoints(house):
    return (await house.stripe("GET", "/v1/webhook_endpoints"))["data"]


async def test_before_installing_a_key_shows_its_account_and_mode_and_writes_nothing(house):
    check = await install.check_key(house.desk, SecretStr(house.key))
    assert check.account_id == await house.account_id()
    assert check.mode == "test"
    assert check.is_sandbox
    assert check.installed_app_id is None
    assert check.delivery is Delivery.POLLING
    assert "METERDESK_PUBLIC_URL" in check.delivery_explanation
    assert await rows(house) == []
    assert await house.writes() == []


async def test_installing_without_a_public_address_polls_and_leaves_no_webhook(house):
    app = await house.install(name="Main account", metadata={"team": "finance"})
    assert app.state is AppState.READY
    assert app.delivery is Delivery.POLLING
    assert app.name == "Main account"
    assert app.metadata == {"team": "finance"}
    assert await endpoints(house) == []
    assert app.portal_configuration_id


async def test_installing_with_a_public_address_registers_one_pinned_webhook_for_our_events(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [endpoint] = await endpoints(house)
    assert endpoint["url"] == f"{PUBLIC}/api/v1/apps/{app.id}/stripe/webhook"
    assert endpoint["api_version"] == "2026-10-28.endive"
    assert set(endpoint["enabled_events"]) == set(EVENTS)
    assert endpoint["metadata"] == {"meterdesk_app_id": app.id}
    assert app.delivery is Delivery.WEBHOOK


async def test_defect_14_key_and_signing_secret_are_sealed_and_in_no_view(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [row] = await rows(house)
    assert house.desk.secrets.open(row.sealed_key) == house.key
    assert house.desk.secrets.open(row.sealed_webhook_secret).startswith("whsec_")
    for shown in (repr(app), repr(row), repr(await install.check_key(house.desk, SecretStr(house.key)))):
        assert house.key not in shown
        assert "whsec_" not in shown
    assert app.masked_key.endswith(house.key[-4:])
    assert len(app.masked_key) < 14


@pytest.mark.parametrize("key", ["", "sk_", "sk_test_", "pk_test_1234567", "nonsense", "sk_org_123456789"])
async def test_defect_14_short_and_garbage_keys_are_refused_in_words(house, key):
    with pytest.raises(BadStripeKey):
        await install.check_key(house.desk, SecretStr(key))
    with pytest.raises(BadStripeKey):
        await install.install_stripe_app(house.desk, ADA, parse_input(InstallStripeApp, {"api_key": key}))
    assert await rows(house) == []


async def test_a_key_that_stripe_does_not_know_is_refused_in_stripes_words(house, sandbox_url):
    house.desk.gateways._api_base = sandbox_url
    with pytest.raises(StripeUnauthorized) as refusal:
        await install.check_key(house.desk, SecretStr("sk_test_51Unknown1234"))
    assert "Invalid API Key" in refusal.value.message
    assert "51Unknown1234" not in refusal.value.for_people()


async def test_defect_2_installing_an_account_twice_is_refused_and_leaves_no_second_webhook(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    with pytest.raises(AccountAlreadyInstalled) as refusal:
        await house.install(name="Again")
    assert refusal.value.details["app_id"] == app.id
    assert len(await endpoints(house)) == 1
    assert len(await rows(house)) == 1


async def test_several_accounts_stand_side_by_side(house):
    first = await house.install()
    house.account += "other"
    second = await house.install()
    assert first.account_id != second.account_id
    async with house.database.read() as session:
        assert {app.id for app in await apps.list_stripe_apps(session)} == {first.id, second.id}


async def test_a_key_other_than_the_confirmed_one_is_not_installed(house):
    with pytest.raises(WrongStripeAccount):
        await house.install(confirmed_account_id="acct_other")
    assert await rows(house) == []


@pytest.mark.parametrize(
    "path",
    ["/v1/account", "/v1/events", "/v1/webhook_endpoints", "/v1/billing_portal/configurations"],
)
@pytest.mark.parametrize("effect", ["forbidden", "unavailable", "error_500_after", "cut_before"])
async def test_a_step_that_fails_leaves_nothing_behind_here_or_in_stripe(house, path, effect):
    house.desk.public_url = PUBLIC
    if path == "/v1/webhook_endpoints":
        await house.fault(effect=effect, path=path, method="POST", times=9)
    else:
        await house.fault(effect=effect, path=path, times=9)
    with pytest.raises((StripeRefused, StripeUnreachable)):
        await house.install()
    await house.clear_faults()
    if await rows(house):
        house.clock.advance(install.ABANDONED_AFTER * 2)
        assert await install.abandon_interrupted_installs(house.desk, ADA) == 1
    assert await rows(house) == []
    assert await endpoints(house) == []
    app = await house.install()
    assert len(await endpoints(house)) == 1
    assert app.state is AppState.READY


async def test_a_lost_answer_makes_no_second_webhook(house):
    house.desk.public_url = PUBLIC
    await house.fault(effect="cut_after", path="/v1/webhook_endpoints", method="POST")
    app = await house.install()
    [endpoint] = await endpoints(house)
    [row] = await rows(house)
    assert row.webhook_endpoint_id == endpoint["id"]
    assert app.state is AppState.READY


async def test_an_installation_that_a_crash_cut_off_is_taken_up_again_by_the_next_try(house):
    house.desk.public_url = PUBLIC
    app_id = await install._claim(
        house.desk,
        ADA,
        parse_input(InstallStripeApp, {"api_key": house.key}),
        install.key_shape(house.key),
        await house.stripe("GET", "/v1/account"),
    )
    gateway = house.desk.gateways.open(house.key)
    await install.create_endpoint(gateway, app_id, install.webhook_url(PUBLIC, app_id))
    with pytest.raises(AccountAlreadyInstalled):
        await house.install()
    house.clock.advance(install.ABANDONED_AFTER * 2)
    app = await house.install()
    assert app.id == app_id
    assert len(await endpoints(house)) == 1
    assert len(await rows(house)) == 1


async def test_an_app_that_is_being_installed_is_not_shown_yet(house):
    await install._claim(
        house.desk,
        ADA,
        parse_input(InstallStripeApp, {"api_key": house.key}),
        install.key_shape(house.key),
        await house.stripe("GET", "/v1/account"),
    )
    async with house.database.read() as session:
        assert await apps.list_stripe_apps(session) == ()


# Keys change


async def test_replacing_a_key_needs_the_same_account(house):
    app = await house.install()
    with pytest.raises(WrongStripeAccount):
        await app_life.replace_key(house.desk, ADA, app.id, SecretStr(house.key + "other"))
    with pytest.raises(WrongStripeAccount):
        await app_life.replace_key(house.desk, ADA, app.id, SecretStr("sk_live_51AbCdEfGh"))
    with pytest.raises(BadStripeKey):
        await app_life.replace_key(house.desk, ADA, app.id, SecretStr("x"))
    [row] = await rows(house)
    assert house.desk.secrets.open(row.sealed_key) == house.key


async def test_a_401_marks_the_app_unauthorized_and_another_key_brings_it_back(house):
    app = await house.install()
    await house.fault(effect="unauthorized", path="/v1/", times=1)
    with pytest.raises(StripeUnauthorized):
        async with house.desk.stripe(app.id) as gateway:
            await gateway.tax_settings()
    async with house.database.read() as session:
        assert (await apps.get_stripe_app(session, app.id)).status == "unauthorized"
    before = len(await house.exchanges())
    with pytest.raises(StripeUnauthorized):
        async with house.desk.stripe(app.id) as gateway:
            await gateway.tax_settings()
    assert len(await house.exchanges()) == before
    back = await app_life.replace_key(house.desk, ADA, app.id, SecretStr(house.key))
    assert back.status == "ready"
    async with house.desk.stripe(app.id) as gateway:
        await gateway.tax_settings()


async def test_updating_an_app_replaces_name_description_and_metadata(house):
    app = await house.install(description="old", metadata={"a": "1"})
    changed = await app_life.update_stripe_app(house.desk, ADA, app.id, UpdateStripeApp(name="New"))
    assert (changed.name, changed.description, changed.metadata) == ("New", None, {})
    assert changed.masked_key == app.masked_key


# The webhook follows


async def test_a_new_public_address_moves_the_webhook_and_old_letters_are_still_taken(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [before] = await rows(house)
    house.desk.public_url = "http://127.0.0.1:10"
    await register_again(house.desk, ADA, app.id)
    [endpoint] = await endpoints(house)
    assert endpoint["url"].startswith("http://127.0.0.1:10/")
    [row] = await rows(house)
    assert row.sealed_previous_secret == before.sealed_webhook_secret
    assert row.sealed_webhook_secret != before.sealed_webhook_secret


async def test_a_webhook_that_fits_is_left_alone(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    before = await house.writes()
    await register_again(house.desk, ADA, app.id)
    assert await house.writes() == before


async def test_rotating_the_signing_secret_keeps_one_endpoint_and_two_secrets(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [old] = await endpoints(house)
    await rotate_signing_secret(house.desk, ADA, app.id)
    [new] = await endpoints(house)
    assert new["id"] != old["id"]
    [row] = await rows(house)
    assert row.sealed_previous_secret
    assert row.webhook_endpoint_id == new["id"]


async def test_a_rotation_that_a_crash_cut_off_before_its_last_step_leaves_no_second_webhook(house, monkeypatch):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [old] = await endpoints(house)

    async def crash(*_):
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(webhook_endpoint, "delete_endpoint", crash)
        with pytest.raises(ConnectionError):
            await rotate_signing_secret(house.desk, ADA, app.id)
    assert len(await endpoints(house)) == 2
    await stripe_reconcile(house.desk)
    [left] = await endpoints(house)
    [row] = await rows(house)
    assert row.webhook_endpoint_id == left["id"] != old["id"]


async def test_a_rotation_that_a_crash_cut_off_before_it_was_written_down_leaves_no_second_webhook(house, monkeypatch):
    house.desk.public_url = PUBLIC
    await house.install()
    [used] = await endpoints(house)
    [row] = await rows(house)

    def crash(*_):
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(webhook_endpoint, "take_endpoint", crash)
        with pytest.raises(ConnectionError):
            await rotate_signing_secret(house.desk, ADA, row.id)
    assert len(await endpoints(house)) == 2
    await stripe_reconcile(house.desk)
    assert [left["id"] for left in await endpoints(house)] == [used["id"]]


async def test_a_comparison_in_the_middle_of_a_rotation_takes_nothing_from_it(house, monkeypatch):
    house.desk.public_url = PUBLIC
    app = await house.install()
    real = webhook_endpoint.create_endpoint

    async def create_and_compare(*arguments, **named):
        made = await real(*arguments, **named)
        await stripe_reconcile(house.desk)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(webhook_endpoint, "create_endpoint", create_and_compare)
        await rotate_signing_secret(house.desk, ADA, app.id)
    [row] = await rows(house)
    assert [left["id"] for left in await endpoints(house)] == [row.webhook_endpoint_id]


async def test_of_two_rotations_at_once_the_second_comes_after_the_first(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    await asyncio.gather(*[rotate_signing_secret(house.desk, ADA, app.id) for _ in range(3)])
    [row] = await rows(house)
    assert [left["id"] for left in await endpoints(house)] == [row.webhook_endpoint_id]


# Leaving


async def test_uninstalling_removes_the_webhook_and_the_secrets_and_keeps_the_history(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    result = await app_life.uninstall_stripe_app(house.desk, ADA, app.id)
    assert result.left_in_stripe == ()
    assert await endpoints(house) == []
    [row] = await rows(house)
    assert (row.sealed_key, row.sealed_webhook_secret, row.sealed_previous_secret) == (None, None, None)
    async with house.database.read() as session:
        gone = await apps.get_stripe_app(session, app.id)
        assert await apps.list_stripe_apps(session) == ()
    assert gone.deleted_at is not None
    assert gone.account_id == app.account_id
    with pytest.raises(StripeAppDeleted):
        await app_life.replace_key(house.desk, ADA, app.id, SecretStr(house.key))


async def test_after_uninstalling_the_account_can_be_installed_again(house):
    app = await house.install()
    await app_life.uninstall_stripe_app(house.desk, ADA, app.id)
    again = await house.install()
    assert again.id != app.id
    assert again.portal_configuration_id == app.portal_configuration_id


async def test_uninstalling_with_a_revoked_key_works_and_names_what_is_left(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    [endpoint] = await endpoints(house)
    await house.fault(effect="unauthorized", path="/v1/", times=9)
    result = await app_life.uninstall_stripe_app(house.desk, ADA, app.id)
    await house.clear_faults()
    [sentence] = result.left_in_stripe
    assert endpoint["id"] in sentence


async def test_uninstalling_while_stripe_is_away_changes_nothing(house):
    house.desk.public_url = PUBLIC
    app = await house.install()
    await house.fault(effect="unavailable", path="/v1/", times=9)
    with pytest.raises(StripeUnreachable):
        await app_life.uninstall_stripe_app(house.desk, ADA, app.id)
    await house.clear_faults()
    async with house.database.read() as session:
        assert (await apps.get_stripe_app(session, app.id)).state is AppState.READY


async def test_an_uninstallation_that_a_crash_cut_off_is_finished_later(house):
    app = await house.install()
    await app_life._begin_uninstall(house.desk, ADA, app.id)
    house.clock.advance(app_life.ABANDONED_AFTER * 2)
    assert await app_life.finish_interrupted_uninstalls(house.desk) == 1
    async with house.database.read() as session:
        assert (await apps.get_stripe_app(session, app.id)).state is AppState.UNINSTALLED


async def test_an_app_nobody_installed_is_not_found(house):
    with pytest.raises(StripeAppNotFound):
        await app_life.uninstall_stripe_app(house.desk, ADA, "01H00000000000000000000000")
