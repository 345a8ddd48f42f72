"""The main road in figures: start, memory, bytes, clicks, live news, calls to Stripe. `python -m benchmarks.road`

Everything is real: `meterdesk up` with its sandbox, a database on disk, Chromium, webhooks over HTTP.
"""

import asyncio
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.house import House, free_port, furnish, issue_invoice, running, sign_in
from dashboard.backend import Backend, open_backend
from dashboard.billing.views import Invoice
from dashboard.customers.views import Customer
from dashboard.ui.serving import build_if_needed, project_dir
from tests.e2e.chromium import LAUNCH_ARGUMENTS, find_chromium

CUSTOMERS, CLICKS, PAYMENTS, PAYMENTS_POLLED, IDLE_SECONDS = 200, 30, 20, 10, 10
LINES = (1, 10, 100, 250)
ID = re.compile(r"\b(?:in|cus|meterdesk)_\w+")
PAGES = (
    "/login",
    "/",
    "/customers",
    "/customers/{customer}",
    "/invoices",
    "/invoices/{invoice}",
    "/meters",
    "/events",
    "/stripe/events",
    "/settings/stripe",
    "/settings/billing-profiles",
    "/settings/tax-codes",
    "/settings/api-keys",
    "/settings/team",
)

CLICK = """([label]) => new Promise((resolve) => {
  const first = () => document.querySelector("tbody tr")?.textContent;
  const before = first();
  const links = [...document.querySelectorAll('nav[aria-label="Pages"] a')];
  const link = links.find((one) => one.textContent.includes(label));
  new MutationObserver((_, observer) => {
    if (first() && first() !== before && document.querySelectorAll("tbody tr").length === 25) {
      observer.disconnect();
      resolve(performance.now() - started);
    }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
  const started = performance.now();
  link.click();
})"""
WATCH_FOR_PAID = """() => {
  window.seenAt = 0;
  const look = () => {
    const label = [...document.querySelectorAll("main *")].find(
      (one) => !one.children.length && one.textContent.trim() === "Status at Stripe");
    if (!window.seenAt && label?.nextElementSibling?.textContent.trim() === "paid") {
      window.seenAt = performance.timeOrigin + performance.now();
    }
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
  look();
}"""


def main() -> None:
    """Measures and prints, each figure as soon as it is there."""
    build_if_needed(project_dir(), print)
    with tempfile.TemporaryDirectory(prefix="meterdesk-benchmark-") as folder:
        house = House(Path(folder), free_port(), free_port())
        with running(house) as (_, seconds):
            _row("first start, empty folder, built screens", f"{seconds:.2f} s")
        with running(house) as (process, seconds):
            _row("warm start to the first 200 (health, page)", f"{seconds:.2f} s")
            _memory(process)
            customer, invoices = asyncio.run(_furnish_and_count_calls(house))
            _browse(house, sign_in(house), customer, invoices)
    with tempfile.TemporaryDirectory(prefix="meterdesk-benchmark-") as folder:
        house = House(Path(folder), free_port(), free_port(), has_webhooks=False)
        with running(house):
            invoices = asyncio.run(_furnish_and_issue(house))
            with _browser() as browser:
                _news(house, _two_pages(house, browser, sign_in(house)), invoices)


def _row(what: str, figure: str) -> None:
    print(f"{what:58s} {figure}", flush=True)


def _memory(process: psutil.Process) -> None:
    time.sleep(IDLE_SECONDS)
    family = [process, *process.children(recursive=True)]
    for one in family:
        words = [word for word in one.cmdline() if word.startswith("dashboard.") or word == "up"]
        memory = one.memory_full_info()
        name = (words or [one.name()])[-1]
        _row(f"  idle memory of {name}", f"{memory.pss / 2**20:.0f} MB PSS, {memory.rss / 2**20:.0f} MB RSS")
    total = sum(one.memory_full_info().pss for one in family)
    _row(f"idle memory of all {len(family)} processes", f"{total / 2**20:.0f} MB PSS")


async def _furnish_and_count_calls(house: House) -> tuple[Customer, list[Invoice]]:
    async with open_backend(house.settings) as backend:
        customer = await furnish(backend, CUSTOMERS)
        house.sandbox("/webhooks", mode="hold")
        for lines in LINES:
            first = await _calls(house, backend, customer, lines)
            again = await _calls(house, backend, customer, lines)
            more = ", ".join((Counter(first) - Counter(again)).elements())
            extra = f" (more: {more})" if more else ""
            figure = f"{len(first)} the first time{extra}, then {len(again)}"
            _row(f"calls to Stripe until finalised, {lines} lines", figure)
        invoices = [await issue_invoice(backend, customer, 2, "Workshop") for _ in range(PAYMENTS + 1)]
        house.sandbox("/webhooks", mode="deliver")
    return customer, invoices


