"""Other models saved with the key that is stored: what people are told is about the models, not about a new key."""

import pytest
from django.test import Client

from byok.checking.reports import LineState
from byok.models import AIConfig
from leadagent.tenants.models import Organization
from tests.byok.asked import Asked
from tests.byok.pages import fields, text, url
from tests.clients import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(organization: Organization, asked: Asked) -> Client:
    client = client_of(organization)
    client.post(url("settings", organization), fields(), follow=True)
    return client


def test_a_provider_that_could_not_be_asked_about_them(
    organization: Organization, client: Client, asked: Asked
) -> None:
    asked.states["gpt-5"] = LineState.UNKNOWN
    changed = fields(api_key="", chat_model="gpt-5", version=1)
    page = text(client.post(url("settings", organization), changed, follow=True))
    assert AIConfig.objects.get().chat_model == "gpt-5"
    assert "The key is saved without a test" not in page
    assert "The models could not be tested with the stored key" in page


def test_a_key_that_is_refused_by_now(organization: Organization, client: Client, asked: Asked) -> None:
    asked.states |= {"key": LineState.FAILED, "gpt-5": LineState.UNKNOWN}
    changed = fields(api_key="", chat_model="gpt-5", version=1)
    page = text(client.post(url("settings", organization), changed, follow=True))
    assert "The key is saved without a test" not in page
    assert "The stored key no longer works: Key line." in page
