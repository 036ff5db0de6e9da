"""Every page there is, in light and dark, on a wide screen and on a phone.

What each is held to: axe finds nothing, the console and the policy say nothing, nothing reaches out of the window, what
floats is no worse, and nothing moves while the page loads.

Wide and light, on a phone and dark: so each width and each theme is seen. `make look` looks at all four variants,
and photographs them.
"""

import os
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.look.conftest import DIAGONAL, VARIANTS, Variant
from tests.look.every_page import Place, Who, World, make_world, places
from tests.page_rules import COLOURS, axe_findings, settle, sideways

pytestmark = pytest.mark.network_loopback

# Light before dark, and each width once: the window changes as seldom as it can.
ORDER = (VARIANTS[0], VARIANTS[1], VARIANTS[3], VARIANTS[2])
LONG = os.environ.get("LEADAGENT_LOOK") == "long"
# What the page's policy refused, wherever it came from.
_NOTE_REFUSALS = """window.refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
# What has moved by itself: the sum of the scores by which browsers tell of it (https://web.dev/articles/cls).
_NOTE_SHIFTS = """window.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((shift) => { window.shifted += shift.value; }))
    .observe({ type: "layout-shift", buffered: true });"""
_SHIFTED = """async () => {
    await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
    return window.shifted;
}"""
# Everything that can be unfolded is; menus float above the page and are looked at one by one.
_UNFOLD = """() => document.querySelectorAll("details:not([data-menu])").forEach((each) => { each.open = true; })"""
# What floats: each with a selector, at most three of a kind (one per row of a table is enough).
_FLOATING = """() => {
    const kinds = new Map();
    for (const each of document.querySelectorAll("dialog[id], [popover][id], details[data-menu]")) {
        if (!each.innerHTML.trim() || each.id === "select-dialog") continue;
        if (!each.id) each.id = `floating-${document.querySelectorAll("[id^=floating-]").length}`;
        const kind = each.id.replace(/\\d.*/, "");
        kinds.set(kind, [...(kinds.get(kind) ?? []), each.id]);
    }
    return [...kinds.values()].flatMap((ids) => ids.slice(0, 3));
}"""
_OPEN = """(id) => {
    const each = document.getElementById(id);
    if (each instanceof HTMLDialogElement) each.showModal();
    else if (each instanceof HTMLDetailsElement) each.open = true;
    else each.showPopover();
}"""
_CLOSE = """(id) => {
    const each = document.getElementById(id);
    if (each instanceof HTMLDialogElement) each.close();
    else if (each instanceof HTMLDetailsElement) each.open = false;
    else each.hidePopover();
}"""
# How far it reaches out of the window to the left and to the right, in pixels.
_REACHES_OUT = """(id) => {
    const each = document.getElementById(id);
    const seen = (each instanceof HTMLDetailsElement ? each.querySelector("summary + *") : each).getBoundingClientRect();
    return Math.max(-seen.left, seen.right - document.documentElement.clientWidth);
}"""


@dataclass
class Look:
    """One person's window, and what was found so far."""

    page: Page
    base: str
    pictures: Path
    findings: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))

    def at(self, place: Place) -> None:
        """Open a page and hold it to the rules in every variant; what is wrong is noted, not raised."""
        self.console.clear()
        if not self._open(place):
            return
        self.seen += 1
        # Django admin opens its own sidebar by a script that comes after the first paint.
        if place.who is not Who.SUPPORT and (shifted := self.page.evaluate(_SHIFTED)):
            self._note(place, "", f"moves while it loads: {shifted:.4f}")
        self.page.evaluate(_UNFOLD)
        floating = self.page.evaluate(_FLOATING)
        for variant in ORDER if LONG else DIAGONAL:
            self.page.set_viewport_size({"width": variant.width, "height": variant.height})
            self.page.emulate_media(color_scheme=variant.scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            settle(self.page)
            self._hold(place, variant, floating, rules=COLOURS if variant.scheme == "dark" and LONG else ())
        # The browser itself notes every answer that is a refusal.
        lines = [line for line in self.console if f"status of {place.status}" not in line]
        for line in [*lines, *self.page.evaluate("window.refused")]:
            self._note(place, "", line)

    def _open(self, place: Place) -> bool:
        """False for what is only posted to, for a step of the wizard that is not due yet, and for what support may not."""
        answer = self.page.goto(self.base + place.path, wait_until="load")
        assert answer is not None, place
        if answer.status == 405 or (answer.status == 403 and place.who is Who.SUPPORT):
            return False
        if answer.request.redirected_from:
            assert place.who is Who.NEWCOMER, f"{place} leads on to {answer.url}"
            assert "/onboarding/" in place.path, f"{place} leads on to {answer.url}"
            return False
        assert answer.status == place.status, f"{place} answers {answer.status}: is it a page, or on a list?"
        is_page = self.page.evaluate("document.contentType === 'text/html' && !!document.querySelector('h1, #header')")
        assert is_page, f"{place} is no page: put its route on the list of those that are none"
        return True

    def _hold(self, place: Place, variant: Variant, floating: list[str], *, rules: Sequence[str]) -> None:
        self._note(place, str(variant), axe_findings(self.page, rules=rules), sideways(self.page))
        if LONG:
            name = re.sub(r"[^a-z0-9]+", "-", str(place).lower()).strip("-")[:120]
            self.page.screenshot(path=self.pictures / f"{name}-{variant}.png", full_page=True)
        for each in floating:
            self.page.evaluate(_OPEN, each)
            settle(self.page)
            self._note(place, f"{variant} #{each}", axe_findings(self.page, within=f"#{each}", rules=rules))
            if (out := self.page.evaluate(_REACHES_OUT, each)) > 0:
                self._note(place, f"{variant} #{each}", f"reaches {out} px out of the window")
            self.page.evaluate(_CLOSE, each)

    def _note(self, place: Place, where: str, *found: str) -> None:
        self.findings.extend(f"{place} {where}: {each}" for each in found if each)


@pytest.fixture
def world(transactional_db: None, settings: Settings) -> World:
    settings.ROOT_URLCONF = "tests.look.urls"
    return make_world()


@pytest.fixture
def look(
    who: Who, world: World, browser: Browser, live_server: LiveServer, screenshots: Path
) -> Generator[Look, None, None]:
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(15_000)
    context.add_init_script(_NOTE_REFUSALS)
    context.add_init_script(_NOTE_SHIFTS)
    cookie = django_settings.SESSION_COOKIE_NAME
    if cookie in world.clients[who].cookies:
        session = world.clients[who].cookies[cookie].value
        context.add_cookies([{"name": cookie, "value": session, "url": live_server.url}])
    yield Look(context.new_page(), live_server.url, screenshots)
    context.close()


# How many pages each of them sees at least: less would mean that the walk has gone astray.
@pytest.mark.parametrize(
    ("who", "least"), [(Who.ADMIN, 60), (Who.VIEWER, 12), (Who.NEWCOMER, 30), (Who.NOBODY, 18), (Who.SUPPORT, 80)]
)
def test_nothing_is_wrong_with_any_page(who: Who, least: int, world: World, look: Look) -> None:
    for place in places(world):
        if place.who is who:
            look.at(place)
    assert look.findings == [], "\n".join(look.findings)
    assert look.seen >= least
