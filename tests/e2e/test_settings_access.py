"""API keys, the team, one's own account and the audit log in a real browser."""

import re
from collections.abc import Iterator

import httpx
import pytest
from conftest import OWNER, Accessible, Picture
from playwright.sync_api import Browser, Page, expect
from settings_support import House, open_house

KEYS, TEAM = "/settings/api-keys", "/settings/team"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from open_house(tmp_path_factory.mktemp("access"))


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    context = house.sign_in(browser)
    yield context.new_page()
    context.close()


def test_a_key_is_shown_once_works_and_is_worthless_after_it_was_revoked(
    page: Page, house: House, accessible: Accessible, picture: Picture
) -> None:
    page.goto(KEYS)
    expect(page.get_by_text("No API keys yet")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Create API key").first.click()
    dialog = page.get_by_role("dialog", name="Create API key")
    dialog.get_by_label("Name").fill("Usage exporter")
    dialog.get_by_label("Role").select_option("operator")
    accessible(page)
    dialog.get_by_role("button", name="Create API key").click()
    shown = page.get_by_role("dialog", name="Your new API key: Usage exporter").get_by_label("API key", exact=True)
    expect(shown).to_have_value(re.compile("^mdk_"))
    token = shown.input_value()
    accessible(page)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row", name=re.compile("Usage exporter"))).to_contain_text("operator")
    page.reload()
    expect(page.get_by_role("row", name=re.compile("Usage exporter"))).to_be_visible()
    assert token not in page.content()
    picture(page, "api-keys")
    assert _customers(house, token) == 200

    expect(page.get_by_role("row", name=re.compile("Usage exporter"))).to_contain_text("just now")
    page.get_by_role("button", name="Revoke Usage exporter").click()
    question = page.get_by_role("dialog", name=re.compile("Revoke"))
    expect(question.get_by_role("button", name="Revoke key")).to_be_visible()
    accessible(page)
    question.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("No API keys yet")).to_be_visible()
    assert _customers(house, token) == 401
    page.get_by_role("link", name="Revoked").click()
    expect(page.get_by_role("row", name=re.compile("Usage exporter"))).to_contain_text("revoked")


def test_a_token_reaches_only_the_window_that_made_it_and_no_state(browser: Browser, page: Page, house: House) -> None:
    other = house.sign_in(browser).new_page()
    frames: list[str] = []
    other.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    other.goto(KEYS)
    expect(other.get_by_role("heading", level=1)).to_have_text("API keys")
    page.goto(KEYS)
    page.get_by_role("button", name="Create API key").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Whispered")
    page.get_by_role("dialog").get_by_role("button", name="Create API key").click()
    shown = page.get_by_role("dialog").get_by_label("API key", exact=True)
    expect(shown).to_have_value(re.compile("^mdk_"))
    token = shown.input_value()
    expect(other.get_by_role("row", name=re.compile("Whispered"))).to_be_visible()
    assert not any(token in frame for frame in frames)
    assert token not in house.server.log.read_text()
    again: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: again.append(str(frame))))
    page.reload()
    expect(page.get_by_role("row", name=re.compile("Whispered"))).to_be_visible()
    assert again
    assert not any(token in frame for frame in again)
    other.context.close()


def test_somebody_is_invited_gets_another_role_and_is_removed(
    page: Page, accessible: Accessible, picture: Picture
) -> None:
    page.goto(TEAM)
    expect(page.get_by_role("row", name=re.compile(OWNER["email"]))).to_contain_text("You")
    page.get_by_role("button", name="Invite person").click()
    dialog = page.get_by_role("dialog", name="Invite person")
    dialog.get_by_label("Name").fill("Grace Hopper")
    dialog.get_by_label("Email").fill("grace@example.com")
    dialog.get_by_label("Role").select_option("operator")
    accessible(page)
    dialog.get_by_role("button", name="Make invitation link").click()
    link = page.get_by_label("Password link", exact=True)
    expect(link).to_have_value(re.compile(r"^http://127\.0\.0\.1:\d+/set-password\?token="))
    accessible(page)
    picture(page, "team-invitation")
    page.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name=re.compile("grace@example.com"))
    expect(row).to_contain_text("Invited")

    row.get_by_role("button", name="Change role of Grace Hopper").click()
    dialog = page.get_by_role("dialog", name="Role of Grace Hopper")
    expect(dialog.get_by_label("Role")).to_have_value("operator")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_role("button", name="Change role").click()
    expect(row).to_contain_text("viewer")

    row.get_by_role("button", name="Remove Grace Hopper").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove person").click()
    expect(row).to_have_count(0)


