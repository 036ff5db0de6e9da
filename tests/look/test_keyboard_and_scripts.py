"""What the keyboard and the few scripts do, and what is left without them."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import Settings

from tests.look.conftest import VARIANTS, Variant, Visit

pytestmark = pytest.mark.network_loopback


@pytest.fixture
def variant() -> Variant:
    """One screen is enough here."""
    return VARIANTS[0]


def test_every_stop_of_the_keyboard_is_visible(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    stops = 0
    while page.evaluate("document.activeElement !== document.body") and stops < 200:
        stops += 1
        where, ring = page.evaluate(
            """() => {
                const e = document.activeElement;
                const rings = [e, ...(e.matches(".row-link") ? ["::after"] : [])].map((of) =>
                    getComputedStyle(e, of === e ? null : of));
                return [e.outerHTML.slice(0, 120),
                    rings.some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2)];
            }"""
        )
        assert ring, f"no visible focus on {where}"
        page.keyboard.press("Tab")
    assert 40 < stops < 200, "the walk went through the page and came to its end"


def test_the_skip_link_leads_to_the_content(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_dialog_by_keyboard(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    page.locator("#open-dialog").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#open-dialog")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert as_admin.console == []


def test_the_key_field(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    field, show = page.get_by_label("API key"), page.get_by_role("button", name="Show", exact=True)
    expect(show).to_be_disabled()
    field.evaluate(
        """(input) => {
            const data = new DataTransfer();
            data.setData("text", ' "sk-or-v1-0123"\\n');
            input.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    expect(field).to_have_value("sk-or-v1-0123")
    expect(page.get_by_text("This looks like an OpenRouter key, not an OpenAI key.")).to_be_visible()
    expect(field).to_have_attribute("type", "password")
    show.click()
    expect(field).to_have_attribute("type", "text")
    expect(field).to_be_focused()
    page.get_by_role("textbox", name="Company").focus()
    expect(field).to_have_attribute("type", "password")
    field.fill("sk-ant-api03-0123")
    expect(page.get_by_text("This looks like an Anthropic key, not an OpenAI key.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="There is a problem")).to_be_visible()
    assert "sk-ant-api03-0123" not in page.content(), "a key that came back with errors is not in the page"
    assert as_admin.console == []


def test_copying(as_admin: Visit) -> None:
    as_admin.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = as_admin.open("/look/acme/")
    page.get_by_role("button", name="Copy API token").click()
    expect(page.get_by_role("button", name="Copied API token")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "lat_4f9Kx0pQ7sJmT2vWb8"
    expect(page.get_by_role("button", name="Copy API token")).to_be_visible()


def test_toasts_leave_unless_they_are_about_a_failure(as_admin: Visit) -> None:
    page = as_admin.page
    page.clock.install()
    as_admin.open("/look/acme/?toast")
    page.clock.run_for(500)
    expect(page.locator("#toasts [data-toast]")).to_contain_text(["Saved.", "The key was not saved"])
    page.clock.run_for(7_000)
    expect(page.locator("#toasts [data-toast]")).to_have_count(1)
    expect(page.locator("#toasts")).to_contain_text("The key was not saved")
    page.get_by_role("button", name="Dismiss").click()
    page.clock.run_for(500)
    expect(page.locator("#toasts [data-toast]")).to_have_count(0)


def test_htmx_loads_more_posts_with_csrf_and_tells_of_failures(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    page.get_by_role("link", name="Load more").click()
    expect(page.get_by_role("row", name="Max Weber")).to_be_visible()
    expect(page.get_by_role("link", name="Load more")).to_have_count(0)
    page.get_by_role("button", name="Post by htmx").click()
    expect(page.locator("#toasts")).to_contain_text("Posted by htmx.")
    assert as_admin.console == [], "htmx runs under the strict policy without a word"
    page.get_by_role("button", name="Fail by htmx").click()
    expect(page.locator("#toasts")).to_contain_text("The server could not answer.")
    assert any("500" in line for line in as_admin.console)


def test_without_javascript(browser: Browser, as_admin: Visit) -> None:
    state = as_admin.page.context.storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state, locale="en-US")
    page = context.new_page()
    page.goto(as_admin.base + "/look/acme/?toast")
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    expect(page.get_by_role("button", name="Show", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Load more")).to_have_attribute("href", "?cursor=x")
    page.get_by_label("Account: admin@acme.test").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    context.close()


def test_paper_and_still_life(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/?toast")
    page.emulate_media(media="print")
    expect(page.locator("#toasts")).to_be_hidden()
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("heading", name="Every component")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_hidden()
    page.emulate_media(media="screen", reduced_motion="reduce")
    moving = page.evaluate(
        "document.getAnimations().filter((a) => a.effect.getComputedTiming().activeDuration > 1).length"
    )
    assert moving == 0


def test_nothing_sticks_out_at_any_width(as_admin: Visit) -> None:
    page = as_admin.open("/look/acme/")
    for width in (320, 480, 640, 768, 1023, 1024, 1279, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        sticks_out = page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll(".table-wrap, .panel, .stat, .field")]
                .filter((e) => e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).overflowX === "visible")
                .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""
        )
        assert sticks_out == [], f"at {width} px"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_sandbox_is_announced(as_admin: Visit, settings: Settings, enabled: bool) -> None:
    settings.SANDBOX_ENABLED = enabled
    page = as_admin.open("/look/acme/")
    expect(page.get_by_text("AI answers are made up and cost nothing.")).to_have_count(int(enabled))
