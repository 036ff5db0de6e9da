"""Somebody signed in."""

from django.test import Client

from leadagent.tenants.models import Organization, Role
from tests.factories import MembershipFactory


def client_of(organization: Organization, role: Role = Role.ADMIN) -> Client:
    """A new member of the organisation."""
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=role).user)
    return client
