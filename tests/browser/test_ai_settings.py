"""The AI settings page in Chromium: by keyboard, in two tabs, without JavaScript, on a phone, in the dark."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look, NewContext, Window
from tests.serving import Served

SETTINGS = "/o/acme/settings/ai/"
FIRST = "sk-or-v1-settings-first-0123456789-aaaa"
SECOND = "sk-or-v1-settings-second-0123456789-bbbb"
SLOW = "sk-or-v1-settings-slow1-0123456789-ffff"
REFUSED = "sk-or-v1-settings-invalid-0123456789-cccc"
DOWN = "sk-or-v1-settings-servererror-0123456789-dddd"
ANTHROPIC = "sk-ant-api03-settings-0123456789-eeee"
CHAT = "anthropic/claude-sonnet-5.5"


@pytest.fixture(params=[(1280, "light"), (360, "dark")], ids=["wide-light", "phone-dark"])
def admin(request: pytest.FixtureRequest, served: Served, contexts: NewContext) -> Window:
    width, scheme = request.param
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("admin@demo.test")
    return window


@pytest.fixture
def wide(served: Served, contexts: NewContext) -> Window:
    window = contexts.window(served, width=1280)
    window.sign_in("admin@demo.test")
    return window


def save(page: Page) -> None:
    page.get_by_role("button", name="Save configuration").click()


def set_up(window: Window, key: str = FIRST) -> Page:
    """OpenRouter with `key`, whatever the tests before have left."""
    page = window.open(f"{SETTINGS}?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(key)
    page.get_by_label("Chat model").fill(CHAT)
    page.get_by_label("Chat model").press("Escape")
    save(page)
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    return page


def test_a_key_in_the_model_search_is_in_no_address(wide: Window) -> None:
    """Addresses stand in the logs of every server on the way."""
    page = wide.open(f"{SETTINGS}?provider=openrouter")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    model = page.get_by_role("combobox", name="Chat model")
    for key in (FIRST, f"  {ANTHROPIC}"):
        model.fill(key)
        page.wait_for_timeout(400)
    model.fill("gemini-2.5 flash")
    expect(page.locator("[data-combobox] [role=option]").first).to_contain_text("google/gemini-2.5-flash")
    assert any("gemini" in url for url in asked)
    assert not [url for url in asked if "sk-" in url]


def test_a_model_is_chosen_by_keyboard(admin: Window, look: Look) -> None:
    page = admin.open(f"{SETTINGS}?provider=openrouter")
    model = page.get_by_role("combobox", name="Chat model")
    options = page.locator("[data-combobox] [role=option]")
    model.focus()
    model.press("ArrowDown")
    expect(options.first).to_contain_text("Recommended: best quality")
    expect(options.first).to_contain_text("$2.00 in, $10.00 out per 1M tokens")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(model).to_have_attribute("aria-expanded", "true")
    model.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(model).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id") or "")
    model.press("End")
    expect(options.nth(1)).to_have_attribute("aria-selected", "false")
    model.press("Home")
    expect(options.first).to_have_attribute("aria-selected", "true")
    look(page, "combobox")
    model.press("Escape")
    expect(options).to_have_count(0)
    expect(model).to_have_attribute("aria-expanded", "false")

    model.fill("gemini-2.5 flash")
    expect(options.first).to_contain_text("google/gemini-2.5-flash")
    model.press("ArrowDown")
    chosen = options.first.get_attribute("data-value") or ""
    model.press("Enter")
    expect(model).to_have_value(chosen)
    expect(page.locator("#id_chat_model_facts")).to_contain_text("per 1M tokens")
    expect(options).to_have_count(0)
    assert page.url.endswith("?provider=openrouter"), "Enter chose and did not save"
    model.fill("no/such-model-at-all")
    expect(options).to_contain_text("No model of that name in our list")
    model.press("Tab")
    expect(options).to_have_count(0)
    expect(model).to_have_value("no/such-model-at-all")
    assert admin.console == []


def test_a_model_is_chosen_by_pointer_and_the_recommended_ones_at_once(wide: Window) -> None:
    page = wide.open(f"{SETTINGS}?provider=openai")
    page.get_by_label("OpenAI API key").fill("sk-proj-typed-0123456789abcdef")
    model = page.get_by_role("combobox", name="Chat model")
    model.click()
    page.locator("[data-combobox] [role=option]").filter(has_text="gpt-4o-mini").first.click()
    expect(model).to_have_value("gpt-4o-mini")
    expect(model).to_be_focused()
    page.get_by_text("Recommended per operation").click()
    page.get_by_role("link", name="Use these").click()
    expect(model).to_have_value("gpt-5.4")
    expect(page.get_by_role("combobox", name="Model for qualification")).to_have_value("gpt-5.4-mini")
    expect(page.get_by_label("OpenAI API key")).to_have_value("sk-proj-typed-0123456789abcdef")
    assert wide.console == []


def test_a_key_is_tested_in_place_and_stays_in_its_field(admin: Window, look: Look) -> None:
    page = admin.open(f"{SETTINGS}?provider=openrouter")
    key, result = page.get_by_label("OpenRouter API key"), page.locator("#test-result")
    test = page.get_by_role("button", name="Test connection")
    key.fill(SLOW)
    test.click(no_wait_after=True)
    expect(test).to_be_disabled()
    expect(test).to_have_class("button htmx-request")
    expect(result).to_contain_text("This key can do what you chose")
    expect(test).to_be_enabled()
    expect(key).to_have_value(SLOW)
    assert SLOW not in page.content()
    look(page, "tested")

    key.fill(REFUSED)
    expect(result).to_be_empty()
    test.click()
    expect(result).to_contain_text("This key cannot do what you chose")
    look(page, "refused")
    assert page.url.endswith("?provider=openrouter")


def test_another_providers_key_is_recognised_and_the_provider_changed(wide: Window) -> None:
    page = wide.open(f"{SETTINGS}?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(ANTHROPIC)
    expect(page.get_by_text("This looks like an Anthropic key, not an OpenRouter key.")).to_be_visible()
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#test-result")).to_contain_text("This looks like an Anthropic key")
    save(page)
    expect(page.locator("#id_api_key_error")).to_contain_text("This looks like an Anthropic key")
    expect(page.locator("#test-result")).to_be_empty()
    expect(page.get_by_text("This looks like an Anthropic key")).to_have_count(1)
    page.get_by_role("link", name="Use Anthropic instead").click()
    expect(page.get_by_label("Anthropic", exact=True)).to_be_checked()
    expect(page.get_by_label("Anthropic API key")).to_have_value(ANTHROPIC)
    expect(page.get_by_label("Chat model")).to_have_value("claude-sonnet-5-5")
    expect(page.get_by_text("Anthropic offers no embeddings")).to_be_visible()
    expect(page.get_by_label("Anthropic", exact=True)).to_be_focused()


def test_what_is_wrong_is_told_beside_the_fields_and_nothing_is_lost(admin: Window, look: Look) -> None:
    page = admin.open(f"{SETTINGS}?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(FIRST)
    page.get_by_label("Tell us what a month costs").check()
    page.get_by_label("Monthly sum in US dollars").fill("1.234")
    page.get_by_label("Email address").fill("nobody")
    save(page)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Monthly sum in US dollars")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Monthly sum in US dollars")).to_have_value("1.234")
    expect(page.get_by_label("Email address")).to_have_accessible_description(re.compile("Enter a valid email address"))
    expect(page.get_by_label("OpenRouter API key")).to_have_value(FIRST)
    look(page, "errors")


def test_a_refused_key_leaves_the_old_one_in_force_and_an_unasked_one_leaves_the_choice(
    admin: Window, look: Look
) -> None:
    page = set_up(admin)
    key, result = page.get_by_label("OpenRouter API key"), page.locator("#test-result")
    key.fill(REFUSED)
    save(page)
    expect(result).to_contain_text("is still in use")
    expect(key).to_have_value(REFUSED)
    expect(key).to_have_attribute("aria-invalid", "true")
    look(page, "not-kept")
    key.fill(DOWN)
    save(page)
    result.get_by_label("Save without the test").check()
    look(page, "unasked")
    save(page)
    expect(page.get_by_text("The key is saved without a test.")).to_be_visible()
    expect(page.locator("#current-setup")).to_contain_text("Could not be reached")


def test_a_key_is_replaced_and_brought_back(admin: Window, look: Look) -> None:
    set_up(admin, FIRST)
    page = set_up(admin, SECOND)
    card = page.locator("#current-setup")
    expect(card).to_contain_text("bbbb")
    card.get_by_role("link", name="Bring it back").click()
    dialog = page.get_by_role("dialog", name="Bring the replaced OpenRouter key back?")
    expect(dialog).to_contain_text("The key …aaaa is used again")
    look(page, "bring-back")
    dialog.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_text("The OpenRouter key …aaaa is in use again.")).to_be_visible()
    # The page is new, and its scripts come after its text: a button that is pressed before them leaves it again.
    page.wait_for_load_state()
    expect(card).to_contain_text("sk-or-v1-••••••••••aaaa")
    card.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("The OpenRouter key was looked at again.")).to_be_visible()
    expect(card).to_contain_text("Connected")
    card.get_by_text("What was checked").click()
    expect(card).to_contain_text("OpenRouter accepts this key.")
    look(page, "checked")
    card.get_by_role("link", name="Remove key").first.click()
    removal = page.get_by_role("dialog", name="Remove the OpenRouter key?")
    expect(removal).to_contain_text("their runs pause until a key is saved again")
    look(page, "remove")
    removal.get_by_role("button", name="Cancel").click()
    expect(removal).to_be_hidden()
    expect(card).to_contain_text("aaaa")


def test_two_tabs_that_save_are_shown_both_sides(admin: Window, look: Look) -> None:
    page = set_up(admin)
    other = page.context.new_page()
    other.goto(admin.served.address + SETTINGS)
    other.get_by_label("Site name").fill("Theirs")
    save(other)
    expect(other.get_by_text("The AI configuration is saved.")).to_be_visible()

    page.get_by_label("Site name").fill("Mine")
    page.get_by_label("OpenRouter API key").fill(SECOND)
    save(page)
    conflict = page.get_by_role("alert").filter(has_text="You saved elsewhere")
    expect(conflict).to_contain_text("Saved by admin@demo.test")
    row = conflict.get_by_role("row").filter(has_text="Site name")
    expect(row).to_contain_text("Theirs")
    expect(row).to_contain_text("Mine")
    expect(page.get_by_label("OpenRouter API key")).to_have_value(SECOND)
    look(page, "conflict")
    conflict.get_by_role("button", name="Save what is in my form").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    expect(page.get_by_label("Site name")).to_have_value("Mine")
    expect(page.locator("#current-setup")).to_contain_text("bbbb")

    other.get_by_label("Site name").fill("Late")
    save(other)
    other.get_by_role("link", name="Keep what is saved").click()
    expect(other.get_by_label("Site name")).to_have_value("Mine")


def test_too_many_tests_are_refused_in_place(wide: Window, look: Look) -> None:
    page = wide.open(f"{SETTINGS}?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(FIRST)
    for _ in range(11):
        with page.expect_response("**/settings/ai/test/"):
            page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_role("button", name="Test connection")).to_be_enabled()
    expect(page.locator("#test-result")).to_contain_text("Too many key tests in a short time. Try again in")
    look(page, "too-many")


def test_everything_works_without_javascript(served: Served, contexts: NewContext, look: Look) -> None:
    window = contexts.window(served, width=1280, javascript=False)
    window.sign_in("admin@demo.test")
    page = window.open(SETTINGS)
    page.locator("noscript a, p a").filter(has_text="OpenRouter").first.click()
    key = page.get_by_label("OpenRouter API key")
    assert page.locator("datalist#chat-models option").count() > 3
    key.fill(REFUSED)
    page.get_by_label("Site name").fill("Kept")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#test-result")).to_contain_text("This key cannot do what you chose")
    expect(page.get_by_text("Enter the key again.")).to_be_visible()
    expect(page.get_by_label("Site name")).to_have_value("Kept")
    expect(key).to_have_value("")
    assert REFUSED not in page.content()
    key.fill(SECOND)
    # Enter saves, although the button that tests comes first.
    key.press("Enter")
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    page.get_by_role("link", name="Remove key").first.click()
    expect(page.get_by_role("heading", name="Remove the OpenRouter key?")).to_be_visible()
    expect(page.get_by_text("their runs pause until a key is saved again")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Check again").first.click()
    expect(page.get_by_text("The OpenRouter key was looked at again.")).to_be_visible()
