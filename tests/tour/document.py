"""docs/tour.md, made of the list of stops."""

from pathlib import Path

from tests.tour.stops import FURTHER, TOUR, Stop

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
DOCUMENT = ROOT / "docs" / "tour.md"

SCREENS = ("wide", "phone")
THEMES = ("light", "dark")
# A further page is shown once in each screen and once in each theme.
FURTHER_LOOKS = (("wide", "light"), ("phone", "dark"))
_WIDTHS = {"wide": 640, "phone": 200}
_FURTHER_WIDTHS = {"wide": 480, "phone": 150}


def document() -> str:
    """The whole text, as it must be."""
    parts = [
        "# A tour of the pages",
        "Made by `make screenshots` from the demo organisation, in the theme that your own screen has.",
        *(_section(stop) for stop in TOUR),
        "# Every other page",
        "Wide in the light theme, and on a phone in the dark one.",
        *(_further(stop) for stop in FURTHER),
    ]
    return "\n\n".join(parts) + "\n"


def images() -> set[str]:
    """The names of all pictures."""
    main = {stop.image(screen, theme) for stop in TOUR for screen in SCREENS for theme in THEMES}
    return main | {stop.image(*look) for stop in FURTHER for look in FURTHER_LOOKS}


def _section(stop: Stop) -> str:
    pictures = "\n".join(_picture(stop, screen) for screen in SCREENS)
    return f"## {stop.title}\n\n{stop.words}\n\n{pictures}"


def _picture(stop: Stop, screen: str) -> str:
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="images/{stop.image(screen, "dark")}">'
        f'<img src="images/{stop.image(screen, "light")}" width="{_WIDTHS[screen]}" alt="{_alt(stop, screen)}"></picture>'
    )


def _further(stop: Stop) -> str:
    pictures = "\n".join(
        f'<img src="images/{stop.image(screen, theme)}" width="{_FURTHER_WIDTHS[screen]}" alt="{_alt(stop, screen)}">'
        for screen, theme in FURTHER_LOOKS
    )
    return f"## {stop.title}\n\n{stop.words}\n\n{pictures}"


def _alt(stop: Stop, screen: str) -> str:
    return stop.title if screen == "wide" else f"{stop.title}, on a phone"
