"""A real browser before the real processes: what `make run` starts."""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Response, sync_playwright

from tests import chromium
from tests.page_rules import hold_to_the_rules, settle
from tests.serving import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served, None, None]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(autouse=True)
def tests_left(served: Served) -> None:
    served.forget_key_tests()


@dataclass
class Window:
    """A browser window that remembers every page it was sent and everything the console said."""

    page: Page
    served: Served
    console: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("response", self._note_body)

    def open(self, path: str) -> Page:
        self.page.goto(self.served.address + path)
        return self.page

    def sign_in(self, email: str) -> None:
        self.open("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(self.served.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/o/acme/**")

    def _note_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text} ({self.page.url})")

    def _note_body(self, response: Response) -> None:
        if "text/html" in response.headers.get("content-type", "") and response.status < 300:
            try:
                self.bodies.append(response.text())
            except Error as error:
                # A fragment that was on its way when its page was left was shown to nobody.
                if "navigated away" not in error.message:
                    raise


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the journey's pictures go: `SCREENSHOTS`, or the run's own directory."""
    chosen = os.environ.get("SCREENSHOTS")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


Look = Callable[[Page, str], None]


@pytest.fixture
def look(request: pytest.FixtureRequest, screenshots: Path) -> Look:
    """axe finds nothing, nothing sticks out sideways, and there is a picture for people."""
    journey = request.module.__name__.rpartition("test_")[2]

    def hold(page: Page, name: str) -> None:
        settle(page)
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=screenshots / f"{journey}-{name}-{width}.png", full_page=True)
        hold_to_the_rules(page, name)

    return hold


@pytest.fixture(scope="module")
def contexts() -> Generator["NewContext", None, None]:
    """Makes browser contexts (separate people); all are closed at the end."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
        yield NewContext(lambda **options: browser.new_context(locale="en-US", **options))
        browser.close()


class NewContext:
    def __init__(self, make: Callable[..., BrowserContext]) -> None:
        self._make = make

    def window(
        self,
        served: Served,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        javascript: bool = True,
    ) -> Window:
        context = self._make(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=javascript
        )
        context.set_default_timeout(20_000)
        return Window(context.new_page(), served)
