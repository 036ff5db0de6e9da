"""The people of tests/tenants, the provider of tests/byok, the browser of tests/look: for tests across the product."""

from tests.byok.conftest import fake, one_connection
from tests.look.conftest import browser, playwright
from tests.tenants.conftest import admin, member, organization, outsider, own_cache, signed_in, viewer

__all__ = [
    "admin",
    "browser",
    "fake",
    "member",
    "one_connection",
    "organization",
    "outsider",
    "own_cache",
    "playwright",
    "signed_in",
    "viewer",
]
