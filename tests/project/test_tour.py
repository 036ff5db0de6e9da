"""The tour shows every page there is, in pictures that are there, and the repository stays small."""

import pytest
from django.test import Client
from django.urls import resolve

from tests.look.every_page import NO_PAGE
from tests.routes import ROUTES
from tests.security.hostile_tenant import make_hostile, tenant_addresses
from tests.tour.document import DOCUMENT, IMAGES, document, images
from tests.tour.pictures import address
from tests.tour.stops import FURTHER, TOUR, Stop

MOST_BYTES = 4_000_000
ALL = TOUR + FURTHER
# Pages that the tour leaves out, and why.
LEFT_OUT = {
    "tenants:member_remove": "asks whether to go on",
    "tenants:token_revoke": "asks whether to go on",
    "byok:price_end": "asks whether to go on",
    "byok:remove_key": "asks whether to go on",
    "byok:undo_replacement": "asks whether to go on",
    "leads:webhook_delete": "asks whether to go on",
    "leads:knowledge_delete": "asks whether to go on",
    "leads:note_delete": "asks whether to go on",
    "leads:note_edit": "a note of the lead's page in a form",
    "leads:knowledge_rename": "a title in a form",
    "leads:knowledge_replace": "a document's text in a form",
    "leads:prompt_version": "a prompt as it was",
    "byok:onboarding_models": "a step that is over in the demo",
    "byok:onboarding_done": "a step that is over in the demo",
}


@pytest.mark.parametrize("stop", ALL, ids=lambda stop: stop.name)
def test_its_page_is_there(stop: Stop) -> None:
    assert resolve(address(stop).partition("?")[0]).view_name == stop.route


@pytest.mark.django_db
def test_every_page_of_an_organisation_is_on_it(client: Client) -> None:
    tenant = make_hostile(0, ["A text"])
    client.force_login(tenant.admin)
    shown = {name for stop in ALL for name in (stop.route, stop.shows)}
    where = [path for path in tenant_addresses(tenant) if path.startswith("/o/")]
    pages = {resolve(path).view_name for path in where if client.get(path).status_code == 200} - NO_PAGE.keys()
    assert len(pages) >= 35
    assert pages - shown == pages & LEFT_OUT.keys()
    assert LEFT_OUT.keys() <= {route.name for route in ROUTES}


def test_the_document_is_made_of_the_list() -> None:
    assert DOCUMENT.read_text() == document(), "make screenshots writes it anew"


def test_every_picture_is_there_and_shown() -> None:
    assert {path.name for path in IMAGES.glob("*.webp")} == images()
    text = DOCUMENT.read_text()
    assert [name for name in images() if f"images/{name}" not in text] == []


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MOST_BYTES
