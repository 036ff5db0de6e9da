"""Sixty scripts stored in every text of a tenant, and every page opened in a real browser: none of them runs."""

from collections import Counter

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, Dialog, Page, Response
from pytest_django.live_server_helper import LiveServer

from tests.factories import UserFactory
from tests.security.hostile_tenant import SEPARATOR, HostileTenant, make_hostile, tenant_addresses
from tests.security.payloads import PAYLOADS, in_threes

pytestmark = [pytest.mark.network_loopback, pytest.mark.django_db(transaction=True)]

# The console tells of every script that the policy had to stop: none should ever get that far.
_REFUSED = "Content Security Policy"


def test_there_are_sixty_different_ones() -> None:
    assert len(set(PAYLOADS)) == 60
    assert {script for group in in_threes() for script in group} == set(PAYLOADS)
    assert max(len(SEPARATOR.join(group)) for group in in_threes()) <= 200


class Watched:
    """A browser page that counts dialogs and refused scripts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dialogs: list[str] = []
        self.refused: list[str] = []
        self.statuses: Counter[int] = Counter()
        page.on("dialog", self._dialog)
        page.on("console", lambda message: self.refused.append(message.text) if _REFUSED in message.text else None)
        page.on("response", self._response)

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.message} at {self.page.url}")
        dialog.dismiss()

    def _response(self, response: Response) -> None:
        if response.request.resource_type == "document":
            self.statuses[response.status] += 1


def sign_in(page: Page, base: str, tenant: HostileTenant) -> Client:
    # Support staff who is an admin of the organisation: opens both kinds of pages.
    tenant.admin.is_staff = tenant.admin.is_superuser = True
    tenant.admin.save(update_fields=["is_staff", "is_superuser"])
    client = Client()
    client.force_login(tenant.admin)
    name = django_settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": base}])
    return client


def shown(client: Client, addresses: list[str]) -> list[int]:
    """Which of the addresses answer with a page of their own: no downloads, and none that want a form or lead on."""
    found = []
    for position, where in enumerate(addresses):
        answer = client.get(where)
        assert answer.status_code in {200, 302, 403, 404, 405}, f"{where}: {answer.status_code}"
        if answer.status_code == 200 and "attachment" not in answer.headers.get("Content-Disposition", ""):
            assert "text/html" in answer.headers["Content-Type"], where
            found.append(position)
    return found


@pytest.mark.parametrize("part", range(4))
def test_no_stored_script_runs(part: int, browser: Browser, live_server: LiveServer) -> None:
    opened = 0
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(15_000)
    # Our own style sheets run no script: without them the pages are there sooner.
    context.route("**/static/**/*.css", lambda route: route.abort())
    watched = Watched(context.new_page())
    poisoned: set[str] = set()
    positions: list[int] = []
    for number, scripts in list(enumerate(in_threes()))[part * 5 : part * 5 + 5]:
        tenant = make_hostile(number, scripts)
        poisoned |= tenant.poisoned
        client = sign_in(watched.page, live_server.url, tenant)
        addresses = list(tenant_addresses(tenant))
        # The tenants have the same rows, so the same addresses answer with a page.
        positions = positions or shown(client, addresses)
        for where in [addresses[position] for position in positions]:
            watched.page.goto(live_server.url + where, wait_until="load")
            opened += 1
            assert watched.dialogs == [], where
            assert watched.refused == [], where
    context.close()
    assert opened == 5 * len(positions) >= 5 * 40
    assert len(poisoned) >= 40, sorted(poisoned)
    assert not [status for status in watched.statuses if status >= 500], watched.statuses


def test_the_watch_sees_a_script_that_runs(browser: Browser, live_server: LiveServer) -> None:
    """Without this the test above would prove little: most payloads do run where nothing stops them."""
    UserFactory()
    page = browser.new_page()
    seen: list[str] = []

    def note(dialog: Dialog) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    ran = 0
    for payload in PAYLOADS:
        before = len(seen)
        page.goto("about:blank")
        page.set_content(f'<p title="{payload}">{payload}</p>', wait_until="load")
        page.wait_for_timeout(30)
        ran += len(seen) > before
    page.close()
    assert ran >= 30, f"only {ran} of {len(PAYLOADS)} run at all"
