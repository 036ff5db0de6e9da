"""The front page, the list of organisations, and making one."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from leadagent.tenants import onboarding
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory

SignIn = Callable[[Membership], Client]


def test_signed_out_it_says_what_this_is(client: Client, db: None) -> None:
    response = client.get(reverse("home"))
    assert response.status_code == 200
    page = response.content.decode()
    assert reverse("account_signup") in page
    assert reverse("account_login") in page


def test_with_one_organisation_it_goes_there(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).get(reverse("home"))
    assert response.headers["Location"] == reverse("leads:list", args=["acme"])


def test_the_bare_address_of_an_organisation_leads_to_its_work(
    admin: Membership, outsider: Membership, signed_in: SignIn
) -> None:
    assert signed_in(admin).get("/o/acme/").headers["Location"] == reverse("leads:list", args=["acme"])
    assert signed_in(outsider).get("/o/acme/").status_code == 404


def test_with_several_it_asks(admin: Membership, signed_in: SignIn) -> None:
    MembershipFactory(user=admin.user, organization__name="Globex", organization__slug="globex")
    page = signed_in(admin).get(reverse("home")).content.decode()
    assert reverse("leads:list", args=["acme"]) in page
    assert reverse("leads:list", args=["globex"]) in page


def test_with_none_it_leads_to_making_one(client: Client, db: None) -> None:
    client.force_login(UserFactory())
    assert client.get(reverse("home")).headers["Location"] == reverse("tenants:create")


def test_the_list_shows_ones_own_only(admin: Membership, outsider: Membership, signed_in: SignIn) -> None:
    page = signed_in(admin).get(reverse("tenants:organizations")).content.decode()
    assert "Acme" in page
    assert "Globex" not in page
    assert Client().get(reverse("tenants:organizations")).headers["Location"].startswith(reverse("account_login"))


def test_the_list_costs_the_same_for_one_and_for_many(
    admin: Membership, signed_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(admin)
    # Session, user, memberships, verified addresses, invitations.
    with django_assert_num_queries(5):
        client.get(reverse("tenants:organizations"))
    MembershipFactory(user=admin.user)
    MembershipFactory(user=admin.user)
    with django_assert_num_queries(5):
        client.get(reverse("tenants:organizations"))


# --- Making one ---------------------------------------------------------------------


@pytest.fixture
def newcomer(client: Client, db: None) -> Client:
    client.force_login(UserFactory(email="new@example.test"))
    return client


def test_the_creator_becomes_admin_and_goes_on_to_choose_the_ai(newcomer: Client) -> None:
    page = newcomer.get(reverse("tenants:create"))
    assert page.status_code == 200
    assert 'aria-current="step"' in page.content.decode()
    response = newcomer.post(reverse("tenants:create"), {"name": "  Acme & Söhne ", "slug": ""})

    organization = Organization.objects.get()
    assert (organization.name, organization.slug) == ("Acme & Söhne", "acme-sohne")
    assert response.headers["Location"] == reverse("byok:onboarding_ai", args=["acme-sohne"])
    membership = organization.memberships.get()
    assert (membership.user.email, membership.role) == ("new@example.test", Role.ADMIN)
    event = AuditEvent.objects.get()
    assert (event.action, event.organization, event.actor) == ("organization.created", organization, membership.user)


def test_a_taken_address_comes_back_with_a_free_one(newcomer: Client) -> None:
    OrganizationFactory(slug="acme")
    OrganizationFactory(slug="acme-team")
    response = newcomer.post(reverse("tenants:create"), {"name": "Acme", "slug": "acme"})
    assert response.status_code == 422
    [error] = response.context["form"].errors["slug"]
    assert error == "“acme” is taken. acme-hq is free and filled in here. Also free: acme-2, acme-3."
    page = response.content.decode()
    assert 'value="acme-hq"' in page
    assert 'value="Acme"' in page


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": "", "slug": ""}, "name"),
        ({"name": "Admin", "slug": ""}, "slug"),
        ({"name": "Acme", "slug": "api"}, "slug"),
        ({"name": "日本", "slug": ""}, "slug"),
        ({"name": "Acme", "slug": "not an address"}, "slug"),
        ({"name": "Acme\nBcc: x@y.test", "slug": "acme"}, "name"),
    ],
)
def test_what_will_not_do_is_said_at_its_field(newcomer: Client, data: dict[str, str], field: str) -> None:
    response = newcomer.post(reverse("tenants:create"), data)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Organization.objects.exists()


def test_nobody_makes_them_without_end(newcomer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onboarding, "MAX_CREATED_PER_DAY", 1)
    newcomer.post(reverse("tenants:create"), {"name": "First", "slug": ""})
    response = newcomer.post(reverse("tenants:create"), {"name": "Second", "slug": ""})
    assert response.status_code == 422
    assert "Try again tomorrow" in response.content.decode()
    assert Organization.objects.get().name == "First"


def test_signed_out_one_signs_in_first() -> None:
    response = Client().post(reverse("tenants:create"), {"name": "Acme"})
    assert response.headers["Location"].startswith(reverse("account_login"))


@pytest.mark.django_db
def test_support_without_an_organisation_goes_to_its_own_place() -> None:
    support = UserFactory(is_staff=True)
    client = Client()
    client.force_login(support)
    assert client.get(reverse("home")).headers["Location"] == reverse("admin:index")
