"""The provider of docs/adding-a-provider.md, put in place as the page says: one file, and everything works."""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from pytest_django import Settings

from byok.catalog.loading import load_packaged
from byok.catalog.offered_models import search_models
from byok.catalog.recommendations import recommended_models
from byok.checking.connection import test_ai_connection as check
from byok.checking.reports import LineState
from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.models import CatalogModel, ProviderCredential
from byok.provider_names import embedding_providers
from byok.providers import REGISTRY, Provider
from byok.providers.finding import find_providers
from byok.resolver import TenantModel, get_model_for_tenant
from byok.views.key_guess import key_prefixes, provider_of_key
from leadagent import logs
from leadagent.leads.knowledge.embedding import generate_embedding
from leadagent.tenants.models import Organization
from tests.byok.asked import Asked
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import EMBEDDINGS, OPENAI_CHAT, FakeProvider, chat, chat_async, streamed
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, fields, text, url
from tests.clients import client_of
from tests.project.files import ROOT

PAGE = ROOT / "docs/adding-a-provider.md"
KEY = "gsk_Zt6Wq1Lm8Pk3Xv5Rb0Ny2Hd7Jwxyz"
CHAT_MODEL = "openai/gpt-oss-120b"
ANSWER: dict[str, Any] = OPENAI_CHAT | {
    "model": CHAT_MODEL,
    "service_tier": "on_demand",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500, "queue_time": 0.1},
}
# https://groq.com/pricing, November 2026: $0.15 and $0.60 per million tokens.
COST = Decimal("0.00045")


