"""Changing the embedding model: the old vectors serve until the new ones are all there, and nothing is paid twice."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from byok.errors import AIError
from byok.models import AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.leads import tasks
from leadagent.leads.knowledge import add_document_to_knowledge_base, search_knowledge_base
from leadagent.leads.knowledge.documents import replace_document
from leadagent.leads.knowledge.indexing import CLAIM_LOST_AFTER, LOOK_AGAIN_AFTER, index_document
from leadagent.leads.knowledge.model_change import (
    cancel_reembedding,
    follow_configuration,
    progress_of,
    resume_reembedding,
    take_unlooked,
)
from leadagent.leads.knowledge.reembedding import reembed, take_due_changes
from leadagent.leads.models import ChunkVector, Document, KnowledgeIndex, ReembeddingState
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory

pytestmark = pytest.mark.django_db

SMALL, LARGE = "text-embedding-3-small", "text-embedding-3-large"
MOST = REGISTRY["openai"].embedding_batch.inputs


def choose(organization: Organization, model: str, provider: str = "openai") -> None:
    AIConfig.objects.update_or_create(
        organization=organization,
        defaults={
            "provider": provider or "anthropic",
            "chat_model": "gpt",
            "embedding_provider": provider,
            "embedding_model": model,
        },
    )


def add(organization: Organization, title: str, content: str = "price") -> Document:
    document = add_document_to_knowledge_base(organization, title, content)
    index_document(document.pk)
    return document


def titles(organization: Organization) -> list[str]:
    return sorted(passage.title for passage in search_knowledge_base(organization, "price", top=50))


def models(organization: Organization) -> dict[str, int]:
    rows = organization.chunk_vectors.values_list("model", flat=True)
    return {model: list(rows).count(model) for model in set(rows)}


def index(organization: Organization) -> KnowledgeIndex:
    return KnowledgeIndex.objects.get(organization=organization)


@pytest.fixture
def embedded(provider: FakeProvider) -> list[tuple[str, str]]:
    """(model, text) of everything that was paid for. Models differ in their dimension."""
    paid: list[tuple[str, str]] = []
    resolve = provider.get_model_for_tenant

    def by_dimension(*args: Any, **kwargs: Any) -> Any:
        model = resolve(*args, **kwargs)

        def embed(texts: list[str]) -> list[list[float]]:
            paid.extend((model.model_id, text) for text in texts)
            return [[1.0, 2.0, 3.0] if model.model_id == LARGE else [1.0, 2.0] for _ in texts]

        provider.embed = embed
        return model

    provider.get_model_for_tenant = by_dimension  # type: ignore[method-assign]
    return paid


@pytest.fixture
def knowing(organization: Organization, embedded: list[Any], provider: FakeProvider, monkeypatch: Any) -> Organization:
    """Acme with two documents by the small model, and the large one chosen."""
    monkeypatch.setattr("byok.resolver.get_model_for_tenant", provider.get_model_for_tenant)
    choose(organization, SMALL)
    add(organization, "One")
    add(organization, "Two")
    choose(organization, LARGE)
    embedded.clear()
    return organization


def test_the_old_model_serves_until_all_is_there(knowing: Organization, embedded: list[tuple[str, str]]) -> None:
    foreign = DocumentFactory().organization
    assert follow_configuration(knowing)
    assert titles(knowing) == ["One", "Two"]
    assert {model for model, _ in embedded} == {SMALL}, "the question is asked of the model that serves"
    progress = progress_of(knowing)
    assert progress
    assert (progress.model, progress.done, progress.total) == (LARGE, 0, 2)

    assert reembed(knowing.pk) is None

    assert (index(knowing).model, index(knowing).state) == (LARGE, ReembeddingState.NONE)
    assert progress_of(knowing) is None
    assert models(knowing) == {LARGE: 2}
    embedded.clear()
    assert titles(knowing) == ["One", "Two"]
    assert [model for model, _ in embedded] == [LARGE]
    assert not foreign.chunk_vectors.exists()


def test_following_twice_changes_nothing(knowing: Organization) -> None:
    assert follow_configuration(knowing)
    before = index(knowing).started_at
    assert follow_configuration(knowing)
    assert index(knowing).started_at == before


def test_documents_that_come_meanwhile_are_in_both(
    knowing: Organization, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow_configuration(knowing)
    monkeypatch.setattr("leadagent.leads.knowledge.reembedding.TURN", timedelta(0))
    assert reembed(knowing.pk) == timedelta(0), "a turn ends, the work goes on"
    add(knowing, "Three")
    replace_document(Document.objects.get(title="One"), "another price")
    index_document(Document.objects.get(title="One").pk)
    assert titles(knowing) == ["One", "Three", "Two"]
    monkeypatch.undo()
    monkeypatch.setattr("byok.resolver.get_model_for_tenant", provider.get_model_for_tenant)

    assert reembed(knowing.pk) is None

    assert index(knowing).model == LARGE
    assert titles(knowing) == ["One", "Three", "Two"]
    assert models(knowing) == {LARGE: 3}


def test_a_document_that_is_ready_at_the_moment_of_the_switch(
    knowing: Organization, provider: FakeProvider, embedded: list[tuple[str, str]]
) -> None:
    """Its worker has asked the former model, and finds that another one serves by now."""
    follow_configuration(knowing)
    document = add_document_to_knowledge_base(knowing, "Three", "price")
    resolve = provider.get_model_for_tenant
    once = [True]

    def switches_meanwhile(*args: Any, **kwargs: Any) -> Any:
        model = resolve(*args, **kwargs)
        if once and once.pop():
            reembed(knowing.pk)
            resolve(*args, **kwargs)
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byok.resolver.get_model_for_tenant", switches_meanwhile)
        index_document(document.pk)

    assert index(knowing).model == LARGE
    assert titles(knowing) == ["One", "Three", "Two"]


def test_a_killed_worker_pays_for_no_stored_batch_twice(
    knowing: Organization, embedded: list[tuple[str, str]], provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(knowing, SMALL)
    add(knowing, "Long", "\n\n".join(f"# Part {number}\n\nprice" for number in range(2 * MOST)))
    choose(knowing, LARGE)
    follow_configuration(knowing)
    embedded.clear()
    exchange, started = provider._exchange, len(provider.exchanges)

    def dies_in_the_third_call(operation: str, where: str) -> None:
        exchange(operation, where)
        if len(provider.exchanges) == started + 3:
            raise SystemExit

    monkeypatch.setattr(provider, "_exchange", dies_in_the_third_call)
    with pytest.raises(SystemExit):
        reembed(knowing.pk)
    assert reembed(knowing.pk) is None, "the dead worker's claim still holds"
    stored = models(knowing)[LARGE]
    assert stored == len(embedded) == 2 * MOST
    assert titles(knowing)

    with time_machine.travel(timezone.now() + CLAIM_LOST_AFTER + timedelta(seconds=1)):
        assert take_due_changes() == [knowing.pk]
        assert reembed(knowing.pk) is None

    paid = [text for model, text in embedded if model == LARGE]
    assert len(paid) == len(set(paid)) == models(knowing)[LARGE] == 2 * MOST + 2


@pytest.mark.parametrize("code", ["invalid_key", "no_credit", "budget_exhausted", "config_missing", "model_not_found"])
def test_what_somebody_has_to_mend_pauses_it(knowing: Organization, provider: FakeProvider, code: str) -> None:
    follow_configuration(knowing)
    provider.fail_with["embedding"] = AIError(code, provider="openai")

    assert reembed(knowing.pk) is None

    progress = progress_of(knowing)
    assert progress
    assert (progress.state, progress.sentence) == (ReembeddingState.PAUSED, AIError(code, provider="openai").sentence)
    assert take_due_changes() == []
    del provider.fail_with["embedding"]
    assert titles(knowing) == ["One", "Two"]
    assert resume_reembedding(knowing.pk)
    assert not resume_reembedding(knowing.pk)
    reembed(knowing.pk)
    assert index(knowing).model == LARGE


def test_paused_it_is_tried_again_after_an_hour(knowing: Organization, provider: FakeProvider) -> None:
    follow_configuration(knowing)
    provider.fail_with["embedding"] = AIError("no_credit", provider="openai")
    reembed(knowing.pk)
    del provider.fail_with["embedding"]

    with time_machine.travel(timezone.now() + LOOK_AGAIN_AFTER + timedelta(seconds=1)):
        assert take_due_changes() == [knowing.pk]
        reembed(knowing.pk)

    assert index(knowing).model == LARGE


def test_a_limit_of_the_provider_is_waited_for(knowing: Organization, provider: FakeProvider) -> None:
    follow_configuration(knowing)
    provider.fail_with["embedding"] = AIError("rate_limited", provider="openai", retry_after=40)

    assert reembed(knowing.pk) == timedelta(seconds=40)
    assert reembed(knowing.pk) is None, "not before"
    assert index(knowing).state == ReembeddingState.RUNNING

    del provider.fail_with["embedding"]
    with time_machine.travel(timezone.now() + timedelta(seconds=41)):
        assert reembed(knowing.pk) is None
    assert index(knowing).model == LARGE


def test_cancelled_it_keeps_the_old_and_stays_so(knowing: Organization, embedded: list[tuple[str, str]]) -> None:
    follow_configuration(knowing)
    ChunkVector.objects.bulk_create(
        ChunkVector(organization=knowing, chunk=chunk, model=LARGE, dimension=3, embedding=[1, 2, 3])
        for chunk in knowing.chunks.all()[:1]
    )

    assert cancel_reembedding(knowing)
    assert not cancel_reembedding(knowing)
    reembed(knowing.pk)

    assert models(knowing) == {SMALL: 2}
    assert titles(knowing) == ["One", "Two"]
    add(knowing, "Three")
    assert titles(knowing) == ["One", "Three", "Two"]
    assert not follow_configuration(knowing), "it does not begin again by itself"
    assert follow_configuration(knowing, insist=True)
    reembed(knowing.pk)
    assert models(knowing) == {LARGE: 3}


def test_choosing_the_old_model_again_calls_it_off(knowing: Organization) -> None:
    follow_configuration(knowing)
    choose(knowing, SMALL)

    follow_configuration(knowing)
    reembed(knowing.pk)

    assert (index(knowing).state, progress_of(knowing)) == (ReembeddingState.NONE, None)
    assert models(knowing) == {SMALL: 2}


def test_the_same_model_from_another_provider_needs_nothing(knowing: Organization) -> None:
    choose(knowing, f"openai/{SMALL}", "openrouter")

    assert not follow_configuration(knowing)

    assert (index(knowing).provider, index(knowing).model) == ("openrouter", f"openai/{SMALL}")
    assert titles(knowing) == ["One", "Two"]


def test_with_nothing_to_find_the_new_model_serves_at_once(organization: Organization, provider: FakeProvider) -> None:
    choose(organization, SMALL)
    provider.fail_with["embedding"] = AIError("no_credit", provider="openai")
    document = add(organization, "One")
    choose(organization, LARGE)

    assert not follow_configuration(organization)
    assert index(organization).model == LARGE
    del provider.fail_with["embedding"]
    tasks.follow_embedding_model(organization.pk)
    index_document(document.pk)
    assert titles(organization) == ["One"]


def test_the_former_model_is_asked_of_its_own_provider_while_its_key_is_there(
    knowing: Organization, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    resolve = provider.get_model_for_tenant

    def noting(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs["instead"].provider)
        return resolve(*args, **kwargs)

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", noting)
    choose(knowing, "qwen/qwen3-embedding", "openrouter")
    follow_configuration(knowing)
    titles(knowing)
    ProviderCredential.objects.create(
        organization=knowing, provider="openai", sealed_key="v1:x:y:z", key_id="x", prefix="sk-", last4="0000",
        fingerprint="0" * 64,
    )  # fmt: skip
    titles(knowing)

    assert asked == ["openrouter", "openai"]


def test_without_embeddings_nothing_is_lost(knowing: Organization, provider: FakeProvider) -> None:
    choose(knowing, "", "")
    provider.fail_with["embedding config"] = AIError("config_missing", provider="anthropic")

    assert not follow_configuration(knowing)
    with pytest.raises(AIError):
        search_knowledge_base(knowing, "price")
    waiting = add_document_to_knowledge_base(knowing, "Three", "price")
    index_document(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error_code) == ("waiting", "config_missing")

    provider.fail_with.clear()
    choose(knowing, LARGE)
    tasks.follow_embedding_model(knowing.pk)
    index_document(waiting.pk)
    reembed(knowing.pk)
    assert titles(knowing) == ["One", "Three", "Two"]
    assert index(knowing).model == LARGE


# --- Who is told ---


def test_a_save_of_the_settings_tells_a_worker(
    knowing: Organization, nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    nudges.take()
    with django_capture_on_commit_callbacks(execute=True):
        choose(knowing, LARGE)
        choose(DocumentFactory().organization, LARGE)
    assert {name for name, _, _ in nudges.sent} == {"follow_embedding_model"}
    assert knowing.pk in [pk for _, pk, _ in nudges.take()]

    tasks.follow_embedding_model(knowing.pk)
    assert ("reembed_knowledge", knowing.pk, timedelta(0)) in nudges.sent


def test_the_operators_own_change_is_found_by_the_sweep(
    organization: Organization, provider: FakeProvider, settings: Settings, nudges: Nudges
) -> None:
    add(organization, "One")
    settings.PLATFORM_EMBEDDING_MODEL = LARGE
    KnowledgeIndex.objects.update(looked_at=None)
    nudges.take()

    tasks.sweep_runs()

    assert ("reembed_knowledge", organization.pk, timedelta(0)) in nudges.sent
    assert take_unlooked() == []


# --- The page ---


def test_the_page_shows_how_far_it_is_and_an_admin_decides(
    knowing: Organization,
    admin: Membership,
    member: Membership,
    signed_in: Callable[[Membership], Client],
    provider: FakeProvider,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    base = "/o/acme/knowledge/"
    client = signed_in(admin)
    follow_configuration(knowing)
    page = client.get(base).content.decode()
    assert "0 of 2 passages" in page
    assert f"{base}reembedding/cancel/" in page
    assert "every 2s" in page
    assert f"{base}reembedding/" not in signed_in(member).get(base).content.decode()
    assert signed_in(member).post(f"{base}reembedding/cancel/").status_code == 403

    provider.fail_with["embedding"] = AIError("no_credit", provider="openai")
    reembed(knowing.pk)
    page = client.get(base).content.decode()
    assert "no credit left" in page
    assert "every 2s" not in page
    nudges.take()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"{base}reembedding/resume/")
        client.post(f"{base}reembedding/resume/")
        client.post(f"{base}reembedding/cancel/")
        client.post(f"{base}reembedding/cancel/")
    assert nudges.names == ["reembed_knowledge"] * 2
    assert f"Change to {LARGE}" in client.get(base).content.decode()

    client.post(f"{base}reembedding/start/")

    assert index(knowing).state == ReembeddingState.RUNNING
    told = AuditEvent.objects.filter(action__startswith="knowledge.").order_by("pk").values_list("action", flat=True)
    assert list(told) == [f"knowledge.reembedding_{act}" for act in ("resumed", "cancelled", "started")]