async def _calls(house: House, backend: Backend, customer: Customer, lines: int) -> list[str]:
    """The calls for one invoice without their ids, up to and with the one that finalises it; polling is not counted."""
    before = max((one["n"] for one in house.exchanges()), default=0)
    await issue_invoice(backend, customer, lines, f"Rate card with {lines} lines")
    paths = [
        f"{one['method']} {ID.sub('…', one['path'])}"
        for one in house.exchanges(before)
        if "/v1/events" not in one["path"]
    ]
    return paths[: next(place for place, path in enumerate(paths) if path.endswith("/finalize")) + 1]


async def _furnish_and_issue(house: House) -> list[Invoice]:
    async with open_backend(house.settings) as backend:
        customer = await furnish(backend, 1)
        return [await issue_invoice(backend, customer, 2, "Workshop") for _ in range(PAYMENTS_POLLED + 1)]


def _browse(house: House, cookies: dict[str, str], customer: Customer, invoices: Sequence[Invoice]) -> None:
    with _browser() as browser:
        _bytes(house, browser, cookies, customer, invoices[0])
        _clicks(_signed_in(house, browser, cookies).new_page())
        _news(house, _two_pages(house, browser, cookies), invoices)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=LAUNCH_ARGUMENTS)
        yield browser
        browser.close()


def _two_pages(house: House, browser: Browser, cookies: dict[str, str]) -> list[Page]:
    """Each in a browser profile of its own."""
    return [_signed_in(house, browser, cookies).new_page() for _ in range(2)]


def _signed_in(house: House, browser: Browser, cookies: dict[str, str]) -> BrowserContext:
    context = browser.new_context(base_url=house.url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": house.url} for name, value in cookies.items()])
    return context


def _bytes(house: House, browser: Browser, cookies: dict[str, str], customer: Customer, invoice: Invoice) -> None:
    """What a browser that was never here receives for a page, as it travels: HTML, scripts, styles, fonts, pictures."""
    found: dict[str, tuple[int, int]] = {}
    for pattern in PAGES:
        path = pattern.format(customer=customer.id, invoice=invoice.id)
        context = _signed_in(house, browser, {} if pattern == "/login" else cookies)
        page = context.new_page()
        sizes: list[int] = []
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(int(event["encodedDataLength"])))
        page.goto(path, wait_until="networkidle")
        page.wait_for_timeout(1000)
        found[pattern] = sum(sizes), len(sizes)
        context.close()
    heaviest = max(found, key=lambda pattern: found[pattern][0])
    lightest = min(found, key=lambda pattern: found[pattern][0])
    for what, pattern in (("heaviest", heaviest), ("lightest", lightest)):
        size, requests = found[pattern]
        _row(f"{what} page of {len(PAGES)}, cold cache: {pattern}", f"{size / 1000:.0f} kB in {requests} requests")


def _clicks(page: Page) -> None:
    page.goto("/customers")
    expect(page.locator("tbody tr")).to_have_count(25, timeout=30_000)
    expect(page.locator("tbody tr").first).to_contain_text("@")
    page.wait_for_timeout(1000)
    taken = []
    for number in range(CLICKS + 2):
        taken.append(page.evaluate(CLICK, ["Previous" if number % 4 >= 2 else "Next"]))
        page.wait_for_timeout(150)
    _percentiles(f"click → 25 rows of the next page ({CLICKS} clicks, {CUSTOMERS} customers)", taken[2:])


def _news(house: House, pages: Sequence[Page], invoices: Sequence[Invoice]) -> None:
    taken = []
    for invoice in invoices:
        for page in pages:
            page.goto(f"/invoices/{invoice.id}")
            expect(page.get_by_text("Status at Stripe")).to_be_visible(timeout=30_000)
            page.wait_for_timeout(300)
            page.evaluate(WATCH_FOR_PAID)
        assert invoice.external is not None
        house.sandbox("/webhooks", mode="hold")
        house.sandbox(f"/invoices/{invoice.external.id}/pay_page", payment_method="pm_card_visa")
        if house.has_webhooks:
            assert all(page.evaluate("seenAt") == 0 for page in pages), "the news came before its webhook"
        sent = time.time() * 1000
        house.sandbox("/webhooks", mode="deliver")
        for page in pages:
            page.wait_for_function("() => window.seenAt > 0", timeout=30_000)
        taken.append(max(page.evaluate("seenAt") for page in pages) - sent)
    way = "webhook sent" if house.has_webhooks else "paid at Stripe, polled"
    _percentiles(f"{way} → both of two browsers show it ({len(taken) - 1} payments)", taken[1:])


def _percentiles(what: str, taken: Sequence[float]) -> None:
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    _row(what, f"p50 {statistics.median(taken):.0f} ms, p95 {p95:.0f} ms, best {min(taken):.0f} ms")


if __name__ == "__main__":
    main()
