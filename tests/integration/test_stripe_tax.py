import asyncio
from datetime import timedelta

import pytest

from dashboard.stripe_app import tax
from tests.stripe_house import house as house
from tests.stripe_house import stripe_sandbox as stripe_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HEAD_OFFICE = {
    "head_office[address][country]": "DE",
    "head_office[address][postal_code]": "10115",
    "head_office[address][city]": "Berlin",
    "head_office[address][line1]": "Invalidenstr. 1",
}


async def reads(house, path) -> int:
    return len([one for one in await house.exchanges() if one["path"].startswith(path)])


async def test_pending_tax_settings_say_what_the_account_still_misses(house):
    app = await house.install()
    found = await tax.tax_settings(house.desk, app.id)
    assert not found.is_active
    assert found.missing_fields


async def test_tax_settings_are_read_again_after_ten_minutes_or_when_asked(house):
    app = await house.install()
    await tax.tax_settings(house.desk, app.id)
    await tax.tax_settings(house.desk, app.id)
    assert await reads(house, "/v1/tax/settings") == 1
    await tax.tax_settings(house.desk, app.id, fresh=True)
    assert await reads(house, "/v1/tax/settings") == 2
    house.clock.advance(timedelta(minutes=11))
    await tax.tax_settings(house.desk, app.id)
    assert await reads(house, "/v1/tax/settings") == 3


async def test_settings_completed_in_stripe_are_known_here_from_the_event(house):
    app = await house.install()
    await tax.tax_settings(house.desk, app.id)
    await house.stripe("POST", "/v1/tax/settings", HEAD_OFFICE | {"defaults[tax_behavior]": "inclusive"})
    await house.hear(app.id)
    before = await reads(house, "/v1/tax/settings")
    found = await tax.tax_settings(house.desk, app.id)
    assert await reads(house, "/v1/tax/settings") == before
    assert found.is_active
    assert found.default_tax_behavior == "inclusive"


async def test_the_library_of_tax_codes_is_fetched_once_a_day_and_searched_here(house):
    app = await house.install()
    everything = await tax.list_tax_codes(house.desk, app.id, limit=1000)
    assert len(everything) > 20
    assert all(code.id.startswith("txcd_") for code in everything)
    found = await tax.list_tax_codes(house.desk, app.id, "SaaS business")
    assert "txcd_10103001" in [code.id for code in found]
    assert await tax.list_tax_codes(house.desk, app.id, "100% _nothing_") == ()
    assert (await tax.get_tax_code(house.desk, app.id, "txcd_10103001")) in everything
    assert await tax.get_tax_code(house.desk, app.id, "txcd_00000001") is None
    asked = await reads(house, "/v1/tax_codes")
    house.clock.advance(timedelta(hours=25))
    await tax.list_tax_codes(house.desk, app.id)
    assert await reads(house, "/v1/tax_codes") == 2 * asked


async def test_two_people_asking_for_tax_codes_at_once_both_get_them(house):
    app = await house.install()
    first, second = await asyncio.gather(*(tax.list_tax_codes(house.desk, app.id) for _ in range(2)))
    assert first == second != ()
