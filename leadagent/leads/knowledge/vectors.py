"""Vectors of passages in PostgreSQL: which are missing, storing a batch, which are left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from byok.config.embedding_choice import EmbeddingChoice
from leadagent.leads.models import Chunk, ChunkVector, KnowledgeIndex, ReembeddingState

if TYPE_CHECKING:
    from leadagent.tenants.models import Organization


_DROPPED_AT_ONCE = 2000


def searchable_chunks(organization: Organization) -> QuerySet[Chunk]:
    """The passages of the versions that searches find."""
    return organization.chunks.filter(version=F("document__searchable_version"))


def chunks_without_vector(organization: Organization, model: str) -> QuerySet[Chunk]:
    """The organisation's passages that the model (named without its vendor) has not seen yet, in reading order."""
    of_model = ChunkVector.objects.filter(chunk=OuterRef("pk"), model=model)
    return organization.chunks.filter(~Exists(of_model)).order_by("document", "version", "position")


def embedded_text(title: str, chunk: Chunk) -> str:
    """What the model reads of a passage: where it stands, and what it says."""
    return f"{cited_as(title, chunk.headings)}\n\n{chunk.text}"


def cited_as(title: str, headings: Sequence[str]) -> str:
    """How people and the agent name a passage: title and headings, outermost first."""
    return " › ".join([title, *headings])


def store_vectors(chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], model: str) -> int:
    """Store what the model made of the passages; how many were stored. Inside a transaction.

    A passage that was deleted meanwhile is passed over, and so is a vector that is there already.
    """
    present = set(
        Chunk.objects.filter(pk__in=[chunk.pk for chunk in chunks])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    rows = [
        ChunkVector(
            organization_id=chunk.organization_id,
            chunk_id=chunk.pk,
            model=model,
            dimension=len(vector),
            embedding=vector,
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
        if chunk.pk in present
    ]
    ChunkVector.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def leftover_vectors(index: KnowledgeIndex) -> QuerySet[ChunkVector]:
    """Vectors of models that neither serve nor are to serve."""
    wanted = [EmbeddingChoice(index.provider, index.model).name]
    if index.state in (ReembeddingState.RUNNING, ReembeddingState.PAUSED):
        wanted.append(EmbeddingChoice(index.next_provider, index.next_model).name)
    return ChunkVector.objects.filter(organization_id=index.pk).exclude(model__in=wanted)


def drop_leftovers(organization_id: int) -> None:
    """Delete `leftover_vectors`, in batches."""
    while True:
        with transaction.atomic():
            # Shared: a change that begins at this moment waits until these are gone.
            index = KnowledgeIndex.objects.select_for_update().filter(pk=organization_id).first()
            if index is None:
                return
            batch = leftover_vectors(index).select_for_update(skip_locked=True).values_list("pk", flat=True)
            ids = list(batch[:_DROPPED_AT_ONCE])
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM leads_chunkvector WHERE id = ANY(%s)", [ids])
        if len(ids) < _DROPPED_AT_ONCE:
            return
