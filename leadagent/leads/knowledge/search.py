"""Finding passages by meaning, within the organisation, the model and the dimension.

Vectors of two models do not compare. Where there are many, a first look goes through their signs, a thirty-second of
their size, and only the passages that are nearest by those are compared exactly (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import F
from pgvector.django import CosineDistance, HammingDistance

from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.knowledge.model_in_use import how_to_reach, index_of
from leadagent.leads.knowledge.vectors import cited_as
from leadagent.leads.models import DocumentStatus
from leadagent.leads.models.vector_signs import signs_of
from leadagent.leads.text import one_line

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from leadagent.leads.models import ChunkVector, Lead, WorkflowRun
    from leadagent.tenants.models import Organization

# A search is waited for by a person or an agent; well under the lease of a step.
SEARCH_SECONDS = 20.0
QUERY_LIMIT = 1000
# So many vectors are compared exactly after the first look, and so many passages are read of those (docs/adr/0010).
LIKELY, NEAR = 3000, 100


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that answers a search. `similarity` is 1 for the same meaning, 0 for unrelated.

    `headings` are those it stands under, outermost first; `position` counts from 0 in the document.
    """

    title: str
    content: str
    similarity: float
    document_id: UUID
    headings: tuple[str, ...] = ()
    position: int = 0

    @property
    def cited_as(self) -> str:
        """The name by which a person or the agent quotes it: title and headings."""
        return cited_as(self.title, self.headings)


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search. `taken_over` as in `Embeddings`.

    `note` says what could not be searched, for a person or the agent; empty where everything was.
    """

    passages: list[Passage]
    taken_over: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Within:
    """Where to search: kinds of documents, single ones, and how near a passage must be. Empty: everything."""

    kinds: Sequence[str] = ()
    documents: Sequence[UUID] = ()
    similarity: float = 0.0


EVERYTHING = Within()


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
    within: Within = EVERYTHING,
    lead: Lead | None = None,
    run: WorkflowRun | None = None,
    granted: bool = False,
) -> Found:
    """As `search_knowledge_base`, with what could not be searched, and whether the platform's AI had to stand in.

    `granted`: a person lets it do so for this search. Raises `AIError`.
    """
    query = one_line(query, limit=QUERY_LIMIT)
    if not query or not organization.documents.exists():
        return Found([])
    index = index_of(organization)
    choice = how_to_reach(organization, index.provider, index.model)
    note = _unsearchable(organization)
    if not organization.documents.filter(searchable_version__gt=0).exists():
        return Found([], note=note)
    embedded = generate_embeddings(
        organization, [query], choice=choice, lead=lead, run=run, granted=granted, timeout=SEARCH_SECONDS
    )
    vector = embedded.vectors[0]
    passages = nearest(organization, vector, choice.name, top=top, within=within)
    return Found(passages, embedded.taken_over, note)


def nearest(
    organization: Organization, vector: list[float], model: str, *, top: int, within: Within = EVERYTHING
) -> list[Passage]:
    """The passages whose vectors of `model` are nearest to `vector`, best first."""
    compared = _vectors(organization, model, len(vector))
    searched = _of_searchable(compared)
    if within.kinds:
        searched = searched.filter(chunk__document__kind__in=within.kinds)
    if within.documents:
        searched = searched.filter(chunk__document__in=within.documents)
    # A choice of documents comes before the first look, or little of it would be left. Versions that are not searched
    # yet, or no longer, are few: sorting them out afterwards spares the first look all other tables.
    looked_at = searched if within.kinds or within.documents else compared
    found: list[Passage] = []
    if _are_many(looked_at):
        found = _exactly(searched.filter(pk__in=_near(looked_at, vector, top)), vector, top)
    if len(found) < top:
        found = _exactly(searched, vector, top)
    return [passage for passage in found if passage.similarity >= within.similarity]


def everything_exactly(organization: Organization, vector: list[float], model: str, *, top: int) -> list[Passage]:
    """As `nearest`, by comparing every vector: what that is measured against."""
    return _exactly(_of_searchable(_vectors(organization, model, len(vector))), vector, top)


def _vectors(organization: Organization, model: str, dimension: int) -> QuerySet[ChunkVector]:
    return organization.chunk_vectors.filter(model=model, dimension=dimension)


def _of_searchable(vectors: QuerySet[ChunkVector]) -> QuerySet[ChunkVector]:
    return vectors.filter(
        chunk__organization=F("organization"), chunk__version=F("chunk__document__searchable_version")
    )


def _are_many(vectors: QuerySet[ChunkVector]) -> bool:
    """Whether a first look leaves any of them out."""
    return vectors.values("pk")[LIKELY : LIKELY + 1].exists()


def _near(vectors: QuerySet[ChunkVector], vector: list[float], top: int) -> QuerySet[ChunkVector, int]:
    """Ids of the nearest of the likely ones, a few more than `top`: some may be of versions that are not searched."""
    likely = vectors.filter(pk__in=_likely(vectors, vector)).order_by(CosineDistance("embedding", vector))
    return likely.values_list("pk", flat=True)[: NEAR + top]


def _likely(compared: QuerySet[ChunkVector], vector: list[float]) -> QuerySet[ChunkVector, int]:
    """Ids of the vectors that have the most signs in common with `vector`."""
    by_signs = compared.annotate(differing=HammingDistance("signs", signs_of(vector))).order_by("differing")
    return by_signs.values_list("pk", flat=True)[:LIKELY]


def _exactly(searched: QuerySet[ChunkVector], vector: list[float], top: int) -> list[Passage]:
    rows = (
        searched.annotate(distance=CosineDistance("embedding", vector))
        .order_by("distance")
        .values_list(
            "chunk__document__title",
            "chunk__text",
            "distance",
            "chunk__document_id",
            "chunk__headings",
            "chunk__position",
        )[:top]
    )
    return [
        Passage(title, text, 1.0 - distance, document, tuple(headings), position)
        for title, text, distance, document, headings, position in rows
    ]


def _unsearchable(organization: Organization) -> str:
    """What a searcher has to know about documents that are not found yet."""
    missing = organization.documents.filter(searchable_version=0)
    waiting = missing.filter(status=DocumentStatus.WAITING).order_by("pk").first()
    count = missing.count()
    if not count:
        return ""
    said = "1 document is" if count == 1 else f"{count:,} documents are"
    return f"{said} not searchable yet. {waiting.error_sentence if waiting else ''}".strip()
