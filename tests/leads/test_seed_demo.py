"""The demo data is whole, can be made again, and is never made in production."""

from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from byok.config.ai_config import get_ai_config
from leadagent.leads.demo_leads import DEMO_LEADS
from leadagent.leads.models import EmailDraft, Lead, RunStatus, WorkflowRun
from leadagent.leads.running.reasons import Evidence
from leadagent.leads.running.workflow import take_due_runs
from leadagent.tenants.models import Membership, Organization, User
from tests.leads.conftest import FakeProvider

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def password(settings: Settings) -> None:
    settings.DEMO_PASSWORD = "a-demo-password"


def seed() -> None:
    call_command("seed_demo", stdout=StringIO())


def test_people_roles_and_logins(settings: Settings) -> None:
    seed()

    roles = dict(Membership.objects.filter(organization__slug="acme").values_list("user__email", "role"))
    assert roles == {"admin@demo.test": "admin", "member@demo.test": "member", "viewer@demo.test": "viewer"}
    for email in (*roles, "support@demo.test"):
        user = User.objects.get(email=email)
        assert user.check_password("a-demo-password")
        assert user.is_staff is (email == "support@demo.test")
        assert not user.is_superuser
        assert EmailAddress.objects.get(user=user).verified


def test_twice_is_once_and_a_new_password_holds(settings: Settings) -> None:
    seed()
    before = (User.objects.count(), Lead.objects.count(), WorkflowRun.objects.count(), EmailDraft.objects.count())
    Lead.objects.filter(idempotency_key="demo-review").update(status="closed")

    settings.DEMO_PASSWORD = "another-password"
    seed()

    after = (User.objects.count(), Lead.objects.count(), WorkflowRun.objects.count(), EmailDraft.objects.count())
    assert after == before
    assert Lead.objects.get(idempotency_key="demo-review").status == "closed", "what people did is kept"
    assert User.objects.get(email="admin@demo.test").check_password("another-password")


def test_the_configuration_uses_the_sandbox_key() -> None:
    seed()

    config = get_ai_config(Organization.objects.get(slug="acme"))

    assert (config.provider, config.embedding_provider) == ("openrouter", "openrouter")
    assert config.is_customer_key
    assert config.credential is not None


def test_leads_show_on_every_page_and_no_worker_has_to_do_anything(provider: FakeProvider) -> None:
    seed()
    client = Client()
    client.force_login(User.objects.get(email="member@demo.test"))

    listed = client.get("/o/acme/leads/").content.decode()
    for lead in Lead.objects.all():
        assert lead.name in listed
        assert client.get(f"/o/acme/leads/{lead.pk}/").status_code == 200
    assert Lead.objects.count() == len(DEMO_LEADS)
    assert WorkflowRun.objects.filter(status=RunStatus.AWAITING_REVIEW).count() == 1
    assert take_due_runs() == []
    assert provider.calls == []


@pytest.mark.parametrize(("mode", "password"), [("production", "a-demo-password"), ("demo", "")])
def test_it_refuses_in_production_and_without_a_password(settings: Settings, mode: str, password: str) -> None:
    settings.MODE = mode
    settings.DEMO_PASSWORD = password

    with pytest.raises(CommandError):
        seed()

    assert not User.objects.exists()


def test_what_the_demo_quotes_stands_where_it_says() -> None:
    judged = [demo for demo in DEMO_LEADS if demo.category]
    assert judged
    for demo in judged:
        assert demo.reasons
        assert Evidence(demo.report, demo.message).checked(demo.reasons) == demo.reasons
