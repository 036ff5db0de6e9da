"""The organisation's knowledge base: texts cut into passages, found by meaning.

Vectors come from the organisation's own embedding model and are compared by exact scan
within the organisation, the model and the dimension: an index would miss near matches at
these sizes, and vectors of two models do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from uuid import UUID

from pgvector.django import CosineDistance

from byok import resolver
from byok.errors import AIError, translated
from leadagent.leads.models import Document, DocumentStatus
from leadagent.leads.text import clean, one_line

if TYPE_CHECKING:
    from openai import OpenAI

    from leadagent.leads.models import Lead, WorkflowRun
    from leadagent.tenants.models import Organization, User

CONTENT_LIMIT = 200_000
BATCH = 64
# A search is waited for by a person or an agent; well under the lease of a step.
SEARCH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that answers a search. `similarity` is 1 for the same meaning, 0 for unrelated."""

    title: str
    content: str
    similarity: float
    document_id: UUID


@dataclass(frozen=True, slots=True)
class Embeddings:
    vectors: list[list[float]]
    model: str


def generate_embedding(
    organization: Organization, text: str, *, lead: Lead | None = None, run: WorkflowRun | None = None
) -> list[float]:
    """The vector of one text. Raises `AIError`."""
    return generate_embeddings(organization, [text], lead=lead, run=run).vectors[0]


def generate_embeddings(
    organization: Organization,
    texts: list[str],
    *,
    lead: Lead | None = None,
    run: WorkflowRun | None = None,
    timeout: float | None = None,
) -> Embeddings:
    """Vectors of `texts`, in their order, 64 per call. `timeout` in seconds per call. Raises `AIError`."""
    model = resolver.get_model_for_tenant(
        organization, "embedding", operation="embedding", lead=lead.pk if lead else None, run=run.pk if run else None
    )
    # Only providers with the OpenAI wire offer embeddings.
    client = cast("OpenAI", model.client())
    if timeout is not None:
        client = client.with_options(timeout=timeout)
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        with translated(model.provider):
            answer = client.embeddings.create(model=model.model_id, input=batch, encoding_format="float")
        found = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        if len(found) != len(batch) or not all(found):
            raise AIError("bad_response", provider=model.provider)
        vectors.extend(found)
    return Embeddings(vectors, model.model_id)


def add_document_to_knowledge_base(
    organization: Organization, title: str, content: str, *, created_by: User | None = None
) -> Document:
    """Store a text; it can be found once `indexing.index_document` has run."""
    return Document.objects.create(
        organization=organization,
        title=one_line(title, limit=200),
        content=clean(content)[:CONTENT_LIMIT],
        created_by=created_by,
    )


def search_knowledge_base(
    organization: Organization, query: str, *, top: int = 3, lead: Lead | None = None, run: WorkflowRun | None = None
) -> list[Passage]:
    """The `top` passages nearest in meaning to `query`, best first. Raises `AIError`."""
    query = one_line(query, limit=1000)
    if not query or not organization.documents.filter(status=DocumentStatus.READY).exists():
        return []
    embedded = generate_embeddings(organization, [query], lead=lead, run=run, timeout=SEARCH_SECONDS)
    vector = embedded.vectors[0]
    nearest = (
        organization.chunks.filter(embedding_model=embedded.model, dimension=len(vector))
        .filter(document__status=DocumentStatus.READY)
        .annotate(distance=CosineDistance("embedding", vector))
        .order_by("distance")
        .values_list("document__title", "text", "distance", "document_id")[:top]
    )
    return [Passage(title, text, 1.0 - distance, document) for title, text, distance, document in nearest]
