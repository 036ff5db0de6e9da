"""The people of tests/tenants, the provider of tests/byok, the browser of tests/look: for tests across the product."""

from tests.byok.conftest import fake
from tests.look.conftest import browser, playwright
from tests.people import admin, member, organization, signed_in, viewer
from tests.tenants.conftest import outsider, own_cache

__all__ = [
    "admin",
    "browser",
    "fake",
    "member",
    "organization",
    "outsider",
    "own_cache",
    "playwright",
    "signed_in",
    "viewer",
]
