"""The ways of everybody who works with the product, from end to end, in Chromium on the real processes."""

import csv
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, Window
from tests.browser.people import mailed_link, make_account, sign_up
from tests.page_rules import hold_to_the_rules
from tests.serving import Served, until

KEY = "sk-or-v1-roles-2b6f80354c1d9e7a-secretpart-qrst"
# Accepted when it is saved, refused from its second answer of a model on.
REVOKED = "sk-or-v1-roles-revoked1-4c1d9e7a2b6f8035-uvwx"
MODEL = "anthropic/claude-haiku-5.5"


def hand_in(window: Window, slug: str, name: str) -> Page:
    """A lead by the page's own form; its page."""
    page = window.open(f"/o/{slug}/leads/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Email").fill(f"{name.split(maxsplit=1)[0].lower()}@wingtip.test")
    page.get_by_label("Message").fill("We want to buy 60 licences for our sales team this month. Please send a quote.")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(f"**/o/{slug}/leads/*-*-*/")
    return page


def approve(page: Page, address: str) -> None:
    expect(page.get_by_label("Subject")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_text(f"Sent to {address}")).to_be_visible(timeout=30_000)


def calls_as_csv(page: Page, served: Served, slug: str) -> list[dict[str, str]]:
    """What the download of the page of calls holds."""
    page.goto(f"{served.address}/o/{slug}/usage/calls/")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with Path(download.value.path()).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_founder_from_sign_up_to_the_downloaded_costs(served: Served, contexts: NewContext) -> None:
    """Sign-up, onboarding, key, lead, approval, dashboard, CSV."""
    window = contexts.window(served)
    page, slug = window.page, sign_up(window)
    page.locator("input[name=choice][value=openrouter]").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("OpenRouter API key").fill(KEY)
    page.get_by_role("button", name="Test and continue").click()
    page.wait_for_url("**/onboarding/models/")
    page.get_by_label(re.compile("Claude Haiku")).check()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/onboarding/done/")

    lead = hand_in(window, slug, "Nora Quist")
    where = lead.url.removeprefix(served.address)
    approve(lead, "nora@wingtip.test")

    rows = page.locator("tbody tr", has=page.locator(f"a[href='{where}']"))
    page.goto(f"{served.address}/o/{slug}/usage/")
    until(lambda: page.reload() and rows.count() >= 3, "the calls are on the usage page")
    expect(page.get_by_role("main")).to_contain_text("$0.0")
    downloaded = calls_as_csv(page, served, slug)
    assert len(downloaded) >= rows.count()
    assert {row["model"] for row in downloaded if row["operation"] != "embedding"} == {MODEL}
    assert KEY not in "".join(window.bodies)
    assert window.console == []


def test_a_rejected_key_and_the_recovery(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served, width=360, scheme="dark")
    window.sign_in("admin@demo.test")
    _save_key(window, REVOKED)
    page = hand_in(window, "acme", "Rosa Lind")
    expect(page.get_by_text("OpenRouter refused the key").first).to_be_visible(timeout=60_000)
    hold_to_the_rules(page, "a lead whose key was refused")
    where = page.url
    # The banner on every page leads to where it is mended.
    window.open("/o/acme/usage/")
    expect(page.get_by_text(re.compile("OpenRouter (refused|rejected)")).first).to_be_visible(timeout=30_000)
    _save_key(window, KEY)
    page.goto(where)
    # Saving a key that works starts what waited for it; who is quicker resumes by hand.
    resume = page.get_by_role("button", name="Resume")
    if resume.count():
        resume.click()
    approve(page, "rosa@wingtip.test")
    assert window.console == []


def _save_key(window: Window, key: str) -> None:
    page = window.open("/o/acme/settings/ai/?provider=openrouter")
    page.get_by_label("OpenRouter API key").fill(key)
    page.get_by_label("Chat model").fill(MODEL)
    page.get_by_label("Chat model").press("Escape")
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()


def test_an_invited_person_joins_and_sees_what_members_may(served: Served, contexts: NewContext) -> None:
    admin = contexts.window(served)
    admin.sign_in("admin@demo.test")
    page = admin.open("/o/acme/settings/members/")
    page.get_by_role("textbox", name="Email address").fill("ivy@acme.test")
    page.get_by_role("radio", name=re.compile("^Member")).check()
    page.get_by_role("button", name=re.compile("Invite|Send")).first.click()
    expect(page.get_by_role("region", name="Invitations", exact=True)).to_contain_text("ivy@acme.test")

    window = contexts.window(served)
    page = window.page
    page.goto(mailed_link(served, "ivy@acme.test", "/invitations/"))
    expect(page.get_by_role("heading", name="Join Acme")).to_be_visible()
    page.get_by_role("link", name="Create an account").click()
    make_account(window, "ivy@acme.test")
    accept = page.get_by_role("button", name=re.compile("Accept|Join")).first
    expect(accept.or_(page.get_by_role("link", name="Knowledge"))).to_be_visible()
    if accept.is_visible():
        accept.click()
    page = window.open("/o/acme/leads/")
    expect(
        page.get_by_role("link", name="Add a lead").or_(page.get_by_role("link", name="New lead")).first
    ).to_be_visible()
    assert page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").count() == 0
    for place, status in (
        ("usage", 200),
        ("models", 200),
        ("knowledge", 200),
        ("settings/ai", 403),
        ("settings/members", 403),
    ):
        assert page.request.get(f"{served.address}/o/acme/{place}/").status == status, place


def test_a_viewer_sees_everything_and_changes_nothing(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served, width=360)
    window.sign_in("viewer@demo.test")
    for place in ("leads", "usage", "usage/calls", "models", "knowledge"):
        page = window.open(f"/o/acme/{place}/")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        # What changes something is a form that posts; a prepared download is the viewer's own.
        assert page.locator("main form[method=post]:not([action$='/usage/exports/'])").count() == 0, place
    page = window.open("/o/acme/leads/")
    page.locator(".row-link").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.locator("main form[method=post]").count() == 0
    assert calls_as_csv(page, served, "acme"), "a viewer may download"
    assert window.console == []


def test_support_staff_see_every_state_and_no_key(served: Served, contexts: NewContext) -> None:
    admin = contexts.window(served)
    admin.sign_in("admin@demo.test")
    _save_key(admin, KEY)
    window = contexts.window(served)
    page = window.open("/accounts/login/")
    page.get_by_label("Email").fill("support@demo.test")
    page.get_by_label("Password", exact=True).fill(served.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    for model, row in (("tenants/organization", "Acme"), ("byok/providercredential", None)):
        page = window.open(f"/admin/{model}/")
        rows = page.locator("#result_list tbody th a")
        (rows.filter(has_text=row) if row else rows).first.click()
        expect(page.locator("#content h1, #content h2").first).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("qrst")
    for body in window.bodies:
        assert "2b6f80354c1d9e7a" not in body
        assert "secretpart" not in body
    # Looking is all they may: nothing on the page of a key takes a new one.
    assert page.locator("main input[type=text], main input[type=password], main textarea").count() == 0
    assert page.request.get(f"{served.address}/o/acme/settings/ai/").status == 404
    assert window.console == []