def example() -> str:
    """The first Python block of the page: the whole file."""
    found = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def load(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Load a provider's file into the registry of this process."""
    path = folder / "groq.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("byok.providers.groq", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    provider: Provider = module.PROVIDER
    monkeypatch.setitem(REGISTRY, provider.id, provider)
    monkeypatch.setattr(logs, "_prefixes", set(logs._prefixes))
    monkeypatch.setattr(logs, "_further_shapes", logs._further_shapes)
    logs.know_key_prefixes(provider.key_prefixes)
    return provider


@pytest.fixture
def groq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The file of the page."""
    return load(example(), tmp_path, monkeypatch)


@pytest.fixture
def listed(groq: Provider, db: None) -> None:
    """The catalog as after `migrate`."""
    load_packaged()


@pytest.fixture
def model(groq: Provider, organization: Organization) -> TenantModel:
    save_ai_config(organization, provider="groq", chat_model=CHAT_MODEL, api_key=KEY)
    return get_model_for_tenant(organization, "chat", operation="qualification")


# --- One file is enough ---


_IN_THE_COPY = """
import io, json
import django
from django.core.management import call_command
django.setup()
from django.urls import reverse
from byok.models import AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.api import api
from leadagent.logs import scrub
told = io.StringIO()
# Raises where a migration is missing.
call_command("makemigrations", check=True, dry_run=True, stdout=told)
schemas = api.get_openapi_schema()["components"]["schemas"]
print(json.dumps({
    "file": __import__("byok").__file__,
    "registry": list(REGISTRY),
    "stored": [dict(model._meta.get_field("provider").choices).get("groq") for model in (AIConfig, ProviderCredential)],
    "api": "groq" in json.dumps(schemas["ConfigIn"]) and "groq" in json.dumps(schemas["KeyTestIn"]),
    "address": reverse("byok:catalog_model", args=["acme", "groq", "openai/gpt-oss-120b"]),
    "scrubbed": scrub("Bad key gsk_Zt6Wq1Lm8Pk3Xv5Rb0Ny2Hd7J"),
}))
"""


def test_the_file_in_its_folder_is_all_there_is_to_do(tmp_path: Path) -> None:
    for name in ("leadagent", "usage"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "byok", tmp_path / "byok", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "byok/providers/groq.py").write_text(example())
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IN_THE_COPY],
        cwd=tmp_path,
        # The history of migrations is not asked for: no database is there.
        env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told == {
        "file": str(tmp_path / "byok/__init__.py"),
        "registry": ["openrouter", "openai", "anthropic", "groq"],
        "stored": ["Groq", "Groq"],
        "api": True,
        "address": "/o/acme/models/groq/openai/gpt-oss-120b/",
        "scrubbed": "Bad key [key removed]",
    }


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("id", "Groq Cloud", "lower case letters and digits"),
        ("id", "g" * 21, "lower case letters and digits"),
        ("address", "http://api.groq.com/openai/v1", "https only"),
    ],
)
def test_a_file_that_cannot_work_keeps_the_product_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    package = f"providers_{abs(hash((name, value)))}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "groq.py").write_text(
        example().replace("PROVIDER = Groq()", f"Groq.{name} = {value!r}\nPROVIDER = Groq()")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImproperlyConfigured, match=told):
        find_providers(package, [str(folder)])


# --- Keys ---


def test_its_keys_are_known_by_their_prefix(groq: Provider) -> None:
    assert groq.check_key(KEY) == "gsk_"
    with pytest.raises(ValueError, match="Groq keys look like gsk_…"):
        groq.check_key("sk-proj-0123456789abcdef")


@pytest.mark.parametrize("around", ["{}", '"\\n{}"', "%3A{}", "key={}.", "Bearer {}"])
def test_its_keys_stay_out_of_logs(groq: Provider, around: str) -> None:
    assert KEY[6:] not in logs.scrub(around.format(KEY))


def test_words_stay_in_logs(groq: Provider) -> None:
    assert logs.scrub("gsk_ and gsk and gasket_models") == "gsk_ and gsk and gasket_models"


def test_a_test_of_its_key_asks_for_the_models(groq: Provider, fake: FakeProvider) -> None:
    fake.answer = lambda request: httpx2.Response(200, json={"data": [{"id": CHAT_MODEL}]})
    report = check("groq", KEY, chat_models=[CHAT_MODEL, "llama2-70b-4096"], embedding_model="")
    states = {line.model or line.check: line.state for line in report.lines}
    assert states["key"] == LineState.OK
    assert states[CHAT_MODEL] == LineState.OK
    assert states["llama2-70b-4096"] == LineState.FAILED
    (request,) = {str(sent.url) for sent in fake.sent}
    assert request == "https://api.groq.com/openai/v1/models"
    assert fake.sent[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_environment_moves_its_address(groq: Provider, settings: Settings) -> None:
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"groq": "https://proxy.example.org/v1"}
    assert groq.base_url == "https://proxy.example.org/v1"


# --- Calls ---


@pytest.mark.parametrize("way", ["sync", "async", "agent"])
def test_a_call_is_metered_and_priced(model: TenantModel, fake: FakeProvider, rows: Any, way: str) -> None:
    fake.answers(200, ANSWER)
    match way:
        case "sync":
            chat(model)
        case "async":
            asyncio.run(chat_async(model))
        case _:
            from pydantic_ai import Agent

            assert asyncio.run(Agent(model.model()).run("Hello")).output == "Hello"
    (request,) = fake.sent
    assert str(request.url) == "https://api.groq.com/openai/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    (row,) = rows()
    assert (row.provider, row.model, row.key_owner, row.success) == ("groq", CHAT_MODEL, "customer", True)
    assert (row.input_tokens, row.output_tokens) == (1000, 500)
    assert (row.actual_cost, row.estimated_cost) == (None, COST)


def test_a_stream_is_metered(model: TenantModel, fake: FakeProvider, rows: Any) -> None:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL}
    events = [
        head | {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]},
        head | {"choices": [], "usage": ANSWER["usage"]},
    ]
    fake.answer = lambda request: streamed(
        [*(b"data: %s\n\n" % json.dumps(event).encode() for event in events), b"data: [DONE]\n\n"]
    )
    for _ in chat(model, stream=True):
        pass
    assert fake.body["stream_options"] == {"include_usage": True}
    (row,) = rows()
    assert (row.streamed, row.input_tokens, row.output_tokens, row.estimated_cost) == (True, 1000, 500, COST)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "model_decommissioned", "model_not_found"),
        (401, "invalid_api_key", "invalid_key"),
        (413, "rate_limit_exceeded", "rate_limited"),
        (413, "", "context_too_long"),
        (498, "", "overloaded"),
        (429, "rate_limit_exceeded", "rate_limited"),
    ],
)
def test_a_refusal_is_told_in_our_words(
    model: TenantModel, fake: FakeProvider, rows: Any, status: int, code: str, kind: str
) -> None:
    fake.answers(status, {"error": {"message": f"No: {KEY}", "type": "invalid_request_error", "code": code}})
    with pytest.raises(AIError) as raised, translated("groq"):
        chat(model)
    assert raised.value.code == kind
    assert "Groq" in raised.value.sentence or kind == "context_too_long"
    assert KEY not in str(raised.value) + raised.value.detail
    (row,) = rows()
    assert (row.success, row.error_code) == (False, kind)
    assert KEY[6:] not in row.error_message


# --- Pages and API ---


def test_the_wizard_and_the_settings_offer_it(listed: None, organization: Organization) -> None:
    client = client_of(organization)
    assert "Open models that answer fast" in text(client.get(url("onboarding_ai", organization)))
    assert "Paste your Groq key" in text(client.get(url("onboarding_key", organization, "groq")))
    page = text(client.get(url("settings", organization), {"provider": "groq"}))
    assert 'value="groq"' in page
    assert "Groq API key" in page
    assert "2 chat models, no embeddings" in page
    assert f'value="{CHAT_MODEL}"' in page


def test_its_key_is_saved_in_the_settings(
    listed: None, organization: Organization, asked: Asked, fake: FakeProvider
) -> None:
    client = client_of(organization)
    sent = fields("groq", api_key=KEY, chat_model=CHAT_MODEL, embedding_provider="")
    answer = client.post(url("settings", organization), sent, headers=HTMX)
    assert answer.status_code in {200, 204, 302}, text(answer)
    stored = ProviderCredential.objects.get()
    assert (stored.provider, stored.masked[:4], stored.last4) == ("groq", "gsk_", KEY[-4:])
    assert asked.calls[0]["chat"] == [CHAT_MODEL]
    page = text(client.get(url("settings", organization)))
    assert "Groq" in page
    assert KEY not in page


def test_the_catalog_has_its_models_with_list_prices(listed: None, organization: Organization) -> None:
    row = CatalogModel.objects.get(route="groq", model_id=CHAT_MODEL)
    assert (row.input_price, row.output_price, row.context_window) == (Decimal("0.15"), Decimal("0.6"), 131072)
    assert [option.id for option in search_models("groq", "chat")] == [CHAT_MODEL, "openai/gpt-oss-20b"]
    assert {line.operation for line in recommended_models("groq")} == {"research", "qualification", "email_generation"}
    client = client_of(organization)
    assert "at Groq" in text(client.get(url("catalog", organization), {"provider": "groq"}))
    told = client.get("/api/ai-models", {"provider": "groq"}, headers={"X-Organization": organization.slug}).json()
    assert {model["id"] for model in told["data"]} == {CHAT_MODEL, "openai/gpt-oss-20b"}


def test_loading_again_without_the_file_keeps_what_was_there(listed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(REGISTRY, "groq")
    load_packaged()
    assert CatalogModel.objects.filter(route="groq").count() == 2


def test_usage_is_shown_under_its_name(
    model: TenantModel, fake: FakeProvider, rows: Any, organization: Organization
) -> None:
    fake.answers(200, ANSWER)
    chat(model)
    rows()
    assert "Groq" in text(client_of(organization).get(reverse("usage:dashboard", args=[organization.slug])))


def test_embeddings_are_refused_with_a_way_out(model: TenantModel, organization: Organization) -> None:
    with pytest.raises(AIError, match=r"Groq offers no embeddings, .*Choose OpenRouter or OpenAI"):
        get_model_for_tenant(organization, "embedding", operation="embedding")


# --- Others than Groq ---


def test_a_provider_with_embeddings_serves_the_knowledge_base(
    tmp_path: Path, organization: Organization, fake: FakeProvider, rows: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    source = example().replace("offers_embeddings = False", "offers_embeddings = True")
    source = source.replace(
        "embedding_models = ()", 'embedding_models = ("embed-1",)\n    embedding_models_path = "/models"'
    )
    load(source, tmp_path, monkeypatch)
    load_packaged()
    assert embedding_providers() == "OpenRouter, OpenAI or Groq"
    save_ai_config(organization, provider="groq", chat_model=CHAT_MODEL, api_key=KEY)
    fake.answers(200, EMBEDDINGS | {"model": "embed-1"})
    assert generate_embedding(organization, "Hello") == [0.5, -0.5]
    (row,) = rows()
    # No price list knows it: unknown, never zero.
    assert (row.operation, row.model, row.estimated_cost) == ("embedding", "embed-1", None)
    page = text(client_of(organization).get(url("settings", organization)))
    assert "2 chat models, embeddings too" in page
    assert 'value="embed-1"' in page


def test_keys_without_a_prefix_are_taken_and_make_nothing_else_look_like_one(
    tmp_path: Path, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = load(example().replace('("gsk_",)', '("",)'), tmp_path, monkeypatch)
    assert entry.check_key("0123456789abcdef") == ""
    with pytest.raises(ValueError, match="too short"):
        entry.check_key("0123456")
    assert provider_of_key("any text that is typed in") == ""
    assert "" not in dict(key_prefixes())
    assert logs.scrub("any text that is written down") == "any text that is written down"
    save_ai_config(organization, provider="groq", chat_model=CHAT_MODEL, api_key="0123456789abcdef")
    assert ProviderCredential.objects.get().masked.endswith("cdef")


def test_its_key_serves_no_other_provider(model: TenantModel, tenant: Tenant, fake: FakeProvider) -> None:
    fake.answers(200, OPENAI_CHAT)
    chat(tenant("openai"))
    assert fake.sent[-1].headers["authorization"] == f"Bearer {KEYS['openai']}"
