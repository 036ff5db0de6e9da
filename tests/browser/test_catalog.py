"""The catalog in Chromium: search while typing, filters without scripts, choosing a model, comparing some."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look, NewContext, Window
from tests.serving import REPOSITORY, Served

MODELS = "/o/acme/models/"
KEY = "sk-or-v1-catalog-0123456789-aaaa"


@pytest.fixture(scope="module", autouse=True)
def rows(served: Served) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.browser.catalog_rows"], cwd=REPOSITORY, env=served.environment(), check=True
    )


@pytest.fixture(params=[(1440, "light"), (360, "dark")], ids=["wide-light", "phone-dark"])
def admin(request: pytest.FixtureRequest, served: Served, contexts: NewContext) -> Window:
    width, scheme = request.param
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("admin@demo.test")
    return window


@pytest.fixture
def wide(served: Served, contexts: NewContext) -> Window:
    window = contexts.window(served)
    window.sign_in("admin@demo.test")
    return window


def names(page: Page) -> list[str]:
    return page.locator(".model-card h2").all_inner_texts()


def test_search_while_typing_and_back_again(admin: Window, look: Look) -> None:
    page = admin.open(MODELS)
    before = names(page)
    assert len(before) == 24
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("kestrel", delay=20)
    expect(page.locator(".model-card")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/models/\?q=kestrel$"))
    expect(search).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="3 models found")).to_have_count(1)

    page.get_by_role("link", name="Premium", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?q=kestrel&tier=premium$"))
    expect(page.locator(".model-card")).to_have_count(1)
    expect(search).to_have_value("kestrel")
    expect(page.get_by_role("link", name="Premium", exact=True)).to_have_attribute("aria-current", "true")

    page.get_by_text("More filters").click()
    page.get_by_label("Context at least").fill("1M")
    expect(page.get_by_role("heading", name="No model matches all of this")).to_be_visible()
    assert admin.console == []
    look(page, "none")
    page.go_back()
    expect(page.locator(".model-card")).to_have_count(1)
    page.go_back()
    expect(page.locator(".model-card")).to_have_count(3)
    expect(search).to_have_value("kestrel")
    page.go_back()
    expect(search).to_have_value("")
    assert names(page) == before
    look(page, "list")


def test_what_cannot_be_read_is_told_while_typing(admin: Window, look: Look) -> None:
    page = admin.open(f"{MODELS}?q=kestrel")
    page.get_by_text("More filters").click()
    price = page.get_by_label("Input price at most")
    price.fill("cheap")
    expect(price).to_have_accessible_description("Enter a price in dollars, for example 3 or 0.25.")
    expect(price).to_have_value("cheap")
    expect(page.locator(".model-card")).to_have_count(3)
    look(page, "errors")
    price.fill("0.1")
    expect(price).to_have_accessible_description("")
    expect(page.locator(".model-card")).to_have_count(1)


def test_paper_has_facts_and_nothing_to_press(wide: Window) -> None:
    page = wide.open(f"{MODELS}?q=kestrel")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Kestrel Great")).to_be_visible()
    # Roles are those of what is visible.
    for role in ("searchbox", "combobox", "checkbox", "button"):
        expect(page.get_by_role(role)).to_have_count(0)
    for words in ("Learn more", "Select", "Clear all"):
        expect(page.get_by_role("link", name=words)).to_have_count(0)


def test_more_are_loaded_below(wide: Window) -> None:
    page = wide.open(f"{MODELS}?q=plover&sort=name")
    page.get_by_role("link", name="Load more").click()
    expect(page.locator(".model-card")).to_have_count(30)
    assert names(page) == [f"Plover {number:02d}" for number in range(30)]
    expect(page.get_by_role("link", name="Load more")).to_have_count(0)
    assert page.url.endswith("?q=plover&sort=name")
    assert wide.console == []


def test_filters_and_comparison_without_scripts(served: Served, contexts: NewContext, look: Look) -> None:
    window = contexts.window(served, width=360, javascript=False)
    window.sign_in("viewer@demo.test")
    page = window.open(MODELS)
    page.get_by_role("searchbox", name="Search").fill("kestrel")
    page.get_by_text("More filters").click()
    page.get_by_label("Tools").check()
    page.get_by_label("Kind").select_option("chat")
    page.get_by_role("button", name="Show models").click()
    expect(page.locator(".model-card h2")).to_have_count(2)
    assert sorted(names(page)) == ["Kestrel Great", "Kestrel Small"]
    page.get_by_role("link", name="Cheap", exact=True).click()
    expect(page.locator(".model-card h2")).to_have_text(["Kestrel Small"])
    page.get_by_role("link", name="Drop the filter Cheap").click()
    for name in ("Kestrel Great", "Kestrel Small"):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader").filter(has_text="Kestrel")).to_have_count(2)
    page.get_by_role("link", name="Remove Kestrel Great").click()
    expect(page.get_by_role("columnheader").filter(has_text="Kestrel")).to_have_count(1)
    page.goto(f"{served.address}{MODELS}?q=plover&sort=name")
    page.get_by_role("link", name="Load more").click()
    expect(page.locator(".model-card h2").first).to_have_text("Plover 24")
    assert page.get_by_role("link", name=re.compile("Select")).count() == 0


def test_models_are_compared_across_searches(admin: Window, look: Look) -> None:
    page = admin.open(f"{MODELS}?q=kestrel&kind=chat")
    page.get_by_label("Compare Kestrel Great").check()
    page.get_by_label("Compare Kestrel Small").check()
    page.get_by_role("searchbox", name="Search").fill("plover 1")
    expect(page.locator(".model-card").first).to_contain_text("Plover")
    page.get_by_label("Compare Plover 10").check()
    page.get_by_label("Compare Plover 11").check()
    expect(page.get_by_label("Compare Plover 12")).to_be_disabled()
    page.get_by_role("button", name="Do not compare Plover 11").click()
    expect(page.get_by_label("Compare Plover 12")).to_be_enabled()
    assert admin.console == []
    look(page, "ticked")
    page.get_by_role("button", name="Compare", exact=True).click()
    heads = page.get_by_role("columnheader").get_by_role("link")
    expect(heads).to_have_text(["Kestrel Great", "Kestrel Small", "Plover 10"])
    expect(page.get_by_role("row").filter(has_text="Input price")).to_contain_text("$0.075 lowest")
    look(page, "compare")
    page.get_by_role("link", name="Kestrel Small", exact=True).click()
    expect(page.get_by_role("heading", name="What your own calls would have cost on it")).to_be_visible()
    look(page, "details")
    page.get_by_role("link", name="Models").first.click()
    expect(page).to_have_url(re.compile("/models/"))


def test_a_model_is_selected_for_chat_and_for_one_operation(admin: Window, look: Look) -> None:
    page = admin.open("/o/acme/settings/ai/?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(KEY)
    page.get_by_label("Chat model").fill("anthropic/claude-sonnet-5.5")
    page.get_by_label("Chat model").press("Escape")
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    page.get_by_role("link", name="Browse all models").click()
    expect(page).to_have_url(re.compile("provider=openrouter&kind=chat"))

    page.goto(f"{admin.served.address}{MODELS}?q=gpt-4o-mini&provider=openrouter&sort=name")
    chosen = page.locator(".model-card").filter(has=page.get_by_text("openai/gpt-4o-mini", exact=True))
    chosen.get_by_role("link", name="Select for chat").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row").filter(has_text="Chat model")).to_contain_text("anthropic/claude-sonnet-5.5")
    look(page, "select")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    chosen.get_by_role("link", name="Select for chat").click()
    dialog.get_by_role("button", name="Use this model").click()
    expect(page.get_by_text("is now used for chat.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=gpt-4o-mini"))
    expect(chosen).to_contain_text("In use")
    expect(chosen.get_by_role("link", name="Select for chat")).to_have_count(0)

    page.goto(f"{admin.served.address}{MODELS}?q=kestrel+great")
    page.get_by_role("link", name="For one operation").click()
    dialog.get_by_label("Email drafts").check()
    dialog.get_by_role("button", name="Use this model").click()
    # The sandbox knows no kestrel.
    expect(dialog.get_by_role("alert")).to_be_visible()
    look(page, "refused")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    page.goto(f"{admin.served.address}/o/acme/settings/ai/")
    expect(page.get_by_label("Chat model")).to_have_value("openai/gpt-4o-mini")


def test_a_save_elsewhere_is_shown_in_the_dialog(wide: Window) -> None:
    page = wide.open(f"{MODELS}?q=gpt-4o-mini&provider=openrouter&sort=name")
    wide.served.query("UPDATE byok_aiconfig SET chat_model = 'openai/gpt-4o', version = version + 1 RETURNING 1")
    page.reload()
    page.locator(".model-card").first.get_by_role("link", name="Select for chat").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Use this model")).to_be_visible()
    wide.served.query("UPDATE byok_aiconfig SET version = version + 1 RETURNING 1")
    dialog.get_by_role("button", name="Use this model").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody saved the AI configuration meanwhile")
    dialog.get_by_role("button", name="Use this model").click()
    expect(page.get_by_text("is now used for chat.")).to_be_visible()


def test_a_key_that_is_pasted_into_the_search_is_not_sent(wide: Window) -> None:
    page = wide.open(MODELS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("searchbox", name="Search").fill(KEY)
    expect(page.get_by_text("This looks like a key. It was not sent")).to_be_visible()
    assert [address for address in asked if "sk-or" in address] == []
    page.get_by_role("searchbox", name="Search").fill("kestrel")
    expect(page.locator(".model-card")).to_have_count(3)
