"""The organisation's knowledge base: texts cut into passages, found by meaning.

Vectors come from the organisation's own embedding model (or, by its consent, from the same
model at the platform) and are compared by exact scan within the organisation, the model and
the dimension: an index would miss near matches at
these sizes, and vectors of two models do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pgvector.django import CosineDistance

from byok import resolver
from byok.errors import AIError, translated
from byok.fallback import Fallback, bare_model_name, own_key_first
from leadagent.leads.models import Document, DocumentStatus
from leadagent.leads.run_state import lock_run, note_platform_use
from leadagent.leads.text import clean, one_line
from leadagent.tenants import audit

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
class Found:
    """The answer to a search. `taken_over` as in `Embeddings`."""

    passages: list[Passage]
    taken_over: str = ""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors and the model they compare within, named without its vendor.

    `taken_over`: why the platform's AI made them in place of the own key, as it follows
    "because"; empty where it did not.
    """

    vectors: list[list[float]]
    model: str
    taken_over: str = ""


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
    granted: bool = False,
    timeout: float | None = None,
) -> Embeddings:
    """Vectors of `texts`, in their order, 64 per call. `timeout` in seconds per call. Raises `AIError`.

    Where the own key fails and the organisation consents, the platform's AI goes on with the
    same model. `granted`: a person has decided so, as the run's own grant says for a run.
    """
    granted = granted or (run is not None and "embedding" in run.platform_grant)
    model_name, vectors = "", list[list[float]]()
    fallback: Fallback | None = None
    for start in range(0, len(texts), BATCH):
        ask = partial(_embed, organization, texts[start : start + BATCH], lead=lead, run=run, timeout=timeout)
        if fallback is None:
            batch, fallback = own_key_first(organization, "embedding", ask, granted=granted)
        else:
            # The own key has failed a moment ago, and the batches before this one are paid for.
            batch = ask(fallback)
        vectors.extend(batch.vectors)
        model_name = batch.model
    if fallback is not None:
        _note_platform_use(organization, run, fallback.error.code)
    return Embeddings(vectors, model_name, fallback.reason if fallback else "")


def _embed(
    organization: Organization,
    texts: list[str],
    fallback: Fallback | None,
    *,
    lead: Lead | None,
    run: WorkflowRun | None,
    timeout: float | None,
) -> Embeddings:
    """One call."""
    model = resolver.get_model_for_tenant(
        organization,
        "embedding",
        operation="embedding",
        lead=lead.pk if lead else None,
        run=run.pk if run else None,
        fallback=fallback,
    )
    # Only providers with the OpenAI wire offer embeddings.
    client = cast("OpenAI", model.client())
    if timeout is not None:
        client = client.with_options(timeout=timeout)
    with translated(model.provider):
        answer = client.embeddings.create(model=model.model_id, input=texts, encoding_format="float")
    vectors = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
    if len(vectors) != len(texts) or not all(vectors):
        raise AIError("bad_response", provider=model.provider)
    return Embeddings(vectors, bare_model_name(model.model_id))


def _note_platform_use(organization: Organization, run: WorkflowRun | None, code: str) -> None:
    if run is None:
        after = {"operation": "embedding", "because": code}
        audit.record("fallback.used", organization=organization, target="knowledge base", after=after)
        return
    with transaction.atomic():
        locked = lock_run(run.pk)
        if locked is not None:
            note_platform_use(locked, "embedding", code, timezone.now())


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
    return find_passages(organization, query, top=top, lead=lead, run=run).passages


def find_passages(
    organization: Organization,
    query: str,
    *,
    top: int = 3,
    lead: Lead | None = None,
    run: WorkflowRun | None = None,
    granted: bool = False,
) -> Found:
    """As `search_knowledge_base`, and whether the platform's AI had to stand in.

    `granted`: a person lets it do so for this search. Raises `AIError`.
    """
    query = one_line(query, limit=1000)
    if not query or not organization.documents.filter(status=DocumentStatus.READY).exists():
        return Found([])
    embedded = generate_embeddings(organization, [query], lead=lead, run=run, granted=granted, timeout=SEARCH_SECONDS)
    vector = embedded.vectors[0]
    nearest = (
        organization.chunks.filter(embedding_model=embedded.model, dimension=len(vector))
        .filter(document__status=DocumentStatus.READY)
        .annotate(distance=CosineDistance("embedding", vector))
        .order_by("distance")
        .values_list("document__title", "text", "distance", "document_id")[:top]
    )
    passages = [Passage(title, text, 1.0 - distance, document) for title, text, distance, document in nearest]
    return Found(passages, embedded.taken_over)
