"""A real browser before the product's pages, in the variants that people have."""

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from leadagent.tenants.models import Membership, Role
from tests import chromium
from tests.factories import MembershipFactory, OrganizationFactory
from tests.page_rules import hold_to_the_rules, settle


@dataclass(frozen=True)
class Variant:
    """A screen and a theme."""

    name: str
    width: int
    height: int
    scheme: str

    @property
    def is_phone(self) -> bool:
        return self.width < 768

    def __str__(self) -> str:
        return f"{self.name}-{self.scheme}"


VARIANTS = [
    Variant(name, width, height, scheme)
    for name, width, height in (("wide", 1440, 900), ("phone", 360, 740))
    for scheme in ("light", "dark")
]


# Wide and light, phone and dark: every rule of the style sheets is met by one of the two.
DIAGONAL = [VARIANTS[0], VARIANTS[3]]


@dataclass
class Visit:
    """A browser window on the live server that remembers what the console said."""

    page: Page
    base: str
    screenshots: Path
    console: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def hold_to_the_rules(self, name: str) -> None:
        """A screenshot for people; for us: axe finds nothing, nothing sticks out sideways, the console is silent."""
        settle(self.page)
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)
        hold_to_the_rules(self.page, name)
        assert self.console == [], f"{name}: the console is not silent"


@pytest.fixture(autouse=True)
def own_cache(settings: Settings) -> None:
    """allauth's limits count in the cache: every test starts at zero, and Redis is left alone."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "look"}}
    cache.clear()


# Playwright keeps an event loop running in this thread as long as it is open. It is closed with
# this package, so that later tests may start loops of their own (its own plugin would keep it).
@pytest.fixture(scope="package")
def playwright() -> Generator[Playwright, None, None]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as opened:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield opened


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Generator[Browser, None, None]:
    """The browser that `make test` has found or brought."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    opened = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
    yield opened
    opened.close()


@pytest.fixture(params=DIAGONAL, ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    chosen: Variant = request.param
    return chosen


@pytest.fixture
def context(browser: Browser, variant: Variant) -> Generator[BrowserContext, None, None]:
    opened = browser.new_context(
        locale="en-US",
        viewport={"width": variant.width, "height": variant.height},
        color_scheme="dark" if variant.scheme == "dark" else "light",
        has_touch=variant.is_phone,
        is_mobile=variant.is_phone,
    )
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`look/` in pytest's temporary directory: `--basetemp` moves it to where one wants to look at it."""
    directory = tmp_path_factory.getbasetemp() / "look"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture
def visit(context: BrowserContext, live_server: LiveServer, settings: Settings, screenshots: Path) -> Visit:
    """A window of somebody who is not signed in."""
    settings.ROOT_URLCONF = "tests.look.urls"
    visit = Visit(context.new_page(), live_server.url, screenshots)

    def note(message: ConsoleMessage) -> None:
        visit.console.append(f"{message.type}: {message.text}")

    visit.page.on("console", note)
    visit.page.on("pageerror", lambda error: visit.console.append(f"error: {error}"))
    return visit


@pytest.fixture
def admin(transactional_db: None) -> Membership:
    """The admin of Acme, who is in a second organisation too."""
    membership = MembershipFactory(
        organization__name="Acme", organization__slug="acme", user__email="admin@acme.test", role=Role.ADMIN
    )
    MembershipFactory(organization=OrganizationFactory(name="Globex", slug="globex"), user=membership.user)
    return membership


@pytest.fixture
def as_admin(visit: Visit, admin: Membership, context: BrowserContext) -> Visit:
    """A window in which the admin is signed in."""
    client = Client()
    client.force_login(admin.user)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": visit.base}])
    return visit
