"""Fine-tuned models of an organisation's own OpenAI account: its own to see, and gone when they are gone."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from django.utils import timezone

from byok.catalog.offered_models import find_model, search_models
from byok.catalog.own_models import due_own_lists, sync_due_own_models, sync_own_models
from byok.config.saving import save_ai_config
from byok.models import CatalogModel, CatalogSync, CredentialStatus, ProviderCredential, SyncOutcome
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import FakeProvider
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

TUNED = "ft:gpt-4o-mini-2024-07-18:acme:sales:8kLm"


def listing(fake: FakeProvider, *names: str, status: int = 200) -> None:
    body = {"object": "list", "data": [{"id": name, "object": "model", "created": 1} for name in names]}
    fake.answer = lambda request: httpx2.Response(status, json=body)


@pytest.fixture
def credential(organization: Organization) -> ProviderCredential:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini", api_key=KEYS["openai"])
    ProviderCredential.objects.update(status=CredentialStatus.OK)
    return ProviderCredential.objects.get()


def test_own_models_carry_the_facts_of_their_base(credential: ProviderCredential, fake: FakeProvider) -> None:
    listing(fake, "gpt-4o-mini", TUNED)
    sync = sync_own_models(credential)
    assert (sync.outcome, sync.listed) == (SyncOutcome.CHANGED, 1)
    row = CatalogModel.objects.get(organization=credential.organization)
    base = CatalogModel.objects.get(route="openai", model_id="gpt-4o-mini")
    assert (row.model_id, row.name) == (TUNED, "GPT-4o mini, fine-tuned: sales")
    assert (row.context_window, row.capabilities, row.retired_on) == (
        base.context_window,
        base.capabilities,
        base.retired_on,
    )
    # Tuned ones have a price of their own: https://openai.com/api/pricing ($0.30 and $1.20 in November 2026).
    assert (row.input_price, row.output_price) == (Decimal("0.3"), Decimal("1.2"))


def test_nobody_else_sees_them(credential: ProviderCredential, fake: FakeProvider) -> None:
    listing(fake, TUNED)
    sync_own_models(credential)
    owner, other = credential.organization, OrganizationFactory()
    assert [option.id for option in search_models("openai", "chat", "sales", organization=owner)] == [TUNED]
    assert search_models("openai", "chat", "sales", organization=other) == []
    assert find_model("openai", "chat", TUNED, organization=owner) is not None
    assert find_model("openai", "chat", TUNED, organization=other) is None
    assert find_model("openai", "chat", TUNED) is None


def test_what_is_gone_from_the_account_is_no_longer_offered(credential: ProviderCredential, fake: FakeProvider) -> None:
    listing(fake, TUNED)
    sync_own_models(credential)
    listing(fake, "gpt-4o-mini")
    assert sync_own_models(credential).removed == 1
    assert search_models("openai", "chat", "sales", organization=credential.organization) == []
    assert CatalogModel.objects.get(model_id=TUNED).vanished_at is not None


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_refusal_changes_nothing(credential: ProviderCredential, fake: FakeProvider, status: int) -> None:
    listing(fake, TUNED)
    sync_own_models(credential)
    listing(fake, status=status)
    sync = sync_own_models(credential)
    assert sync.outcome == SyncOutcome.FAILED
    assert KEYS["openai"] not in sync.error
    assert CatalogModel.objects.get(model_id=TUNED).vanished_at is None


def test_no_list_is_no_empty_list(credential: ProviderCredential, fake: FakeProvider) -> None:
    listing(fake, TUNED)
    sync_own_models(credential)
    fake.answer = lambda request: httpx2.Response(200, content=b"<html>")
    assert sync_own_models(credential).outcome == SyncOutcome.FAILED
    assert CatalogModel.objects.get(model_id=TUNED).vanished_at is None


def test_a_key_that_does_not_open_is_told(credential: ProviderCredential, fake: FakeProvider) -> None:
    ProviderCredential.objects.update(sealed_key="v1:00000000:AAAA:AAAA")
    credential.refresh_from_db()
    assert sync_own_models(credential).outcome == SyncOutcome.FAILED
    assert fake.sent == []


def test_accounts_are_looked_at_daily_and_when_their_key_is_new(
    credential: ProviderCredential, fake: FakeProvider, settings: Any
) -> None:
    listing(fake, TUNED)
    assert sync_due_own_models() == 1
    assert sync_due_own_models() == 0
    ProviderCredential.objects.update(saved_at=timezone.now())
    assert [row.pk for row in due_own_lists()] == [credential.pk]
    assert sync_due_own_models() == 1
    CatalogSync.objects.filter(source="openai").update(started_at=timezone.now() - timedelta(days=2))
    settings.BYOK_ENABLED = False
    assert sync_due_own_models() == 0
    settings.BYOK_ENABLED = True
    ProviderCredential.objects.update(status=CredentialStatus.REJECTED)
    assert sync_due_own_models() == 0
