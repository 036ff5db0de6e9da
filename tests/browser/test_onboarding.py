"""From an empty mailbox to an organisation with its own key, and from 45 of 50 to unlimited, in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.people import sign_up
from tests.page_rules import hold_to_the_rules
from tests.serving import Served

KEY = "sk-or-v1-wizard-4c1d9e7a2b6f8035-secretpart-mnop"
REFUSED = "sk-or-v1-invalid-4c1d9e7a2b6f8035-mnop"

Look = Callable[[str], None]


def _look(page: Page, screenshots: Path, prefix: str) -> Look:
    """`look(name)`: axe finds nothing, nothing sticks out sideways, and a picture is kept."""

    def look(name: str) -> None:
        hold_to_the_rules(page, name)
        page.screenshot(path=screenshots / f"onboarding-{prefix}-{name}.png", full_page=True)

    return look


def _choose(page: Page, choice: str) -> None:
    page.locator(f"input[name=choice][value={choice}]").check()
    page.get_by_role("button", name="Continue").click()


def _paste(page: Page, key: str) -> None:
    page.get_by_label("OpenRouter API key").fill(key)
    page.get_by_role("button", name="Test and continue").click()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_from_sign_up_to_unlimited(
    served: Served, contexts: NewContext, screenshots: Path, width: int, scheme: str
) -> None:
    window = contexts.window(served, width=width, scheme=scheme)
    page, look = window.page, _look(window.page, screenshots, f"{width}-{scheme}")
    slug = sign_up(window)
    look("ai")
    _choose(page, "openrouter")
    page.wait_for_url("**/onboarding/key/openrouter/")
    _paste(page, REFUSED)
    expect(page.locator("#id_api_key_error")).to_contain_text("OpenRouter refused this key (401)")
    expect(page.get_by_label("OpenRouter API key")).to_have_value(REFUSED)
    look("key-refused")
    _paste(page, KEY)
    page.wait_for_url("**/onboarding/models/")
    expect(page.get_by_role("region", name="Your OpenRouter key was tested")).to_contain_text("accepts this key")
    look("models")
    page.get_by_label(re.compile("Claude Haiku")).check()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/onboarding/done/")
    main = page.get_by_role("main")
    expect(main).to_contain_text("Unlimited")
    expect(main).to_contain_text("anthropic/claude-haiku-5.5")
    expect(main).to_contain_text("mnop")
    look("done")
    page.get_by_role("link", name="Go to your leads").click()
    expect(page.get_by_role("region", name="AI this month")).to_contain_text("Unlimited")
    look("leads")
    # Back links lose nothing: what is stored is picked.
    page = window.open(f"/o/{slug}/onboarding/models/")
    expect(page.get_by_label(re.compile("Claude Haiku"))).to_be_checked()
    page.get_by_role("link", name="Key").click()
    expect(page.locator(".key-stored")).to_contain_text("mnop")
    page.get_by_role("link", name="Another choice").click()
    expect(page.locator("input[name=choice][value=openrouter]")).to_be_checked()
    stored = served.query("SELECT session_data FROM django_session")
    for text in (*window.bodies, *served.texts_on_disk().values(), str(stored)):
        assert KEY not in text
        assert "4c1d9e7a2b6f8035" not in text


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_connecting_by_one_click(
    served: Served, contexts: NewContext, screenshots: Path, width: int, scheme: str
) -> None:
    window = contexts.window(served, width=width, scheme=scheme)
    page, look = window.page, _look(window.page, screenshots, f"connect-{width}-{scheme}")
    slug = sign_up(window)
    _choose(page, "openrouter")
    page.get_by_role("link", name="Connect with OpenRouter").click()
    expect(page.get_by_role("heading", name="Allow Lead Agent?")).to_be_visible()
    look("sandbox")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="OpenRouter was not connected")).to_be_visible()
    look("declined")
    page.get_by_role("link", name="Connect again").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Finish connecting OpenRouter")).to_be_visible()
    assert served.query("SELECT count(*) FROM byok_aiconfig c JOIN tenants_organization o ON o.id = c.organization_id"
                        " WHERE o.slug = %s", slug) == [(0,)]  # fmt: skip
    look("finish")
    finish = page.url
    page.get_by_role("button", name="Finish connecting").click()
    page.wait_for_url("**/onboarding/models/")
    expect(page.get_by_text("OpenRouter is connected.")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/onboarding/done/")
    expect(page.get_by_role("main")).to_contain_text("Unlimited")
    page.goto(finish)
    expect(page.get_by_role("heading", name="This connection cannot be finished here")).to_be_visible()
    look("used")


def test_the_platforms_ai_needs_nothing_and_can_be_left_for_later(
    served: Served, contexts: NewContext, screenshots: Path
) -> None:
    window = contexts.window(served, width=360)
    page, look = window.page, _look(window.page, screenshots, "platform")
    slug = sign_up(window)
    page.get_by_role("link", name="Set this up later").click()
    expect(page.get_by_role("region", name="AI this month")).to_contain_text("0 of 50")
    page.get_by_role("link", name="Use your own key").click()
    _choose(page, "platform_default")
    page.wait_for_url(f"**/o/{slug}/onboarding/done/")
    expect(page.get_by_role("main")).to_contain_text("Free tier")
    look("done")


def test_without_javascript(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served, javascript=False)
    page = window.page
    sign_up(window)
    _choose(page, "openrouter")
    _paste(page, REFUSED)
    expect(page.locator("#id_api_key_error")).to_contain_text("refused this key")
    _paste(page, KEY)
    expect(page).to_have_url(re.compile("/onboarding/models/$"))
    page.locator("input[value=other]").check()
    page.locator("#id_chat_model").fill("openai/gpt-5")
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/onboarding/done/$"))
    expect(page.get_by_role("main")).to_contain_text("openai/gpt-5")
    page.goto(page.url.replace("done/", "key/openrouter/"))
    page.get_by_role("link", name="Connect with OpenRouter").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Finish connecting").click()
    expect(page).to_have_url(re.compile("/onboarding/models/$"))


def test_from_45_of_50_to_unlimited(served: Served, contexts: NewContext, screenshots: Path) -> None:
    window = contexts.window(served)
    page, look = window.page, _look(window.page, screenshots, "existing")
    slug = sign_up(window)
    _used(served, slug, 45)
    page = window.open(f"/o/{slug}/leads/")
    notice = page.get_by_role("region", name="Free AI requests")
    expect(notice).to_contain_text("You've used 45 of 50 free AI requests this month.")
    look("45")
    _used(served, slug, 50)
    page = window.open(f"/o/{slug}/usage/")
    expect(notice).to_contain_text(re.compile(r"All 50 free AI requests .* start again on 1 \w+ \(UTC\)"))
    look("50")
    notice.get_by_role("link", name="Add your own key for unlimited requests").click()
    expect(page.get_by_label("OpenRouter", exact=True)).to_be_checked()
    page.get_by_label("OpenRouter API key").fill(KEY)
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    for place in ("settings/ai", "leads", "usage"):
        page = window.open(f"/o/{slug}/{place}/")
        expect(page.get_by_role("main").get_by_text("Unlimited", exact=True).first).to_be_visible()
        assert notice.count() == 0


def _used(served: Served, slug: str, number: int) -> None:
    """So many free requests are taken this UTC month."""
    host = str(served.state / "sockets" / "postgres")
    with psycopg.connect(host=host, user="leadagent", dbname="leadagent") as connection:
        connection.execute(
            "INSERT INTO usage_freetiermonth (organization_id, month, used, updated_at)"
            " SELECT id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, %(used)s, now()"
            " FROM tenants_organization WHERE slug = %(slug)s"
            " ON CONFLICT (organization_id, month) DO UPDATE SET used = %(used)s",
            {"slug": slug, "used": number},
        )
