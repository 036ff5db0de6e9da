"""The main work without a pointer: save a key, pick a model, hand in a lead, approve its draft."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.serving import Served

KEY = "sk-or-v1-keyboard-0123456789abcdef-wxyz"


def tab_to(page: Page, where: Locator) -> None:
    """Press Tab until `where` has the focus."""
    for _ in range(150):
        if where.evaluate("(each) => document.activeElement === each"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {where}")


def test_from_the_key_to_the_sent_email_by_keyboard_alone(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served)
    page = window.open("/accounts/login/")
    for field, text in (("Email", "admin@demo.test"), ("Password", served.password)):
        tab_to(page, page.get_by_label(field, exact=True))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/acme/**")

    page = window.open("/o/acme/settings/ai/?provider=openrouter")
    tab_to(page, page.get_by_label("OpenRouter API key"))
    page.keyboard.type(KEY)
    model = page.get_by_role("combobox", name="Chat model")
    tab_to(page, model)
    page.keyboard.press("Control+A")
    page.keyboard.type("claude-haiku-5.5")
    expect(page.locator("[data-combobox] [role=option]").first).to_contain_text("anthropic/claude-haiku-5.5")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(model).to_have_value("anthropic/claude-haiku-5.5")
    tab_to(page, page.get_by_role("button", name="Save configuration"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()

    page = window.open("/o/acme/leads/new/")
    for label, text in (
        ("Name", "Kim Novak"),
        ("Email", "kim@wingtip.test"),
        ("Message", "We want 40 licences for our sales team this quarter. Please send a quote."),
    ):
        tab_to(page, page.get_by_label(label))
        page.keyboard.type(text)
    tab_to(page, page.locator("main form button[type=submit]"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/acme/leads/*-*-*/")
    expect(page.get_by_label("Subject")).to_be_visible(timeout=60_000)
    tab_to(page, page.get_by_role("button", name="Approve and send"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Sent to kim@wingtip.test")).to_be_visible(timeout=30_000)
    assert window.console == []
