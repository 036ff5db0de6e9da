"""The product against aimock, which stands where the providers stand; one process per provider, each with its key."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import pytest
from pytest_django import Settings

from byok import wire
from byok.config.saving import save_ai_config
from leadagent.leads.models import Lead
from leadagent.tenants.models import Organization
from tests.byok.conftest import nothing_held, organization, own_places, pool_closed_before_the_database_goes, rows
from tests.leads.factories import LeadFactory
from tests.usage.one_connection import lead_over_test_connection
from tests.wire.models import CHAT_MODELS, EMBEDDING_PROVIDERS
from tests.wire.provider import Aimock, running

__all__ = ["nothing_held", "organization", "own_places", "pool_closed_before_the_database_goes", "rows"]

Started = Callable[[str], Aimock]


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`started("openai")`: that provider, started when it is first asked for."""
    with ExitStack() as stack:
        made: dict[str, Aimock] = {}

        def start(provider: str) -> Aimock:
            if provider not in made:
                made[provider] = stack.enter_context(running(provider, tmp_path_factory.mktemp(f"aimock-{provider}")))
            return made[provider]

        yield start


@pytest.fixture(params=CHAT_MODELS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mock(started: Started, provider: str, settings: Settings, own_places: None) -> Aimock:
    """The provider of this test, and no way to another one."""
    made = started(provider)
    made.forget()
    # Nobody listens there.
    settings.PROVIDER_URLS = dict.fromkeys(CHAT_MODELS, "http://127.0.0.1:1/v1") | {provider: made.base_url}
    # Nothing stands in for a provider that fails.
    settings.PLATFORM_KEYS = dict.fromkeys(CHAT_MODELS, "")
    return made


@pytest.fixture
def accounting(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is used is written over the test's own connection, and vanishes with it."""
    lead_over_test_connection(monkeypatch)


@pytest.fixture
def tenant(mock: Aimock, organization: Organization, accounting: None) -> Organization:
    """Acme with its own key at the provider."""
    save_ai_config(
        organization,
        provider=mock.provider,
        api_key=mock.key,
        chat_model=CHAT_MODELS[mock.provider],
        embedding_provider=EMBEDDING_PROVIDERS[mock.provider],
        openrouter_site_url="https://acme.test",
        openrouter_site_name="Acme",
    )
    return organization


@pytest.fixture
def lead(tenant: Organization) -> Lead:
    return LeadFactory(organization=tenant, name="Ann Smith", email="ann@gears.example")


@pytest.fixture(autouse=True)
def own_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections to the providers that end with the test."""
    with httpx2.HTTPTransport() as pool:
        monkeypatch.setattr("byok.wire._sync_pool", pool)
        yield
    # Agents run on the process's loop, which goes on.
    for loop, opened in list(wire._async_pools.items()):
        asyncio.run_coroutine_threadsafe(opened.aclose(), loop).result(10)
        del wire._async_pools[loop]