def test_an_invited_viewer_chooses_a_password_and_may_look_but_not_touch(
    browser: Browser, page: Page, house: House, accessible: Accessible
) -> None:
    page.goto(TEAM)
    page.get_by_role("button", name="Invite person").click()
    dialog = page.get_by_role("dialog", name="Invite person")
    dialog.get_by_label("Name").fill("Vera Viewer")
    dialog.get_by_label("Email").fill("vera@example.com")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_role("button", name="Make invitation link").click()
    link = page.get_by_label("Password link", exact=True)
    expect(link).to_have_value(re.compile("token="))

    guest = browser.new_page(base_url=house.server.url)
    guest.goto(link.input_value())
    guest.get_by_label("Password", exact=True).fill("only for looking")
    guest.get_by_label("Password again").fill("only for looking")
    guest.get_by_role("button", name="Set password and sign in").click()
    expect(guest.get_by_label("Your account: Vera Viewer")).to_be_visible()
    guest.goto("/settings/stripe?step=key")
    expect(guest.get_by_text("Ask an owner or admin to install it.")).to_be_visible()
    expect(guest.get_by_role("button", name="Install")).to_have_count(0)
    accessible(guest)
    for address in (KEYS, TEAM, "/settings/tax-codes"):
        guest.goto(address)
        expect(guest.get_by_role("heading", level=1)).to_be_visible()
        expect(guest.get_by_role("button", name=re.compile("Create|Invite|Delete|Revoke|Save"))).to_have_count(0)
    guest.context.close()


def test_an_email_that_is_taken_is_refused_at_its_field(page: Page) -> None:
    page.goto(TEAM)
    page.get_by_role("button", name="Invite person").click()
    dialog = page.get_by_role("dialog", name="Invite person")
    dialog.get_by_label("Name").fill("Ada Again")
    dialog.get_by_label("Email").fill(OWNER["email"])
    dialog.get_by_role("button", name="Make invitation link").click()
    expect(dialog.get_by_role("alert").filter(has_text="on the team already")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_value("Ada Again")


def test_ones_own_password_is_changed_with_the_current_one_only(page: Page, accessible: Accessible) -> None:
    page.goto(f"{TEAM}?tab=account")
    expect(page.get_by_role("row", name=re.compile("127.0.0.1")).first).to_be_visible()
    accessible(page)
    _change_password(page, "not the current one", "a brand new password")
    expect(page.get_by_role("alert").filter(has_text="That is not the current password.")).to_be_visible()
    _change_password(page, OWNER["password"], "short")
    expect(page.get_by_role("alert").filter(has_text="at least 8 characters")).to_be_visible()
    _change_password(page, OWNER["password"], OWNER["password"] + " 2")
    # Three slow hashes, and the machine may be busy.
    expect(page.get_by_text("Password changed")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Current password")).to_have_value("")
    _change_password(page, OWNER["password"] + " 2", OWNER["password"])


def test_the_audit_log_tells_who_did_what_and_can_be_narrowed_down(
    page: Page, accessible: Accessible, picture: Picture
) -> None:
    page.goto(f"{TEAM}?tab=audit")
    log = page.get_by_role("region", name="Audit log")
    expect(log.get_by_role("row", name=re.compile("API key revoked"))).to_contain_text(OWNER["email"])
    accessible(page)
    picture(page, "audit-log")
    page.get_by_label("What", exact=True).select_option("person")
    expect(page).to_have_url(re.compile("what=person"))
    expect(log.get_by_role("row", name=re.compile("API key"))).to_have_count(0)
    expect(log.get_by_role("row", name=re.compile("Person role changed"))).to_contain_text("before: operator")
    page.get_by_label("Who", exact=True).select_option("stripe")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(log.get_by_role("row", name=re.compile("API key revoked"))).to_be_visible()


def _change_password(page: Page, current: str, new: str) -> None:
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(new)
    page.get_by_role("button", name="Change password").click()


def _customers(house: House, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{house.server.url}/api/v1/customers", headers=headers, timeout=30).status_code
