"""The list of leads, notes and webhooks in Chromium: in place, ticked, without JavaScript, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Look, NewContext, Window
from tests.serving import Served

LEADS = "/o/acme/leads/"


@pytest.fixture(params=[(1440, "light"), (360, "dark")], ids=["wide-light", "phone-dark"])
def admin(request: pytest.FixtureRequest, served: Served, contexts: NewContext) -> Window:
    width, scheme = request.param
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("admin@demo.test")
    window.console.clear()
    return window


def test_search_and_filters_change_the_list_and_its_address(admin: Window, look: Look) -> None:
    page = admin.open(LEADS)
    look(page, "list")
    page.get_by_role("searchbox", name="Search leads").press_sequentially("harbor")
    expect(page).to_have_url(re.compile(r"q=harbor"))
    expect(page.locator(".row-link")).to_have_count(1)
    expect(page.get_by_role("searchbox", name="Search leads")).to_be_focused()
    page.get_by_text("Filter and order").click()
    page.get_by_role("link", name="Nobody", exact=True).click()
    expect(page).to_have_url(re.compile(r"q=harbor.*assigned=nobody"))
    look(page, "filtered")
    page.get_by_role("searchbox", name="Search leads").fill("nosuchword")
    expect(page.get_by_text("No lead fits")).to_be_visible()
    look(page, "nothing")
    assert admin.console == []


def test_ticked_leads_are_asked_about_first(admin: Window, look: Look) -> None:
    page = admin.open(LEADS)
    page.get_by_role("button", name="Tick all shown").click()
    assert page.locator("input[name=lead]:checked").count() == page.locator(".row-link").count()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Close \d+ leads\?"))
    look(page, "ticked")
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile(r"/leads/$"))


def test_a_note_is_written_in_place_and_deleted_by_dialog(admin: Window, look: Look) -> None:
    page = admin.open(LEADS)
    page.locator(".row-link").last.click()
    page.get_by_label("New note").fill("Called, see https://example.com/42")
    page.get_by_role("button", name="Add note").click()
    note = page.locator(".notes > li").first
    expect(note).to_contain_text("Called, see")
    expect(page.get_by_label("New note")).to_have_value("")
    look(page, "note")
    note.get_by_role("link", name=re.compile("Delete")).click()
    page.get_by_role("button", name="Delete note").click()
    expect(page.get_by_text("The note is deleted.")).to_be_visible()
    assert admin.console == []


def test_a_webhook_shows_its_secret_once(admin: Window, look: Look) -> None:
    page = admin.open("/o/acme/settings/webhooks/")
    look(page, "webhooks")
    page.get_by_role("textbox", name="Address").fill("https://hooks.example.com/leads")
    page.get_by_label("An approved email went out").check()
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_role("heading", name="The webhook's secret")).to_be_visible()
    look(page, "webhook-made")
    page.locator(".webhook-address a").first.click()
    look(page, "webhook")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete webhook").click()
    expect(page.get_by_text("The webhook is deleted.")).to_be_visible()
