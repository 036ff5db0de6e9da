"""The tour shows pages that are there, in pictures that are there, and the repository stays small."""

import pytest
from django.urls import resolve

from tests.tour import DOCUMENT, IMAGES, SCREENS, THEMES, TOUR, Stop, address, document

MOST_BYTES = 2_500_000


@pytest.mark.parametrize("stop", TOUR, ids=lambda stop: stop.name)
def test_its_page_is_there(stop: Stop) -> None:
    assert resolve(address(stop).partition("?")[0]).view_name == stop.route


def test_the_document_is_made_of_the_list() -> None:
    assert DOCUMENT.read_text() == document(), "make screenshots writes it anew"


def test_every_picture_is_there_and_shown() -> None:
    named = {stop.image(screen, theme) for stop in TOUR for screen in SCREENS for theme in THEMES}
    assert {path.name for path in IMAGES.glob("*.webp")} == named
    text = DOCUMENT.read_text()
    assert [name for name in named if f"images/{name}" not in text] == []


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MOST_BYTES
