"""An empty desk is filled with the demo company from its home page, and emptied again."""

from collections.abc import Iterator

import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Page, expect
from settings_support import House, open_house

PATIENCE = 120_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk of its own: empty, beside its own sandbox."""
    yield from open_house(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


def test_sample_data_is_loaded_and_removed_from_the_home_page(
    page: Page, picture: Picture, accessible: Accessible
) -> None:
    page.goto("/")
    expect(page.get_by_text("Look around first")).to_be_visible()
    accessible(page)
    picture(page, "home-empty-offer")
    page.get_by_role("button", name="Load sample data").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.reload()
    expect(page.get_by_role("progressbar")).to_be_visible()
    accessible(page)
    picture(page, "home-loading-sample-data")
    expect(page.get_by_role("button", name="Remove sample data…")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Look around first")).to_be_hidden()
    expect(page.get_by_role("heading", name="Money, last 30 days")).to_be_visible()
    expect(page.get_by_text("Your card was declined.").first).to_be_visible()
    accessible(page)
    picture(page, "home-sample-data")
    page.goto("/customers")
    expect(page.get_by_text("of 30")).to_be_visible()

    page.goto("/")
    page.get_by_role("button", name="Remove sample data…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Issued invoices and usage events stay")).to_be_visible()
    accessible(page)
    dialog.get_by_role("button", name="Remove sample data").click()
    expect(page.get_by_text("The sample data was removed; this had to stay")).to_be_visible(timeout=PATIENCE)
    accessible(page)
    picture(page, "home-sample-data-removed")
    expect(page.get_by_role("button", name="Remove sample data…")).to_be_hidden()
    page.goto("/customers")
    expect(page.get_by_text("No customers yet")).to_be_visible()
    page.goto("/plans?status=active")
    expect(page.get_by_text("No plan fits")).to_be_visible()
