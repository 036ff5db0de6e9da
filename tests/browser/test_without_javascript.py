"""The whole way without JavaScript: sign in, key, model from the catalog, lead, approval, costs, CSV."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.browser.test_roles import MODEL, calls_as_csv, hand_in
from tests.serving import Served, until

KEY = "sk-or-v1-plain-0123456789abcdef-mnop"


def test_from_the_key_to_the_costs_without_javascript(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served, width=360, javascript=False)
    window.sign_in("admin@demo.test")
    page = window.open("/o/acme/settings/ai/?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(KEY)
    page.get_by_label("Chat model").fill("anthropic/claude-sonnet-5.5")
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()

    page = window.open("/o/acme/models/")
    page.get_by_role("searchbox", name="Search").fill(MODEL)
    page.get_by_role("button", name="Show models").click()
    card = page.locator(".model-card").filter(has=page.get_by_text(MODEL, exact=True))
    card.get_by_role("link", name="Select for chat").click()
    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_text("is now used for chat.")).to_be_visible()

    page = hand_in(window, "acme", "Pat Plain")
    subject = page.get_by_label("Subject")
    until(lambda: page.reload() and subject.count() > 0, "the draft is there")
    subject.fill("Your quote, in plain words")
    page.get_by_role("button", name="Approve and send").click()
    sent = page.get_by_text("Sent to pat@wingtip.test")
    until(lambda: page.reload() and sent.count() > 0, "the email is sent")

    where = page.url.removeprefix(served.address)
    rows = page.locator("tbody tr", has=page.locator(f"a[href='{where}']"))
    page.goto(f"{served.address}/o/acme/usage/")
    until(lambda: page.reload() and rows.count() >= 3, "the calls are on the usage page")
    expect(rows.first).to_contain_text(MODEL)
    page.get_by_role("link", name="Last month").click()
    expect(page).to_have_url(re.compile("period=last-month"))
    assert any(row["model"] == MODEL for row in calls_as_csv(page, served, "acme"))
