"""The knowledge base when the own key fails: searches and documents, by consent."""

from collections.abc import Callable

import pytest
from django.test import Client

from byok.providers import REGISTRY
from leadagent.leads.knowledge import find_passages, indexing
from leadagent.leads.knowledge.documents import replace_document
from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.models import Chunk, ChunkVector, Document, DocumentStatus, RunStatus, WorkflowRun
from leadagent.tenants.models import Membership, Organization
from tests.leads.conftest import FakeProvider
from tests.leads.factories import DocumentFactory
from tests.leads.fallback.conftest import Work
from tests.leads.fallback.consent import LINE, REASON, page, say, told, trouble

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]


def ready(organization: Organization) -> Document:
    document = DocumentFactory(organization=organization, status=DocumentStatus.READY, searchable_version=1)
    chunk = Chunk.objects.create(organization=organization, document=document, position=0, text="Ten dollars a month.")
    ChunkVector.objects.create(
        organization=organization, chunk=chunk, model="text-embedding-3-small", dimension=2, embedding=[1.0, 1.0]
    )
    return document


def test_a_search_goes_on_by_consent_and_finds_what_the_own_key_made(
    organization: Organization, provider: FakeProvider
) -> None:
    ready(organization)
    say(organization, "allow", "embedding")
    provider.fail_with["embedding"] = trouble("no_credit")

    found = find_passages(organization, "price")

    assert [passage.content for passage in found.passages] == ["Ten dollars a month."]
    assert found.taken_over == "the account at OpenAI has no credit left"
    assert provider.exchanges == [("embedding", "own"), ("embedding", "platform")]
    assert told("fallback.used") == [("knowledge base", {"operation": "embedding", "because": "no_credit"})]


def test_batches_before_the_failure_are_not_paid_twice(organization: Organization, provider: FakeProvider) -> None:
    say(organization, "allow", "embedding")
    embed = provider.embed

    def fails_in_the_second_batch(texts: list[str]) -> list[list[float]]:
        if provider.exchanges == [("embedding", "own")] * 2:
            raise trouble("no_credit")
        return embed(texts)

    provider.embed = fails_in_the_second_batch

    made = generate_embeddings(organization, ["text"] * (3 * REGISTRY["openai"].embedding_batch.inputs))

    assert len(made.vectors) == 3 * REGISTRY["openai"].embedding_batch.inputs
    assert [where for _, where in provider.exchanges] == ["own", "own", "platform", "platform"]
    assert len(told("fallback.used")) == 1


def test_research_says_that_the_platform_searched(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo

    def asks_once(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("query_knowledge_base", {"question": "price"})])
        return ModelResponse(parts=[TextPart("Ten dollars.")])

    ready(organization)
    say(organization, "allow", "embedding")
    provider.research = asks_once
    provider.fail_with["embedding"] = trouble()

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert not run.steps.filter(on_platform=True).exists()
    assert told("fallback.used") == [(f"run {run.pk}", {"operation": "embedding", "because": "invalid_key"})]
    assert f"The knowledge base was searched {LINE}" in page(signed_in(viewer), run)


def test_a_person_decides_for_one_search(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    ready(organization)
    say(organization, "ask", "embedding")
    provider.fail_with["embedding"] = trouble()
    client = signed_in(member)
    asked = client.post("/o/acme/knowledge/search/", {"query": "price"})
    assert asked.status_code == 409
    assert "Search with the platform" in asked.content.decode()
    assert provider.exchanges == [("embedding", "own")]

    answered = client.post("/o/acme/knowledge/search/", {"query": "price", "on_platform": "yes"})

    assert answered.status_code == 200
    assert "Ten dollars a month." in answered.content.decode()
    assert f"Searched with the platform's AI, because {REASON}." in answered.content.decode()
    assert told("fallback.granted") == [("knowledge base search", {"operations": ["embedding"]})]


def test_the_button_is_worth_nothing_where_never_was_said(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    ready(organization)
    say(organization, "never", "embedding")
    provider.fail_with["embedding"] = trouble()
    answered = signed_in(member).post("/o/acme/knowledge/search/", {"query": "price", "on_platform": "yes"})
    assert answered.status_code == 409
    assert "Search with the platform" not in answered.content.decode()
    assert provider.exchanges == [("embedding", "own")]
    assert told("fallback.granted") == []


def test_a_person_decides_for_one_document(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    say(organization, "ask", "embedding")
    provider.fail_with["embedding"] = trouble()
    document = DocumentFactory(organization=organization)
    indexing.index_document(document.pk)
    client = signed_in(member)
    assert "Prepare with the platform" in client.get("/o/acme/knowledge/").content.decode()

    client.post(f"/o/acme/knowledge/{document.pk}/again/", {"on_platform": "yes"})
    indexing.index_document(document.pk)

    document.refresh_from_db()
    assert (document.status, document.platform_reason) == (DocumentStatus.READY, REASON)
    assert told("fallback.granted") == [(f"document {document.pk}", {"operations": ["embedding"]})]
    assert f"Prepared {LINE}" in client.get("/o/acme/knowledge/").content.decode()

    # A new text on the own key takes both back.
    del provider.fail_with["embedding"]
    replace_document(document, "Twenty dollars a month.")
    indexing.index_document(document.pk)
    document.refresh_from_db()
    assert (document.platform_granted, document.platform_reason) == (False, "")


def test_a_document_is_not_prepared_by_the_platform_without_an_offer(
    organization: Organization, provider: FakeProvider, member: Membership, signed_in: SignIn
) -> None:
    say(organization, "never", "embedding")
    provider.fail_with["embedding"] = trouble()
    document = DocumentFactory(organization=organization)
    indexing.index_document(document.pk)
    client = signed_in(member)
    assert "Prepare with the platform" not in client.get("/o/acme/knowledge/").content.decode()
    client.post(f"/o/acme/knowledge/{document.pk}/again/", {"on_platform": "yes"})
    document.refresh_from_db()
    assert not document.platform_granted
    assert told("fallback.granted") == []
