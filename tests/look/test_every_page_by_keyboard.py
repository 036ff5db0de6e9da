"""Pages by keyboard alone: every control is reached by Tab, shows that it is, and lets go; Escape closes what floats.

The main pages in each run; `make look` goes through all of them.
"""

from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.look.every_page import Who, World, make_world, places
from tests.look.test_every_page import LONG

pytestmark = pytest.mark.network_loopback

MAIN = (
    "leads/", "leads/new/", "leads/import/", "usage/", "usage/calls/", "models/", "knowledge/", "settings/ai/",
    "settings/members/", "settings/tokens/", "settings/webhooks/", "settings/alerts/", "settings/audit/",
    "settings/emails/", "models/prices/",
)  # fmt: skip

# What a person without a pointer must be able to reach: of a group of radio buttons one, of what is folded nothing.
_CONTROLS = """() => {
    const groups = new Set();
    const wanted = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
        .filter((each) => !each.disabled && each.type !== "hidden" && each.tabIndex >= 0
            && each.checkVisibility({ visibilityProperty: true }) && !each.closest("[inert]"))
        .filter((each) => {
            if (each.type !== "radio") return true;
            const group = `${each.form?.action} ${each.name}`;
            const has = groups.has(group);
            groups.add(group);
            return !has;
        });
    window.reached = new Map();
    // Known before anything is focused: what a ring adds is told from what is always there.
    document.addEventListener("focusin", (event) => {
        const each = event.target;
        const drawn = [each, each.closest("label"), each.parentElement].filter(Boolean)
            .flatMap((one) => [getComputedStyle(one), getComputedStyle(one, "::after")]);
        const ring = drawn.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
        window.reached.set(each, ring);
    }, true);
    window.wanted = wanted;
    return wanted.length;
}"""
_FOUND = """() => {
    const name = (each) => each.outerHTML.slice(0, 140);
    const group = (each) => each.type === "radio" ? `${each.form?.action} ${each.name}` : null;
    const groups = new Set([...window.reached.keys()].map(group).filter(Boolean));
    return {
        missed: window.wanted.filter((each) => each.isConnected && each.checkVisibility({ visibilityProperty: true })
            && !window.reached.has(each) && !groups.has(group(each))).map(name),
        unseen: [...window.reached].filter(([, ring]) => !ring).map(([each]) => name(each)),
        held: document.activeElement !== document.body && document.activeElement !== window.first,
    };
}"""
_OPENERS = """() => [...document.querySelectorAll("[data-dialog], [popovertarget]:not([popovertargetaction])")]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .filter((each, place, all) => all.findIndex((one) => kind(one) === kind(each)) === place)
    .map((each) => each.dataset.dialog ?? each.getAttribute("popovertarget"));
    function kind(one) { return (one.dataset.dialog ?? one.getAttribute("popovertarget")).replace(/\\d.*/, ""); }"""

# Pages may have put the focus on the field to begin with: this walk begins at the top.
_TO_THE_TOP = """() => {
    document.body.tabIndex = -1;
    document.body.focus({ preventScroll: true });
    document.body.removeAttribute("tabindex");
}"""


def walk(page: Page) -> dict[str, Any]:
    """Press Tab through the whole page and once more; what was missed, without a ring, or holds the focus for ever."""
    page.evaluate(_TO_THE_TOP)
    controls = page.evaluate(_CONTROLS)
    # The page that asks for consent at the sandbox provider has no more.
    assert controls >= 2, page.url
    page.keyboard.press("Tab")
    page.evaluate("window.first = document.activeElement")
    # A little more than there are: what is scrolled is a stop as well.
    for _ in range(controls + 25):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body || document.activeElement === window.first"):
            break
    found: dict[str, Any] = page.evaluate(_FOUND)
    return found


def opens_and_closes(page: Page, name: str) -> str:
    """Open a dialog or popover from its opener by Enter, close it by Escape; what is wrong, or nothing."""
    opener = page.locator(f"[data-dialog='{name}'], [popovertarget='{name}']:not([popovertargetaction])").first
    opener.focus()
    page.keyboard.press("Enter")
    floating = page.locator(f"[id='{name}']")
    expect(floating).to_be_visible()
    page.keyboard.press("Escape")
    expect(floating).to_be_hidden()
    return "" if opener.evaluate("(each) => document.activeElement === each") else f"{name} loses the place"


@pytest.mark.parametrize("who", [Who.ADMIN, Who.NEWCOMER, Who.NOBODY] if LONG else [Who.ADMIN])
def test_every_control_is_reached_seen_and_left(
    who: Who, browser: Browser, live_server: LiveServer, settings: Settings, transactional_db: None
) -> None:
    settings.ROOT_URLCONF = "tests.look.urls"
    world = make_world()
    context = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    cookie = django_settings.SESSION_COOKIE_NAME
    if cookie in world.clients[who].cookies:
        session = world.clients[who].cookies[cookie].value
        context.add_cookies([{"name": cookie, "value": session, "url": live_server.url}])
    page = context.new_page()
    wanted = main_pages(world)
    wrong: list[str] = []
    seen = 0
    for place in places(world):
        if place.who is not who or not (LONG or place.path in wanted):
            continue
        answer = page.goto(live_server.url + place.path)
        if answer is None or answer.status == 405:
            continue
        seen += 1
        found = walk(page)
        wrong += [f"{place}: {what} {where}" for what in ("missed", "unseen") for where in found[what]]
        if found["held"]:
            wrong.append(f"{place}: the focus does not leave")
        for name in page.evaluate(_OPENERS):
            if lost := opens_and_closes(page, name):
                wrong.append(f"{place}: {lost}")
    context.close()
    assert wrong == [], "\n".join(wrong)
    assert seen >= len(wanted)


def main_pages(world: World) -> set[str]:
    """The addresses of the admin's main pages, and of one lead's."""
    own = f"/o/{world.tenant.organization.slug}/"
    lead = next(
        place.path
        for place in places(world)
        if place.path.startswith(f"{own}leads/") and str(world.tenant.ids["lead_id"]) in place.path
    )
    return {f"{own}{path}" for path in MAIN} | {lead}
