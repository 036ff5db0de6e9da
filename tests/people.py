"""People of one organisation, Acme: fixtures that a directory's conftest takes in by importing them."""

from collections.abc import Callable

import pytest
from django.test import Client

from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory


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
def signed_in() -> Callable[[Membership], Client]:
    """`signed_in(member)`: a browser of that person."""

    def sign_in(membership: Membership) -> Client:
        client = Client()
        client.force_login(membership.user)
        return client

    return sign_in
