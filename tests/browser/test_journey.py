"""From sign-in to an approved email and its rows on the usage page, in Chromium, on what `make run` starts."""

import threading
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext, Window
from tests.page_rules import hold_to_the_rules
from tests.serving import Served, until

KEY = "sk-or-v1-journey-7f3a9c2e5b8d1064-secretpart-wxyz"
MODEL = "anthropic/claude-haiku-5.5"
PAGES = ("settings/ai", "usage", "leads", "leads/new", "knowledge", "settings/members", "settings/tokens")


class RedisListener:
    """Everything that is said to Redis while it listens: task payloads, cache entries, all of it."""

    def __init__(self, served: Served) -> None:
        self.commands: list[str] = []
        self._client = served.redis()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "RedisListener":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._client.ping()  # wakes the listener up
        self._thread.join(10)
        self._client.close()

    def _listen(self) -> None:
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._ready.set()
            for command in monitor.listen():
                self.commands.append(str(command["command"]))
                if self._stop.is_set():
                    return


def test_from_sign_in_to_an_approved_email_and_its_cost(
    served: Served, contexts: NewContext, screenshots: Path
) -> None:
    # Others' work on the same product may still go on; a call of this lead with one of their keys would be no own one.
    of_others = {request["key_sha256"] for request in served.recorded()}
    with RedisListener(served) as redis_said:
        admin = contexts.window(served)
        _save_key(admin, screenshots)
        member = contexts.window(served)
        lead_path = _answer_a_lead(member, screenshots)
        _see_the_cost(member, lead_path, screenshots)

    own = sha256(KEY.encode()).hexdigest()
    keys = {request["key_sha256"] for request in served.recorded()}
    assert keys - of_others == {own}, "another key has arrived at the provider"

    run = served.query("SELECT id FROM leads_workflowrun WHERE lead_id = %s", lead_path.rstrip("/").rpartition("/")[2])
    rows, arrived = served.usage_rows(str(run[0][0])), served.arrived(str(run[0][0]))
    assert len(rows) == len(arrived) >= 3
    assert {request["key_sha256"] for request in arrived} == {own}
    assert any("advance_run" in command for command in redis_said.commands), "no task payload was seen"

    places = {
        **served.texts_on_disk(),
        "redis": "\n".join(redis_said.commands),
        "pages": "\n".join(admin.bodies + member.bodies),
        "terminal": "".join(served.output),
    }
    assert len(admin.bodies) > 2
    assert len(member.bodies) > 4
    for place, text in places.items():
        assert KEY not in text, f"{place} holds the key"
        assert "7f3a9c2e5b8d1064" not in text, f"{place} holds a part of the key"
        assert "secretpart" not in text, f"{place} holds a part of the key"
    assert admin.console == []
    assert member.console == []


def _save_key(admin: Window, screenshots: Path) -> None:
    admin.sign_in("admin@demo.test")
    page = admin.open("/o/acme/settings/ai/")
    page.get_by_label("OpenRouter API key").fill(KEY)
    page.get_by_label("Chat model").fill(MODEL)
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("The AI configuration is saved.")).to_be_visible()
    expect(page.get_by_text("sk-or-v1-••••••••••wxyz").first).to_be_visible()
    expect(page.get_by_label("OpenRouter API key")).to_have_value("")
    hold_to_the_rules(page)
    page.screenshot(path=screenshots / "settings.png", full_page=True)


def _answer_a_lead(member: Window, screenshots: Path) -> str:
    member.sign_in("member@demo.test")
    page = member.open("/o/acme/leads/new/")
    page.get_by_label("Name").fill("Nora Quist")
    page.get_by_label("Email").fill("nora.quist@tailspin.test")
    page.get_by_label("Company").fill("Tailspin Toys")
    page.get_by_label("Message").fill("We want to buy 60 licences for our sales team this month. Please send a quote.")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/o/acme/leads/*-*-*/")
    # The page follows the run by itself.
    subject = page.get_by_label("Subject")
    expect(subject).to_be_visible(timeout=60_000)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("Qualified")
    subject.fill("Your quote for 60 licences")
    hold_to_the_rules(page)
    page.screenshot(path=screenshots / "lead.png", full_page=True)
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_text("Sent to nora.quist@tailspin.test")).to_be_visible(timeout=30_000)
    mails = member.served.state / "mail"
    until(lambda: any("Your quote for 60 licences" in p.read_text() for p in mails.iterdir()), "the mail is sent")
    return page.url.removeprefix(member.served.address)


def _see_the_cost(member: Window, lead_path: str, screenshots: Path) -> None:
    page = member.open("/o/acme/usage/")
    rows = page.locator("tbody tr", has=page.locator(f"a[href='{lead_path}']"))
    until(lambda: page.reload() and rows.count() >= 3, "the calls are on the usage page")
    for row in rows.all():
        expect(row).to_contain_text(MODEL)
        expect(row).to_contain_text("own key")
        expect(row).to_contain_text("$0.00")
        expect(row).to_contain_text("Answered")
    expect(page.get_by_text("Email generation").first).to_be_visible()
    hold_to_the_rules(page)
    page.screenshot(path=screenshots / "usage.png", full_page=True)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1440, "dark")])
def test_every_page_on_phone_and_in_the_dark(
    served: Served, contexts: NewContext, screenshots: Path, width: int, scheme: str
) -> None:
    window = contexts.window(served, width=width, scheme=scheme)
    window.sign_in("admin@demo.test")
    for name in PAGES:
        page = window.open(f"/o/acme/{name}/")
        hold_to_the_rules(page)
        page.screenshot(path=screenshots / f"{name.replace('/', '-')}-{width}-{scheme}.png", full_page=True)
    assert window.console == []


def test_switching_the_provider_swaps_the_form_and_refuses_another_providers_key(
    served: Served, contexts: NewContext
) -> None:
    window = contexts.window(served)
    window.sign_in("admin@demo.test")
    page = window.open("/o/acme/settings/ai/")
    page.get_by_label("Anthropic", exact=True).check()
    key = page.get_by_label("Anthropic API key")
    expect(key).to_be_visible()
    expect(page.get_by_label("Chat model")).to_have_value("claude-sonnet-5-5")
    key.fill(KEY)
    page.get_by_role("button", name="Save configuration").click()
    expect(page.get_by_text("This looks like an OpenRouter key").first).to_be_visible()
    expect(page.get_by_label("Chat model")).to_have_value("claude-sonnet-5-5")
    # The browser keeps what was typed; the server does not send it back.
    expect(page.get_by_label("Anthropic API key")).to_have_value(KEY)
    assert KEY not in page.content()
    assert KEY not in "".join(window.bodies)


def test_a_viewer_sees_costs_and_leads_but_neither_settings_nor_buttons(served: Served, contexts: NewContext) -> None:
    window = contexts.window(served)
    window.sign_in("viewer@demo.test")
    page = window.open("/o/acme/usage/")
    expect(page.get_by_role("heading", name="Usage")).to_be_visible()
    assert page.get_by_role("link", name="Settings").count() == 0
    assert page.request.get(f"{served.address}/o/acme/settings/ai/").status == 403
    assert page.request.get(f"{served.address}/o/nobody/usage/").status == 404
    page = window.open("/o/acme/leads/")
    page.locator("tbody a").first.click()
    assert page.get_by_role("button", name="Approve and send").count() == 0
