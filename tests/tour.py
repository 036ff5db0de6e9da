"""The tour of the product: which pages it shows, in what words. docs/tour.md is made of it.

`python -m tests.tour` takes the pictures again and writes the document; `make screenshots` calls it.
"""

import base64
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.page_rules import settle
from tests.serving import Served, serving

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
DOCUMENT = ROOT / "docs" / "tour.md"

# In CSS pixels. A phone's picture is twice as sharp.
SCREENS = {"wide": (1280, 800, 1), "phone": (360, 720, 2)}
THEMES = ("light", "dark")
_QUALITY = 72


@dataclass(frozen=True)
class Stop:
    """One page. `query`: a lead is found by its row in the list (`row`), everything else by its address."""

    name: str
    title: str
    words: str
    route: str
    query: str = ""
    row: str = ""
    login: str = "admin@demo.test"

    def image(self, screen: str, theme: str) -> str:
        return f"{self.name}-{screen}-{theme}.webp"


TOUR = (
    Stop("landing", "The front page", "What the product does, and that one may start without a key.", "home", login=""),
    Stop("leads", "Leads", "What came in, where each lead stands and who looks after it; search and filters stand in the address.", "leads:list"),
    Stop("lead", "A lead", "Research, verdict and draft of one lead, with what each step cost. Nothing is sent before a person approves it.", "leads:list", row="Priya"),
    Stop("usage", "Usage", "Requests, tokens and costs of a period, by day, operation and model; unknown costs are shown as unknown.", "usage:dashboard", query="?period=90-days"),
    Stop("calls", "Single calls", "Each exchange with a provider: model, whose key, tokens, cost, and why it failed if it did. As CSV too.", "usage:calls"),
    Stop("models", "Models", "The catalog: search, filters, prices and context windows; two to four models can be compared.", "byok:catalog"),
    Stop("ai-settings", "AI settings", "Provider, key, models for each operation. A key is tested before it is kept, and never shown again.", "byok:settings"),
    Stop("knowledge", "Knowledge", "Documents that research and drafts may draw on, and what a search finds in them.", "leads:knowledge"),
    Stop("members", "Members", "Who belongs to the organisation, what each may do, and who was invited.", "tenants:members"),
    Stop("onboarding", "Getting started", "One question at a time: the platform's AI with its free requests, or a key of one's own.", "byok:onboarding_ai"),
    Stop("api", "The JSON API", "Every call with its fields, its refusals and a line of curl.", "api:openapi-view", login=""),
    Stop("support", "Support", "What support staff see of an organisation in Django admin: every state, never a key.", "admin:tenants_organization_changelist", row="Acme", login="support@demo.test"),
)  # fmt: skip


def document() -> str:
    """docs/tour.md, as it must be."""
    parts = [
        "# A tour of the pages",
        "Made by `make screenshots` from the demo organisation, in the theme that your own screen has.",
        *(_section(stop) for stop in TOUR),
    ]
    return "\n\n".join(parts) + "\n"


def _section(stop: Stop) -> str:
    pictures = "\n".join(_picture(stop, screen) for screen in SCREENS)
    return f"## {stop.title}\n\n{stop.words}\n\n{pictures}"


def _picture(stop: Stop, screen: str) -> str:
    width = {"wide": 640, "phone": 200}[screen]
    alt = stop.title if screen == "wide" else f"{stop.title}, on a phone"
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="images/{stop.image(screen, "dark")}">'
        f'<img src="images/{stop.image(screen, "light")}" width="{width}" alt="{alt}"></picture>'
    )


def take(served: Served) -> Iterator[tuple[str, bytes]]:
    """Every picture of the tour with its file name."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
        for screen in SCREENS:
            pages = {login: _window(browser, served, screen, login) for login in {stop.login for stop in TOUR}}
            for stop in TOUR:
                page = pages[stop.login]
                _go(page, served, stop)
                for theme in THEMES:
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
                    settle(page)
                    yield stop.image(screen, theme), _webp(page)
        browser.close()


def _window(browser: Browser, served: Served, screen: str, login: str) -> Page:
    width, height, scale = SCREENS[screen]
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


def address(stop: Stop) -> str:
    """The path of a page in the demo organisation."""
    from django.urls import reverse

    from tests.routes import ROUTES

    in_address = next(route.in_address for route in ROUTES if route.name == stop.route)
    return reverse(stop.route, kwargs={"org": "acme"} if "org" in in_address else {}) + stop.query


def _go(page: Page, served: Served, stop: Stop) -> None:
    page.goto(served.address + address(stop))
    if stop.row:
        page.get_by_role("main").get_by_role("link", name=stop.row).first.click()
    page.wait_for_load_state()


def _webp(page: Page) -> bytes:
    """The window as WebP: Playwright's own screenshots are PNG or JPEG, several times as large."""
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    session.detach()
    return base64.b64decode(taken["data"])


def main() -> None:
    import django

    from leadagent.embedded.state import Secrets

    # For addresses alone: what is served has secrets and servers of its own, and these reach nobody.
    made = Secrets.generate()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "leadagent.settings",
        "LEADAGENT_ENV": "test",
        "SANDBOX_ENABLED": "1",
        "SECRET_KEY": made.secret_key,
        "ENCRYPTION_SECRET": made.encryption_secret,
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    django.setup()
    with tempfile.TemporaryDirectory() as state, serving(Path(state)) as served:
        pictures = dict(take(served))
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("*.webp"):
        old.unlink()
    for name, data in pictures.items():
        (IMAGES / name).write_bytes(data)
    DOCUMENT.write_text(document())
    print(f"{len(pictures)} pictures, {sum(map(len, pictures.values())) / 1_000_000:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
