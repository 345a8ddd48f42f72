"""Every component at once: seen by axe in both themes, on a phone, and with its dialogs open."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Accessible, Picture, Server, running_server
from playwright.sync_api import Browser, Page, expect

from dashboard.ui import serving

APP = "tests.e2e.showcase_app"


@pytest.fixture(scope="module")
def showcase(
    server: Server, owner_cookies: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A second build, with the showcase among its pages, on the data of the first."""
    built = tmp_path_factory.mktemp("showcase") / "_web"
    environment = {"REFLEX_APP_MODULE_IMPORT": APP, serving.BUILT_UI_DIR: str(built)}
    build = "from dashboard.ui.serving import *; build_if_needed(project_dir(), print)"
    subprocess.run(
        [sys.executable, "-c", build], env={**os.environ, **environment}, check=True, cwd=serving.project_dir()
    )
    start = str(Path(__file__).with_name("start_server.py"))
    yield from running_server(server.data_dir, sys.executable, start, f"{APP}:app", **environment)


@pytest.fixture
def page(browser: Browser, showcase: Server, owner_cookies: dict[str, str]) -> Iterator[Page]:
    context = browser.new_context(base_url=showcase.url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": showcase.url} for name, value in owner_cookies.items()])
    page = context.new_page()
    page.goto("/showcase")
    expect(page.get_by_role("link", name="INV-1003")).to_be_visible()
    yield page
    context.close()


def test_the_components_are_accessible_in_both_themes(page: Page, picture: Picture, accessible: Accessible) -> None:
    for mode in ("light", "dark"):
        page.emulate_media(color_scheme=mode)  # pyright: ignore[reportArgumentType]
        expect(page.locator("html")).to_have_class(mode)
        accessible(page)
        picture(page, f"showcase {mode}")


def test_on_a_phone_nothing_sticks_out(page: Page, picture: Picture, accessible: Accessible) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    accessible(page)
    picture(page, "showcase phone")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_dialog_opens_at_once_and_its_form_reaches_the_state(page: Page, accessible: Accessible) -> None:
    page.get_by_role("button", name="Create customer").click()
    dialog = page.get_by_role("dialog", name="Create Customer")
    expect(dialog).to_be_visible()
    accessible(page)
    dialog.get_by_label("Name").fill("Acme")
    dialog.get_by_label("Prepaid").check()
    dialog.get_by_role("button", name="Create Customer").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Got {'name': 'Acme', 'prepaid': 'on'}")).to_be_visible()
    expect(page.get_by_text("Everything is in place.")).to_be_visible()
    accessible(page)


def test_a_dialog_of_the_state_is_modal_and_tells_the_state_when_it_closes(page: Page) -> None:
    dialog = page.get_by_role("dialog", name="From the server")
    for _ in range(2):
        page.get_by_role("button", name="State dialog").click()
        expect(dialog).to_be_visible()
        assert dialog.evaluate("dialog => dialog.matches(':modal')")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


def test_a_dangerous_step_waits_for_the_typed_name(page: Page, accessible: Accessible) -> None:
    page.get_by_role("button", name="Delete customer…").click()
    dialog = page.get_by_role("dialog", name="Delete Acme GmbH?")
    accessible(page)
    typed = dialog.get_by_label("Type “acme” to confirm")
    typed.fill("acm")
    dialog.get_by_role("button", name="Delete customer").click()
    expect(dialog).to_be_visible()
    typed.fill("acme")
    dialog.get_by_role("button", name="Delete customer").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Stripe did not take the key.")).to_be_visible()
    accessible(page)


def test_search_reaches_the_state_after_the_last_key(page: Page) -> None:
    page.get_by_role("searchbox", name="Search invoices").fill("acme")
    expect(page.get_by_text("Searched for acme")).to_be_visible()


def test_a_menu_closes_when_one_looks_away(page: Page) -> None:
    page.locator("summary", has_text="More actions").click()
    entry = page.get_by_role("button", name="Delete…", exact=True)
    expect(entry).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(entry).to_be_hidden()


def test_a_screen_is_told_of_news_while_it_is_open(page: Page, showcase: Server) -> None:
    expect(page.get_by_text("News heard: 0")).to_be_visible()
    page.get_by_role("button", name="Tell news").click()
    expect(page.get_by_text("News heard: 1")).to_be_visible()


def test_the_frame_of_a_loading_page_does_not_jump(browser: Browser, showcase: Server, page: Page) -> None:
    fresh = page.context.new_page()
    fresh.add_init_script(Path(__file__).with_name("layout_shift.js").read_text())
    fresh.goto("/showcase")
    expect(fresh.get_by_role("link", name="INV-1003")).to_be_visible()
    fresh.wait_for_function("window.layoutShift !== undefined")
    assert fresh.evaluate("window.layoutShift") < 0.05
