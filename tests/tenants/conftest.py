"""People around one organisation: admin, member, viewer, and an outsider who has another one."""

import pytest
from django.core.cache import cache
from pytest_django import Settings

from leadagent.tenants.models import Membership, Role
from tests.factories import MembershipFactory
from tests.people import admin, member, organization, signed_in, viewer

__all__ = ["admin", "member", "organization", "signed_in", "viewer"]


@pytest.fixture(autouse=True)
def own_cache(settings: Settings) -> None:
    """allauth's limits count in the cache: every test starts at zero, and Redis is left alone."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tenants"}}
    cache.clear()


@pytest.fixture
def outsider(db: None) -> Membership:
    """Admin of another organisation, Globex."""
    return MembershipFactory(
        organization__name="Globex", organization__slug="globex", user__email="outsider@globex.test", role=Role.ADMIN
    )
