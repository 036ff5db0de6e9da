"""What leaves for a provider: the right key to the right place, or nothing."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from django.db import connections
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.models import ProviderCredential
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import CHAT, EMBEDDINGS, MODELS, OPENAI_CHAT, FakeProvider, chat, chat_async
from tests.byok.keys import KEYS, PLATFORM_KEY
from tests.factories import OrganizationFactory
from tests.usage.one_connection import put_postgresql_away
from usage.models import AIUsage, FreeTierMonth, UsageInbox

pytestmark = pytest.mark.django_db

WIRES = pytest.mark.parametrize("provider", KEYS)
Rows = Callable[[], list[AIUsage]]


def refused(call: Callable[[], Any], provider: str) -> str:
    """The code of the error that a call ends with."""
    with pytest.raises(AIError) as raised, translated(provider):
        call()
    return raised.value.code


@pytest.fixture
def platform(organization: Organization) -> Organization:
    """An organisation on the platform's default."""
    save_ai_config(organization, provider="platform_default")
    return organization


# --- The key and its headers ---


@WIRES
@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_tenants_key_arrives_in_its_header_and_in_no_other(
    tenant: Tenant, fake: FakeProvider, provider: str, way: str
) -> None:
    fake.answers(200, CHAT[provider])
    model = tenant(provider)
    if way == "sync":
        chat(model)
    else:
        asyncio.run(chat_async(model))
    (request,) = fake.sent
    carrying = {name: value for name, value in request.headers.items() if KEYS[provider] in value}
    expected = (
        {"x-api-key": KEYS[provider]} if provider == "anthropic" else {"authorization": f"Bearer {KEYS[provider]}"}
    )
    assert carrying == expected
    assert not {"authorization", "x-api-key"} - carrying.keys() & request.headers.keys()
    assert KEYS[provider].encode() not in request.content
    assert KEYS[provider] not in str(request.url)
    assert "held-by-leadagent" not in str(request.headers.multi_items())


