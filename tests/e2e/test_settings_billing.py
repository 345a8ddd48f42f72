"""Billing profiles and tax codes in a real browser."""

import re
from collections.abc import Iterator

import pytest
from conftest import Accessible, Picture
from playwright.sync_api import Browser, Page, expect
from settings_support import House, create_profile, install, open_house, settle

PROFILES = "/settings/billing-profiles"
NOON_OF_A_NOVEMBER_DAY = "fixed:2026-11-21T12:00:00Z"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Meterdesk whose clock stands still in November 2026."""
    yield from open_house(tmp_path_factory.mktemp("billing"), METERDESK_CLOCK=NOON_OF_A_NOVEMBER_DAY)


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


def test_without_stripe_the_list_leads_to_the_set_up(page: Page, accessible: Accessible) -> None:
    page.goto(PROFILES)
    expect(page.get_by_text("Connect Stripe first")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="Connect Stripe", exact=True).click()
    expect(page.get_by_role("button", name="Install")).to_be_visible()


def test_each_waiting_time_shows_the_dates_it_leads_to_while_one_types(
    page: Page, accessible: Accessible, picture: Picture
) -> None:
    create_profile(page, install(page, "profiles"))
    page.goto(f"{PROFILES}/new")
    dates = page.get_by_role("main").locator("section").filter(has_text="What that leads to")
    expect(dates).to_contain_text("Tue 1 Dec 2026, 01:00 UTC")
    expect(dates).to_contain_text("Stripe charges the customer")
    page.get_by_role("radio", name=re.compile("^Send Invoice")).check()
    page.get_by_label("Wait for late usage", exact=True).fill("2")
    page.get_by_label("Wait for late usage: unit").select_option("days")
    expect(dates).to_contain_text("Thu 3 Dec 2026, 00:00 UTC")
    page.get_by_label("Days until due", exact=True).fill("14")
    expect(dates).to_contain_text("Thu 17 Dec 2026, 00:00 UTC")
    expect(dates).to_contain_text("own hour before finalising does not apply")
    page.get_by_label("Days until due", exact=True).fill("soon")
    expect(dates).to_contain_text("Give a whole number")
    accessible(page)
    page.get_by_label("Days until due", exact=True).fill("14")
    page.get_by_label("Approval").select_option("manual")
    expect(dates).to_contain_text("When somebody approves it")
    page.get_by_label("Name", exact=True).fill("Enterprise")
    page.get_by_label("Labels").fill("no equals sign")
    page.get_by_role("button", name="Create billing profile").click()
    expect(page.get_by_role("alert").filter(has_text="one label per line")).to_be_visible()
    expect(page.get_by_label("Labels")).to_be_focused()
    page.get_by_label("Labels").fill("team=emea")
    picture(page, "billing-profile-form")
    page.get_by_role("button", name="Create billing profile").click()

    expect(page).to_have_url(re.compile(f"{PROFILES}$"))
    page.get_by_role("link", name="Enterprise").click()
    expect(page.get_by_label("Wait for late usage", exact=True)).to_have_value("2")
    expect(page.get_by_label("Approval")).to_have_value("manual")
    expect(page.get_by_label("Labels")).to_have_value("team=emea")


def test_another_profile_becomes_the_default_and_only_then_can_the_first_be_deleted(
    page: Page, accessible: Accessible, picture: Picture
) -> None:
    page.goto(PROFILES)
    first = page.get_by_role("row", name=re.compile("Auto Collection"))
    second = page.get_by_role("row", name=re.compile("^Enterprise"))
    expect(first).to_contain_text("Default")
    picture(page, "billing-profiles")
    first.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog", name=re.compile("^Delete"))
    question.get_by_role("button", name="Delete profile").click()
    expect(question.get_by_role("alert")).to_contain_text("is the default billing profile")
    settle(page)
    accessible(page)
    question.get_by_role("button", name="Keep it").click()

    second.get_by_role("button", name="Make Enterprise the default").click()
    question = page.get_by_role("dialog", name=re.compile("the default"))
    expect(question).to_contain_text("It takes over from")
    question.get_by_role("button", name="Make default").click()
    expect(second).to_contain_text("Default")
    first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete profile").click()
    expect(first).to_have_count(0)


def test_a_profile_that_is_not_there_says_so_and_leads_back(page: Page, accessible: Accessible) -> None:
    page.goto(f"{PROFILES}/01NOSUCHPROFILE")
    expect(page.get_by_role("alert")).to_contain_text("There is no billing profile")
    accessible(page)
    page.get_by_role("link", name="All billing profiles").click()
    expect(page).to_have_url(re.compile(f"{PROFILES}$"))


def test_a_tax_code_is_made_with_a_code_of_stripes_becomes_the_default_and_then_cannot_be_deleted(
    page: Page, accessible: Accessible, picture: Picture
) -> None:
    page.goto("/settings/tax-codes")
    page.get_by_role("button", name="Create tax code").first.click()
    editor = page.get_by_role("dialog", name="Create tax code")
    editor.get_by_label("Name", exact=True).fill("SaaS, business")
    editor.get_by_role("button", name="Choose stripe tax code").click()
    expect(editor.get_by_role("button", name=re.compile("^Nontaxable"))).to_be_visible()
    editor.get_by_label("Search tax codes").fill("saas business")
    expect(editor.get_by_role("button", name=re.compile("^Nontaxable"))).to_have_count(0)
    accessible(page)
    picture(page, "tax-code-editor")
    editor.get_by_role("button", name=re.compile("business use")).first.click()
    editor.get_by_role("button", name="Create tax code").click()
    row = page.get_by_role("row", name=re.compile("SaaS, business"))
    expect(row).to_contain_text("saas_business")
    expect(row).to_contain_text("txcd_10103001")
    expect(row).to_contain_text("nothing")

    page.get_by_label("For what is invoiced").select_option(label="SaaS, business (txcd_10103001)")
    page.get_by_role("button", name="Save defaults").click()
    expect(row).to_contain_text("organisation default for invoicing")
    row.get_by_role("button", name="Delete SaaS, business").click()
    question = page.get_by_role("dialog", name=re.compile("^Delete"))
    expect(question).to_contain_text("It is still used by")
    expect(question.get_by_role("button", name="Delete tax code")).to_be_disabled()
    accessible(page)
    question.get_by_role("button", name="Keep it").click()

    row.get_by_role("button", name="Edit SaaS, business").click()
    editor = page.get_by_role("dialog", name="Edit SaaS, business")
    editor.get_by_label("Name", exact=True).fill("Software")
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("^Software"))).to_contain_text("saas_business")


def test_one_key_belongs_to_one_tax_code(page: Page) -> None:
    page.goto("/settings/tax-codes")
    editor = page.get_by_role("dialog", name="Create tax code")
    for _ in range(2):
        page.get_by_role("button", name="Create tax code").first.click()
        editor.get_by_label("Name", exact=True).fill("Twice")
        editor.get_by_role("button", name="Create tax code").click()
        expect(page.get_by_role("row", name=re.compile("^Twice"))).to_have_count(1)
    expect(editor.get_by_role("alert").filter(has_text="already")).to_be_visible()


def test_ones_own_tax_codes_can_be_picked_for_a_profile(page: Page) -> None:
    page.goto(PROFILES)
    page.get_by_role("link", name="Enterprise").click()
    page.get_by_role("radio", name=re.compile("^On Stripe Tax")).check()
    page.get_by_role("button", name="Choose default tax code").click()
    page.get_by_label("Search tax codes").fill("software")
    page.get_by_role("button", name=re.compile("^Software · yours")).click()
    page.get_by_role("button", name="Save changes").click()
    expect(page).to_have_url(re.compile(f"{PROFILES}$"))
    page.get_by_role("link", name="Enterprise").click()
    expect(page.get_by_role("group", name="Default tax code")).to_contain_text("Software")
    page.goto("/settings/tax-codes")
    expect(page.get_by_role("row", name=re.compile("^Software"))).to_contain_text("billing profile Enterprise")
