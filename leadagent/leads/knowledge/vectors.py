"""Vectors of passages in PostgreSQL: which are missing, and storing a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, QuerySet

from leadagent.leads.models import Chunk, ChunkVector

if TYPE_CHECKING:
    from leadagent.tenants.models import Organization


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
