"""Preparing a document for search: cut it, ask for vectors, store both.

State is in PostgreSQL: one worker claims a document, and its claim time proves that it
still may write. What nobody finished is found by the sweep.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from byok.errors import AIError
from leadagent.leads.knowledge import Embeddings, generate_embeddings
from leadagent.leads.models import Chunk, Document, DocumentStatus

logger = logging.getLogger(__name__)

PASSAGE = 1200
OVERLAP = 150
MAX_ATTEMPTS = 3
CLAIM_LOST_AFTER = timedelta(minutes=10)
UNHEARD_AFTER = timedelta(seconds=20)


def index_document(document_id: UUID) -> timedelta | None:
    """Make the document searchable; the pause after which to try again, or None when that is decided.

    Of any number of callers one does the work. A failure is stored with its sentence.
    """
    now = timezone.now()
    claimable = Document.objects.filter(_due(now), pk=document_id)
    if not claimable.update(claimed_at=now, attempts=F("attempts") + 1, next_attempt_at=None):
        return None
    document = Document.objects.select_related("organization").get(pk=document_id)
    if document.attempts > MAX_ATTEMPTS:
        # Its workers were lost each time: asking the provider again would only cost more.
        _give_up(document)
        return None
    pieces = cut(document.content)
    try:
        texts = [f"{document.title}\n\n{piece}" for piece in pieces]
        embeddings = generate_embeddings(document.organization, texts, granted=document.platform_granted)
        _store(document, pieces, embeddings)
    except AIError as error:
        return _record_failure(document, error)
    except Exception:
        logger.exception("Document %s could not be prepared", document.pk)
        _give_up(document)
    return None


def ask_again(document: Document, *, on_platform: bool = False) -> bool:
    """Let a failed document, or one of another embedding model, be prepared again; False while one is under way.

    `on_platform`: a person lets the platform's AI do it, should the own key fail.
    """
    ready_or_failed = Document.objects.filter(pk=document.pk).exclude(status=DocumentStatus.PENDING)
    return bool(
        ready_or_failed.update(
            status=DocumentStatus.PENDING,
            attempts=0,
            claimed_at=None,
            next_attempt_at=None,
            nudged_at=None,
            error_code="",
            error_sentence="",
            platform_granted=on_platform,
        )
    )


def take_due_documents(*, limit: int = 50) -> list[UUID]:
    """Ids of documents that wait and whose nudge seems lost; they count as nudged from now on."""
    now = timezone.now()
    with transaction.atomic():
        unheard = Q(nudged_at=None) | Q(nudged_at__lt=now - UNHEARD_AFTER)
        due = Document.objects.filter(_due(now), unheard).order_by("pk").select_for_update(skip_locked=True)
        ids = list(due.values_list("pk", flat=True)[:limit])
        note_nudge(*ids)
    return ids


def note_nudge(*document_ids: UUID) -> None:
    """Remember that a worker is being told about these documents."""
    Document.objects.filter(pk__in=document_ids).update(nudged_at=timezone.now())


def _due(now: datetime) -> Q:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LOST_AFTER)
    return Q(status=DocumentStatus.PENDING) & free & (Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))


def _store(document: Document, pieces: list[str], embeddings: Embeddings) -> None:
    with transaction.atomic():
        held = Document.objects.filter(pk=document.pk, claimed_at=document.claimed_at)
        stored = held.update(
            status=DocumentStatus.READY,
            embedding_model=embeddings.model,
            platform_reason=embeddings.taken_over,
            claimed_at=None,
        )
        if not stored:
            return
        document.chunks.all().delete()
        Chunk.objects.bulk_create(
            Chunk(
                organization_id=document.organization_id,
                document=document,
                position=position,
                text=piece,
                embedding=vector,
                embedding_model=embeddings.model,
                dimension=len(vector),
            )
            for position, (piece, vector) in enumerate(zip(pieces, embeddings.vectors, strict=True))
        )


def _record_failure(document: Document, error: AIError) -> timedelta | None:
    again = not error.permanent and document.attempts < MAX_ATTEMPTS
    pause = timedelta(seconds=min(max(4.0 * 4**document.attempts, error.retry_after or 0), 900)) if again else None
    Document.objects.filter(pk=document.pk, claimed_at=document.claimed_at).update(
        status=DocumentStatus.PENDING if again else DocumentStatus.FAILED,
        claimed_at=None,
        next_attempt_at=timezone.now() + pause if pause else None,
        error_code=error.code,
        error_sentence=error.sentence,
    )
    return pause


def _give_up(document: Document) -> None:
    """Fail a document for a reason of our own: it is not paid for again and again."""
    Document.objects.filter(pk=document.pk, claimed_at=document.claimed_at).update(
        status=DocumentStatus.FAILED,
        claimed_at=None,
        next_attempt_at=None,
        error_code="internal_error",
        error_sentence="Lead Agent could not store this document. "
        "Ask whoever runs it to look at the log, then try again.",
    )


def cut(content: str) -> list[str]:
    """Pieces of at most 1,200 characters, cut at paragraph, line or word ends, each overlapping the one before."""
    pieces: list[str] = []
    start = 0
    while start < len(content):
        end = _end_of_piece(content, start)
        if piece := content[start:end].strip():
            pieces.append(piece)
        if end == len(content):
            break
        start = end - OVERLAP
    return pieces


def _end_of_piece(content: str, start: int) -> int:
    """Where the piece that begins at `start` ends: at the best break in its second half."""
    end = start + PASSAGE
    if end >= len(content):
        return len(content)
    for mark in ("\n\n", "\n", ". ", " "):
        if (at := content.rfind(mark, start + PASSAGE // 2, end)) >= 0:
            return at + len(mark)
    return end
