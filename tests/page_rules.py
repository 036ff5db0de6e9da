"""What every page is held to, in whichever browser test it is met: axe finds nothing, nothing sticks out sideways."""

from collections.abc import Sequence

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

# Colours that fade in would be measured half way. Nothing is waited for: what is folded away while it moves stands still
# until somebody unfolds it. What turns for as long as something is under way has no end.
_SETTLE = """() => document.getAnimations()
    .filter((a) => a.effect.getTiming().iterations !== Infinity).forEach((a) => a.finish())"""
_WIDTHS = """() => {
    const window = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > window + 1);
    return [document.documentElement.scrollWidth, window,
        wide.map((e) => e.outerHTML.slice(0, 100).replace(/\\s+/g, " ")).slice(-3).join(" | ")];
}"""
# Preloading would put style sheets into the page, which its policy refuses, for rules about them that are not in use.
_RUN_AXE = """([within, rules]) => axe.run(within ?? document,
    { resultTypes: ["violations"], preload: false, ...(rules ? { runOnly: rules } : {}) })"""
# The rules that a theme can break: light and dark are the same markup.
COLOURS = ("color-contrast", "link-in-text-block")


def settle(page: Page) -> None:
    """Bring everything that moves to its end, but what moves for ever; nothing begins to move while it is looked at."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(_SETTLE)


def axe_findings(page: Page, *, within: str | None = None, rules: Sequence[str] = ()) -> str:
    """axe's report about the page, or the element that the selector `within` names; empty if it finds nothing.

    `rules`: their names, where not all are asked.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = AxeResults(page.evaluate(_RUN_AXE, [within, list(rules) or None]))
    return found.generate_report() if found.violations_count else ""


def sideways(page: Page) -> str:
    """How much wider than its window the page is, and what reaches out of it; empty if it fits."""
    wide, window, what = page.evaluate(_WIDTHS)
    return f"{wide} px wide in a window of {window} px: {what}" if wide > window else ""


def hold_to_the_rules(page: Page, name: str = "") -> None:
    """Fails with axe's report, or with the width of what is too wide. `name`: as the failure calls the page."""
    settle(page)
    for found in (axe_findings(page), sideways(page)):
        assert not found, f"{name or page.url}: {found}"
