"""The usage page in Chromium: periods in place, charts by keyboard and pointer, without JavaScript, on paper."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, Window
from tests.serving import Served

USAGE = "/o/acme/usage/"
Look = Callable[[Page, str], None]


@pytest.fixture(params=[(1440, "light"), (360, "dark")], ids=["wide-light", "phone-dark"])
def viewer(request: pytest.FixtureRequest, served: Served, contexts: NewContext) -> Window:
    width, scheme = request.param
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("viewer@demo.test")
    window.console.clear()
    return window


@pytest.fixture
def look(screenshots: Path) -> Look:
    """axe finds nothing, nothing sticks out sideways, and there is a picture for people."""

    def hold(page: Page, name: str) -> None:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=screenshots / f"usage-{name}-{width}.png", full_page=True)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    return hold


# Moves of what is on the page that nobody asked for, summed since this ran.
WATCH_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifted += entry.value; })
    .observe({ type: "layout-shift", buffered: false });
}"""


def test_a_period_is_changed_in_place(viewer: Window, look: Look) -> None:
    page = viewer.open(USAGE)
    expect(page.get_by_role("link", name="This month")).to_have_attribute("aria-current", "true")
    look(page, "month")
    page.evaluate(WATCH_SHIFTS)
    page.evaluate("window.stays = true")
    chip = page.get_by_role("link", name="90 days", exact=True)
    chip.focus()
    page.keyboard.press("Enter")
    expect(chip).to_have_attribute("aria-current", "true")
    expect(chip).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?period=90-days$"))
    assert page.evaluate("window.stays"), "the page was loaded anew"
    assert page.evaluate("window.shifted") < 0.02
    look(page, "90-days")
    page.go_back()
    expect(page.get_by_role("link", name="This month")).to_have_attribute("aria-current", "true")
    assert viewer.console == []


def test_days_of_ones_own_and_what_is_wrong_with_them(viewer: Window, look: Look) -> None:
    page = viewer.open(f"{USAGE}?period=7-days")
    page.get_by_role("link", name="Custom").click()
    first, last = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    expect(first).to_be_visible()
    day = last.input_value()
    first.fill("2026-12-31" if day < "2026-12-31" else day)
    last.fill("2026-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    look(page, "bad-days")
    first.fill(day)
    last.fill(day)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(rf"period=custom&start={day}&end={day}$"))
    expect(page.locator("#period-title")).to_be_visible()


def test_a_chart_by_keyboard_and_by_pointer(viewer: Window) -> None:
    page = viewer.open(f"{USAGE}?period=90-days")
    plot = page.get_by_role("img", name=re.compile("^Cost per day"))
    readout = page.locator("#cost-readout")
    plot.focus()
    expect(readout).to_contain_text("so far")
    today = readout.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(readout).not_to_have_text(today)
    page.keyboard.press("Home")
    first = readout.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(first)
    page.keyboard.press("End")
    expect(readout).to_have_text(today)
    # One stop for all ninety days.
    page.keyboard.press("Tab")
    expect(plot).not_to_be_focused()
    page.locator("[data-chart=tokens-readout] [data-bar]").nth(40).hover(force=True)
    expect(page.locator("#tokens-readout")).to_contain_text("tokens")
    page.get_by_text("Show as table: cost over time").click()
    expect(page.get_by_role("region", name="Table of cost over time").get_by_role("row")).to_have_count(91)
    assert viewer.console == []


def test_without_javascript(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served, javascript=False)
    window.sign_in("viewer@demo.test")
    page = window.open(USAGE)
    page.get_by_role("link", name="Last month").click()
    expect(page).to_have_url(re.compile(r"\?period=last-month$"))
    expect(page.get_by_role("link", name="Last month")).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("Point at a bar").first).to_be_hidden()
    assert page.locator("[data-chart=cost-readout] title").first.text_content()
    page.get_by_role("link", name="Custom").click()
    page.get_by_label("From", exact=True).fill("2026-02-02")
    page.get_by_label("To", exact=True).fill("2026-02-01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("This day is before the first one.")).to_be_visible()


def test_on_paper_there_are_charts_and_no_controls(viewer: Window) -> None:
    page = viewer.open(USAGE)
    page.emulate_media(media="print")
    expect(page.get_by_role("img", name=re.compile("^Cost per day"))).to_be_visible()
    expect(page.get_by_role("link", name="Last month")).to_be_hidden()
    expect(page.get_by_text("Show as table").first).to_be_hidden()
