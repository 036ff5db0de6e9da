"""What every page is held to, in whichever browser test it is met: axe finds nothing, nothing sticks out sideways."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Colours that fade in would be measured half way. What turns for as long as something is under way has no end.
_SETTLE = """() => Promise.allSettled(document.getAnimations()
    .filter((a) => a.effect.getTiming().iterations !== Infinity).map((a) => a.finished))"""
_WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


def settle(page: Page) -> None:
    """Wait until nothing moves but what moves for ever."""
    page.evaluate(_SETTLE)


def hold_to_the_rules(page: Page, name: str = "") -> None:
    """Fails with axe's report, or with the width of what is too wide. `name`: as the failure calls the page."""
    settle(page)
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name or page.url}: {found.generate_report()}"
    wide, window = page.evaluate(_WIDTHS)
    assert wide <= window, f"{name or page.url} is {wide} px wide in a window of {window} px"
