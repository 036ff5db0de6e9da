"""The people of tests/tenants and the browser of tests/look, for tests that go across the whole product."""

from tests.look.conftest import browser, playwright
from tests.tenants.conftest import admin, member, organization, outsider, own_cache, signed_in, viewer

__all__ = [
    "admin",
    "browser",
    "member",
    "organization",
    "outsider",
    "own_cache",
    "playwright",
    "signed_in",
    "viewer",
]