def test_attribution_is_sent_to_openrouter_only(
    organization: Organization, tenant: Tenant, fake: FakeProvider, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://leads.example.test"
    fake.answers(200, OPENAI_CHAT)
    model = tenant("openrouter")
    chat(model)
    assert (fake.sent[-1].headers["http-referer"], fake.sent[-1].headers["x-title"]) == (
        "https://leads.example.test",
        settings.PRODUCT_NAME,
    )
    save_ai_config(
        organization,
        provider="openrouter",
        chat_model=MODELS["openrouter"],
        openrouter_site_url="https://acme.test",
        openrouter_site_name="Acme",
    )
    chat(get_model_for_tenant(organization, "chat", operation="research"))
    assert (fake.sent[-1].headers["http-referer"], fake.sent[-1].headers["x-title"]) == ("https://acme.test", "Acme")
    chat(tenant("openai"))
    assert not {"http-referer", "x-title"} & fake.sent[-1].headers.keys()


@WIRES
def test_the_environment_of_the_sdks_is_ignored(
    tenant: Tenant, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    stray = {
        "OPENAI_API_KEY": "sk-stray",
        "OPENAI_BASE_URL": "https://stray.test/v1",
        "OPENAI_ORG_ID": "org-stray",
        "OPENAI_PROJECT_ID": "proj-stray",
        "OPENAI_ADMIN_KEY": "sk-admin-stray",
        "ANTHROPIC_API_KEY": "sk-stray",
        "ANTHROPIC_AUTH_TOKEN": "stray",
        "ANTHROPIC_BASE_URL": "https://stray.test",
        "OPENROUTER_API_KEY": "sk-stray",
        "HTTPS_PROXY": "http://stray.test:1",
        "ALL_PROXY": "http://stray.test:1",
    }
    for name, value in stray.items():
        monkeypatch.setitem(os.environ, name, value)
    fake.answers(200, CHAT[provider])
    chat(tenant(provider))
    (request,) = fake.sent
    assert "stray" not in str(request.url)
    assert "stray" not in str(request.headers.multi_items())
    assert not {"openai-organization", "openai-project"} & request.headers.keys()


def test_the_process_has_no_sdk_names_left() -> None:
    assert not [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_", "OPENROUTER_"))]


def test_one_tenants_cookies_never_go_out_with_another(
    organization: Organization, tenant: Tenant, fake: FakeProvider
) -> None:
    fake.answers(200, OPENAI_CHAT, set_cookie="session=acme; Path=/")
    first = tenant("openai")
    client = first.client()
    answer: Any = client.with_options().chat.completions.with_raw_response.create(  # type: ignore[union-attr]
        model="gpt-4o-mini", messages=[]
    )
    assert "set-cookie" not in answer.headers
    chat(first)
    other = OrganizationFactory()
    save_ai_config(other, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"][:-4] + "abcd")
    chat(get_model_for_tenant(other, "chat", operation="research"))
    assert len(fake.sent) == 3
    assert all("cookie" not in request.headers for request in fake.sent)


# --- The destination ---


@WIRES
def test_redirects_are_not_followed(tenant: Tenant, fake: FakeProvider, provider: str) -> None:
    fake.answers(302, {}, location="https://stray.test/v1/chat/completions")
    assert refused(lambda: chat(tenant(provider)), provider) == "bad_response"
    assert len(fake.sent) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://stray.test/v1/chat/completions",
        "http://api.openai.com/v1/chat/completions",
        "https://api.openai.com:8443/v1/chat/completions",
        "https://api.openai.com.stray.test/v1/chat/completions",
        "https://api.openai.com/v2/chat/completions",
        "https://api.openai.com/v1evil/chat/completions",
        "https://api.openai.com/v1/../../evil",
        "https://api.openai.com/v1/%2e%2e/evil",
    ],
)
def test_another_destination_gets_nothing(tenant: Tenant, fake: FakeProvider, rows: Rows, url: str) -> None:
    client: Any = tenant("openai").client()

    def call() -> None:
        client.with_options(base_url="https://api.openai.com/v1").post(url, body={}, cast_to=object)

    assert refused(call, "openai") == "wrong_destination"
    assert fake.sent == []
    assert not UsageInbox.objects.exists()
    assert rows() == []


# --- No key, no call ---


@WIRES
@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_unreadable_key_is_told_and_no_other_takes_its_place(
    tenant: Tenant, fake: FakeProvider, rows: Rows, settings: Settings, provider: str, way: str
) -> None:
    settings.PLATFORM_KEYS = dict.fromkeys(KEYS, PLATFORM_KEY)
    model = tenant(provider)
    settings.ENCRYPTION_SECRET = "0123456789abcdef" * 4
    call = (lambda: chat(model)) if way == "sync" else (lambda: asyncio.run(chat_async(model)))
    assert refused(call, provider) == "key_unreadable"
    assert fake.sent == []
    assert rows() == []
    assert not FreeTierMonth.objects.exists()


@WIRES
def test_a_missing_key_is_told_and_no_other_takes_its_place(
    organization: Organization, tenant: Tenant, fake: FakeProvider, settings: Settings, provider: str
) -> None:
    settings.PLATFORM_KEYS = dict.fromkeys(KEYS, PLATFORM_KEY)
    tenant(provider)
    ProviderCredential.objects.all().delete()
    assert refused(lambda: get_model_for_tenant(organization, "chat", operation="x"), provider) == "config_missing"
    assert fake.sent == []


def test_a_platform_key_that_is_gone_is_told(platform: Organization, fake: FakeProvider, settings: Settings) -> None:
    model = get_model_for_tenant(platform, "chat", operation="x")
    settings.PLATFORM_KEYS = {"openai": ""}
    assert refused(lambda: chat(model), "openai") == "config_missing"
    assert fake.sent == []
    assert not FreeTierMonth.objects.exists()


# --- The free tier ---


def used() -> int:
    return sum(FreeTierMonth.objects.values_list("used", flat=True))


def test_the_platforms_key_serves_the_default_up_to_the_limit(
    platform: Organization, fake: FakeProvider, rows: Rows, settings: Settings
) -> None:
    settings.FREE_TIER_REQUESTS = 50
    fake.answers(200, OPENAI_CHAT)
    model = get_model_for_tenant(platform, "chat", operation="qualification")
    client: Any = model.client()
    for _ in range(50):
        client.chat.completions.create(model=model.model_id, messages=[])
    assert {request.headers["authorization"] for request in fake.sent} == {f"Bearer {PLATFORM_KEY}"}
    assert refused(lambda: chat(model), "openai") == "quota_exhausted"
    assert refused(lambda: asyncio.run(chat_async(model)), "openai") == "quota_exhausted"
    assert len(fake.sent) == 50
    assert used() == 50
    assert [row.key_owner for row in rows()] == ["platform"] * 50


@WIRES
def test_the_customers_calls_never_touch_the_free_tier(
    tenant: Tenant, fake: FakeProvider, settings: Settings, provider: str
) -> None:
    settings.FREE_TIER_REQUESTS = 0
    fake.answers(200, CHAT[provider])
    chat(tenant(provider))
    assert not FreeTierMonth.objects.exists()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (httpx2.Response(200, json=OPENAI_CHAT), 1),
        (httpx2.Response(401, json={"error": {"message": "no"}}), 0),
        (httpx2.Response(503), 0),
        (httpx2.ConnectError("refused"), 0),
        (httpx2.ConnectTimeout("slow"), 0),
        # The request may have been billed.
        (httpx2.ReadTimeout("slow"), 1),
        (httpx2.ReadError("reset"), 1),
        (RuntimeError("of the transport"), 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_only_what_cannot_have_been_billed_is_given_back(
    platform: Organization, fake: FakeProvider, answer: Any, kept: int, way: str
) -> None:
    fake.answer = lambda request: answer
    model = get_model_for_tenant(platform, "chat", operation="x")
    try:
        with translated("openai"):
            _ = chat(model) if way == "sync" else asyncio.run(chat_async(model))
    except AIError:
        assert answer.__class__ is not httpx2.Response or answer.status_code != 200
    assert len(fake.sent) == 1
    assert used() == kept


def test_what_cannot_be_counted_is_not_sent_but_own_keys_go_on(
    organization: Organization, tenant: Tenant, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers(200, OPENAI_CHAT)
    own = tenant("openai")
    other = OrganizationFactory()
    model = get_model_for_tenant(other, "chat", operation="x")
    put_postgresql_away(monkeypatch)
    assert refused(lambda: chat(model), "openai") == "quota_unavailable"
    assert fake.sent == []
    chat(own)
    assert len(fake.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_sixty_calls_at_once_send_exactly_the_limit(
    fake: FakeProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.byok.fake_provider import arguments

    monkeypatch.undo()
    monkeypatch.setattr("byok.wire._sync_pool", fake)
    settings.FREE_TIER_REQUESTS = 50
    fake.answers(200, EMBEDDINGS)
    model = get_model_for_tenant(OrganizationFactory(), "chat", operation="x")
    client: Any = model.client()

    def call(_: int) -> str:
        try:
            with translated("openai"):
                client.with_options(max_retries=0).chat.completions.create(**arguments(model))
        except AIError as error:
            return error.code
        finally:
            connections.close_all()
        return "sent"

    with ThreadPoolExecutor(60) as threads:
        outcomes = list(threads.map(call, range(60)))
    assert sorted(outcomes) == ["quota_exhausted"] * 10 + ["sent"] * 50
    assert len(fake.sent) == 50
    assert UsageInbox.objects.filter(kind="finished").count() == 50
