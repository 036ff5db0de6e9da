"""People around one organisation: admin, member, viewer, and an outsider who has another one."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory


@pytest.fixture(autouse=True)
def own_cache(settings: Settings) -> None:
    """allauth's limits count in the cache: every test starts at zero, and Redis is left alone."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tenants"}}
    cache.clear()


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory(name="Acme", slug="acme")


@pytest.fixture
def admin(organization: Organization) -> Membership:
    return MembershipFactory(organization=organization, user__email="admin@acme.test", role=Role.ADMIN)


@pytest.fixture
def member(organization: Organization) -> Membership:
    return MembershipFactory(organization=organization, user__email="member@acme.test", role=Role.MEMBER)


@pytest.fixture
def viewer(organization: Organization) -> Membership:
    return MembershipFactory(organization=organization, user__email="viewer@acme.test", role=Role.VIEWER)


@pytest.fixture
def outsider(db: None) -> Membership:
    """Admin of another organisation, Globex."""
    return MembershipFactory(
        organization__name="Globex", organization__slug="globex", user__email="outsider@globex.test", role=Role.ADMIN
    )


@pytest.fixture
def signed_in() -> Callable[[Membership], Client]:
    """`signed_in(admin)`: a browser of that person."""

    def sign_in(membership: Membership) -> Client:
        client = Client()
        client.force_login(membership.user)
        return client

    return sign_in
