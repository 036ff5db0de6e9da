"""The catalog filled from the sandbox over real HTTP: its public list, once, and the models of one account."""

from collections.abc import Iterator

import httpx2
import openai
import pytest
from django.core.management import call_command
from pytest_django import Settings

from byok.catalog.own_models import sync_own_models
from byok.catalog.syncing import sync_openrouter
from byok.config.saving import save_ai_config
from byok.models import CatalogModel, ProviderCredential, SyncOutcome
from leadagent.sandbox.tuned import TUNED
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.sandbox.conftest import PREFIXES, NewKey, Sandbox


@pytest.fixture(autouse=True)
def provided_by_the_sandbox(sandbox: Sandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.PROVIDER_URLS = {wire: sandbox.base_url(wire) for wire in PREFIXES}
    with httpx2.HTTPTransport() as pool:
        monkeypatch.setattr("byok.wire._sync_pool", pool)
        yield


@pytest.fixture
def client(sandbox: Sandbox, new_key: NewKey) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=sandbox.openai_url, api_key=new_key("openai", "tuned"), max_retries=0) as made:
        yield made


@pytest.mark.parametrize("path", ["/models", "/embeddings/models"])
def test_a_list_is_not_sent_to_who_has_it(sandbox: Sandbox, new_key: NewKey, path: str) -> None:
    url, key = f"{sandbox.openrouter_url}{path}", {"authorization": f"Bearer {new_key('openrouter')}"}
    first = sandbox.http.get(url, headers=key)
    assert (first.status_code, len(first.json()["data"]) > 0) == (200, True)
    etag = first.headers["etag"]
    again = sandbox.http.get(url, headers={**key, "if-none-match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert sandbox.http.get(url, headers={**key, "if-none-match": '"other"'}).content == first.content


def test_a_tuned_model_answers_its_account_only(client: openai.OpenAI, sandbox: Sandbox, new_key: NewKey) -> None:
    assert TUNED.id in {model.id for model in client.models.list()}
    assert client.models.retrieve(TUNED.id).id == TUNED.id
    messages = [{"role": "user", "content": "hi"}]
    answer = client.chat.completions.create(model=TUNED.id, messages=messages)  # type: ignore[arg-type]
    assert answer.model == TUNED.id
    with openai.OpenAI(base_url=sandbox.openai_url, api_key=new_key("openai"), max_retries=0) as other:
        assert TUNED.id not in {model.id for model in other.models.list()}
        with pytest.raises(openai.NotFoundError):
            other.chat.completions.create(model=TUNED.id, messages=messages)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_the_demo_takes_the_list_in_once_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    known = CatalogModel.objects.filter(organization=None).count()
    first = sync_openrouter()
    # Its list of embedding models asks for a key, as documented; the public one holds them too.
    assert (first.outcome, first.removed, first.listed > 20) == (SyncOutcome.CHANGED, 0, True)
    assert CatalogModel.objects.filter(organization=None, vanished_at=None).count() >= known
    assert CatalogModel.objects.get(route="openrouter", model_id="openai/gpt-4o-mini").source == "openrouter"
    second = sync_openrouter()
    assert (second.outcome, second.etag) == (SyncOutcome.UNCHANGED, first.etag)
    call_command("sync_catalog")
    assert "OpenRouter: nothing new" in capsys.readouterr().out


@pytest.mark.django_db
def test_an_accounts_tuned_model_is_its_organisations_alone(new_key: NewKey) -> None:
    acme, other = OrganizationFactory(), OrganizationFactory()
    keys: dict[Organization, str] = {acme: new_key("openai", "tuned"), other: new_key("openai")}
    for organization, key in keys.items():
        save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini", api_key=key)
        sync_own_models(ProviderCredential.objects.get(organization=organization))
    row = CatalogModel.objects.exclude(organization=None).get()
    assert (row.organization, row.model_id, row.context_window) == (acme, TUNED.id, 128_000)
    assert not CatalogModel.objects.visible_to(other).filter(model_id=TUNED.id).exists()
    # The account's key is exchanged for one without it.
    save_ai_config(acme, provider="openai", chat_model="gpt-4o-mini", api_key=new_key("openai"))
    assert sync_own_models(ProviderCredential.objects.get(organization=acme)).removed == 1
