"""Organisations with keys, and a provider that answers as a test wants it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.keys import credentials
from byok.models import CatalogModel
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.asked import Asked
from tests.byok.fake_provider import MODELS, FakeProvider
from tests.byok.keys import KEYS, PLATFORM_KEY
from tests.byok.old_system import NAME, OLD_SECRET
from tests.byok.scripted_provider import Script, Scripted
from tests.factories import OrganizationFactory
from tests.usage.conftest import nothing_held, pool_closed_before_the_database_goes
from usage.ledger import ingest
from usage.models import AIUsage

# Fixtures that this package shares with others.
__all__ = ["nothing_held", "pool_closed_before_the_database_goes"]

Rows = Callable[[], list[AIUsage]]


@pytest.fixture(autouse=True)
def own_places(settings: Settings, tmp_path: Path) -> None:
    """A spool of the test's own, a known platform key, and no Redis."""
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "byok"}}
    settings.PLATFORM_PROVIDER = "openai"
    settings.PLATFORM_KEYS = {"openai": PLATFORM_KEY, "anthropic": "", "openrouter": ""}
    settings.PROVIDER_URLS = {
        "openrouter": "https://openrouter.ai/api/v1",
        "openai": "https://api.openai.com/v1",
        "anthropic": "https://api.anthropic.com",
    }
    cache.clear()
    credentials._last_noted.clear()


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory(name="Acme", slug="acme")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    provider = FakeProvider()
    monkeypatch.setattr("byok.wire._sync_pool", provider)
    monkeypatch.setattr("byok.wire.shared_async_pool", lambda: provider)
    return provider


@pytest.fixture
def script(fake: FakeProvider) -> Script:
    """`script("openai")` answers in OpenAI's place."""
    return lambda provider: Scripted(fake, provider)


Tenant = Callable[..., TenantModel]


@pytest.fixture
def tenant(organization: Organization) -> Tenant:
    """`tenant("openai")`: Acme with its own key there, as a chat model; keywords go to `get_model_for_tenant`."""

    def make(provider: str, kind: Any = "chat", **more: Any) -> TenantModel:
        save_ai_config(organization, provider=provider, chat_model=MODELS[provider], api_key=KEYS[provider])
        return get_model_for_tenant(organization, kind, **{"operation": "qualification"} | more)

    return make


@pytest.fixture
def rows(db: None) -> Rows:
    """All usage rows, after draining the inbox."""

    def drained() -> list[AIUsage]:
        ingest.drain()
        return list(AIUsage.objects.order_by("id"))

    return drained


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Key tests of new keys end here instead of at a provider."""
    made = Asked()
    monkeypatch.setattr("byok.checking.proving.test_ai_connection", made)
    return made


@pytest.fixture
def old_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the system that tenants are brought over from, in its variable."""
    monkeypatch.setenv(NAME, OLD_SECRET)


@pytest.fixture
def written(old_secret: None, tmp_path: Path) -> Any:
    """`written(tenant(1), …)`: the path of a file with these tenants."""

    def write(*tenants: Any) -> str:
        path = tmp_path / "tenants.json"
        path.write_text(json.dumps(tenants))
        return str(path)

    return write


@pytest.fixture
def empty_catalog(db: None) -> None:
    """No model but those that the test adds: migrations have loaded the packaged ones."""
    CatalogModel.objects.all().delete()
