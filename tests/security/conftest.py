"""The people of tests/tenants, the provider of tests/byok, the browser of tests/look: for tests across the product."""

from tests.byok.conftest import fake
from tests.look.conftest import browser, playwright
from tests.tenants.conftest import admin, member, organization, outsider, own_cache, signed_in, viewer

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
