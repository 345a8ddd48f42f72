"""The frame around every page, and the way in: in a real browser against the real server."""

import re
from collections.abc import Iterator

import httpx
import pytest
from conftest import OWNER, Accessible, Picture, Server, running_server
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboard.kit.web import SESSION_COOKIE
from dashboard.ui.navigation import shown_menu
from dashboard.ui.routes import load_pages

PAGE_BYTES_MAX = 300_000


@pytest.fixture(scope="module")
def fresh_server(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Meterdesk that nobody has set up yet."""
    yield from running_server(tmp_path_factory.mktemp("fresh"))


def test_the_first_visitor_becomes_the_owner_and_nobody_after_them(
    browser: Browser, fresh_server: Server, picture: Picture, accessible: Accessible
) -> None:
    page = browser.new_page(base_url=fresh_server.url)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Create the owner account")
    accessible(page)
    picture(page, "setup")
    page.get_by_label("Your name").fill(OWNER["name"])
    page.get_by_label("Email").fill(OWNER["email"])
    page.get_by_label("Password", exact=True).fill(OWNER["password"])
    page.get_by_label("Password again").fill("something else")
    page.get_by_role("button", name="Create the owner account").click()
    expect(page.get_by_role("alert").first).to_contain_text("The two passwords are not the same.")
    page.get_by_label("Your name").fill(OWNER["name"])
    page.get_by_label("Email").fill(OWNER["email"])
    page.get_by_label("Password", exact=True).fill(OWNER["password"])
    page.get_by_label("Password again").fill(OWNER["password"])
    page.get_by_role("button", name="Create the owner account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    expect(page.get_by_label(f"Your account: {OWNER['name']}")).to_be_visible()
    page.context.close()

    late = browser.new_page(base_url=fresh_server.url)
    late.goto("/setup")
    expect(late).to_have_url(re.compile(r"/login$"))
    late.context.close()


def test_signing_in_leads_to_the_page_that_was_asked_for_and_signing_out_shuts_it(
    browser: Browser, server: Server, owner_cookies: dict[str, str], picture: Picture, accessible: Accessible
) -> None:
    page = browser.new_page(base_url=server.url)
    page.goto("/settings/team?from=mail")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    accessible(page)
    picture(page, "login")
    _sign_in(page, "wrong password")
    expect(page.get_by_role("alert").first).to_contain_text("do not go together")
    accessible(page)
    _sign_in(page, OWNER["password"])
    expect(page).to_have_url(f"{server.url}/settings/team?from=mail")

    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login$"))
    page.context.close()


def test_the_menu_lists_the_pages_there_are_and_marks_the_open_one(desk: Page) -> None:
    desk.goto("/")
    menu = desk.get_by_role("navigation", name="Main")
    load_pages()
    labels = [entry.label for group in shown_menu() for entry in group.entries]
    expect(menu.get_by_role("link")).to_have_text(labels)
    expect(menu.get_by_role("link", name="Home")).to_have_attribute("aria-current", "page")
    expect(desk.get_by_role("heading", level=1)).to_have_count(1)


def test_every_page_of_the_menu_opens_without_a_complaint_in_the_console(desk: Page, server: Server) -> None:
    complaints: list[str] = []
    load_pages()
    desk.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    desk.on("pageerror", lambda error: complaints.append(str(error)))
    for group in shown_menu():
        for entry in group.entries:
            answer = desk.goto(entry.route)
            assert answer is not None
            assert answer.status == 200, entry.route
            assert not answer.request.redirected_from, entry.route
            expect(desk.get_by_role("heading", level=1)).to_be_visible()
    assert not complaints


def test_the_frame_is_accessible_in_both_themes_and_the_choice_is_kept(
    desk: Page, picture: Picture, accessible: Accessible
) -> None:
    desk.goto("/")
    root = desk.locator("html")
    for mode in ("Light", "Dark"):
        desk.get_by_label("Your account").click()
        desk.get_by_role("button", name=mode).click()
        expect(root).to_have_class(re.compile(mode.lower()))
        accessible(desk)
        picture(desk, f"home {mode}")
    desk.reload()
    expect(root).to_have_class(re.compile("dark"))


def test_on_a_phone_the_menu_is_a_drawer_and_nothing_sticks_out(
    desk: Page, picture: Picture, accessible: Accessible
) -> None:
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.goto("/")
    expect(desk.get_by_label(f"Your account: {OWNER['name']}")).to_be_visible()
    assert desk.evaluate("document.documentElement.scrollWidth") == 390
    desk.get_by_role("button", name="Open menu").click()
    drawer = desk.get_by_role("dialog", name="Menu")
    expect(drawer).to_be_visible()
    accessible(desk)
    picture(desk, "phone menu")
    desk.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    desk.get_by_role("button", name="Open menu").click()
    drawer.get_by_role("link", name="Home").last.click()
    expect(drawer).to_be_hidden()


def test_the_keyboard_reaches_the_content_first(desk: Page) -> None:
    desk.goto("/")
    expect(desk.get_by_label(f"Your account: {OWNER['name']}")).to_be_visible()
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Skip to content")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("main")).to_be_focused()


def test_escape_closes_an_open_menu_and_gives_the_focus_back(desk: Page) -> None:
    desk.goto("/")
    account = desk.get_by_label(f"Your account: {OWNER['name']}")
    account.click()
    expect(desk.get_by_role("button", name="Sign out")).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(account).to_be_focused()


def test_another_person_in_the_same_tab_sees_nothing_of_the_first(
    browser: Browser, signed_in: BrowserContext, server: Server
) -> None:
    page = signed_in.new_page()
    page.goto("/")
    expect(page.get_by_label(f"Your account: {OWNER['name']}")).to_be_visible()
    signed_in.clear_cookies()
    page.goto("/login")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert OWNER["email"] not in page.content()


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server, owner_cookies: object) -> None:
    answer = _post_sign_in(server, origin=server.url)
    cookie = answer.headers["set-cookie"]
    assert answer.headers["location"] == "/"
    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_behind_a_tls_proxy_the_cookie_is_for_https_only(server: Server, owner_cookies: object) -> None:
    answer = _post_sign_in(
        server, origin=server.url, **{"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    )
    assert "Secure" in answer.headers["set-cookie"].split("; ")


def test_a_form_of_another_site_signs_nobody_in_or_out(server: Server, owner_cookies: dict[str, str]) -> None:
    answer = _post_sign_in(server, origin="https://evil.example")
    assert "set-cookie" not in answer.headers
    assert answer.headers["location"] == "/login?problem=foreign_origin"
    out = httpx.post(f"{server.url}/auth/logout", cookies=owner_cookies, headers={"origin": "https://evil.example"})
    assert "set-cookie" not in out.headers
    assert httpx.get(f"{server.url}/", cookies=owner_cookies).status_code == 200


def test_the_way_back_after_signing_in_never_leads_to_another_site(server: Server, owner_cookies: object) -> None:
    assert _post_sign_in(server, next="//evil.example", origin=server.url).headers["location"] == "/"


def test_no_other_origin_may_read_an_answer(server: Server, owner_cookies: object) -> None:
    answer = httpx.get(f"{server.url}/health", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_every_page_of_the_menu_comes_in_few_bytes_on_a_first_visit(
    browser: Browser, server: Server, owner_cookies: dict[str, str]
) -> None:
    load_pages()
    for route in [entry.route for group in shown_menu() for entry in group.entries]:
        context = browser.new_context(base_url=server.url)
        context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in owner_cookies.items()]
        )
        page = context.new_page()
        transferred: list[int] = []
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event, seen=transferred: seen.append(event["encodedDataLength"]))
        page.goto(route)
        expect(page.get_by_label(f"Your account: {OWNER['name']}")).to_be_visible()
        context.close()
        assert 50_000 < sum(transferred) < PAGE_BYTES_MAX, route


def test_an_address_that_leads_nowhere_says_so(
    desk: Page, server: Server, picture: Picture, accessible: Accessible
) -> None:
    answer = desk.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(desk.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    accessible(desk)
    picture(desk, "not found")
    desk.get_by_role("link", name="Go home").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Home")


def _sign_in(page: Page, password: str) -> None:
    page.get_by_label("Email").fill(OWNER["email"])
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _post_sign_in(server: Server, next: str = "/", **headers: str) -> httpx.Response:
    form = {"email": OWNER["email"], "password": OWNER["password"], "next": next}
    return httpx.post(f"{server.url}/auth/login", data=form, headers=headers)
