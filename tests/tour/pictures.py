"""Taking the pictures, from a product that is being served."""

import base64
import os
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.page_rules import settle
from tests.serving import Served
from tests.tour.document import FURTHER_LOOKS, SCREENS, THEMES
from tests.tour.stops import FURTHER, TOUR, Stop

# In CSS pixels. A phone's picture is twice as sharp.
_SIZES = {"wide": (1280, 800, 1), "phone": (360, 720, 2)}
_QUALITY = 72


def take(served: Served) -> Iterator[tuple[str, bytes]]:
    """Every picture of the tour with its file name."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
        logins = {stop.login for stop in TOUR + FURTHER}
        windows = {screen: {login: _window(browser, served, screen, login) for login in logins} for screen in SCREENS}
        for screen in SCREENS:
            for stop in TOUR:
                page = windows[screen][stop.login]
                _go(page, served, stop)
                for theme in THEMES:
                    yield stop.image(screen, theme), _picture(page, theme)
        # Some of the further ones change what the others show, so they come afterwards.
        for stop in FURTHER:
            reached = ""
            for screen, theme in FURTHER_LOOKS:
                page = windows[screen][stop.login]
                if reached:
                    page.goto(reached)
                else:
                    _go(page, served, stop)
                    reached = page.url
                yield stop.image(screen, theme), _picture(page, theme)
        browser.close()


def address(stop: Stop) -> str:
    """The path at which a stop's way begins, in the demo organisation."""
    from django.urls import reverse

    from tests.routes import ROUTES

    in_address = next(route.in_address for route in ROUTES if route.name == stop.route)
    return reverse(stop.route, kwargs=stop.kwargs | ({"org": "acme"} if "org" in in_address else {})) + stop.query


def _window(browser: Browser, served: Served, screen: str, login: str) -> Page:
    width, height, scale = _SIZES[screen]
    context = browser.new_context(
        locale="en-GB",
        timezone_id="UTC",
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        is_mobile=screen == "phone",
        has_touch=screen == "phone",
    )
    page = context.new_page()
    if login:
        page.goto(f"{served.address}/accounts/login/")
        page.get_by_label("Email").fill(login)
        page.get_by_label("Password", exact=True).fill(served.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
    return page


def _go(page: Page, served: Served, stop: Stop) -> None:
    page.goto(served.address + address(stop))
    if stop.walk is not None:
        stop.walk(page)
    page.wait_for_load_state()


def _picture(page: Page, theme: str) -> bytes:
    """The window as WebP: Playwright's own screenshots are PNG or JPEG, several times as large."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    settle(page)
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    session.detach()
    return base64.b64decode(taken["data"])
