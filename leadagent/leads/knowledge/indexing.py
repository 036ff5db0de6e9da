"""Preparing a document for search: cut it, ask for vectors, store each batch as it comes.

State is in PostgreSQL: one worker claims a document, and its claim time, renewed with every
batch, proves that it still may write. What nobody finished is found by the sweep, and goes
on where it was left: a stored batch is never asked for again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from byok.config.embedding_choice import EmbeddingChoice
from byok.errors import AIError
from leadagent.leads.knowledge.chunking import cut
from leadagent.leads.knowledge.embedding import batches_of_embeddings
from leadagent.leads.knowledge.model_in_use import how_to_reach, index_of
from leadagent.leads.knowledge.vectors import chunks_without_vector, embedded_text, store_vectors
from leadagent.leads.models import Chunk, Document, DocumentStatus, KnowledgeIndex
from leadagent.leads.work_queue import is_free, is_time, note_nudge, pause_of, take_unheard

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
CLAIM_LOST_AFTER = timedelta(minutes=3)
# What waits for key, credit or budget is tried again by itself after this; a save in the settings does it at once.
LOOK_AGAIN_AFTER = timedelta(hours=1)
_TO_DO = (DocumentStatus.PENDING, DocumentStatus.WAITING)


class _ClaimLost(Exception):
    """Another worker, a new version or a deletion has taken the document away."""


def index_document(document_id: UUID) -> timedelta | None:
    """Make the document searchable; the pause after which to try again, or None when that is decided.

    Of any number of callers one does the work. A failure is stored with its sentence.
    """
    now = timezone.now()
    if not _due().filter(pk=document_id).update(claimed_at=now, attempts=F("attempts") + 1, next_attempt_at=None):
        return None
    document = Document.objects.select_related("organization").get(pk=document_id)
    if document.attempts > MAX_ATTEMPTS:
        # Its workers were lost each time: asking the provider again would only cost more.
        _give_up(document)
        return None
    try:
        _cut_once(document)
        while not _is_finished(document, model := index_of(document.organization).model):
            _embed(document, model)
    except AIError as error:
        return _record_failure(document, error)
    except _ClaimLost:
        return None
    except Exception:
        logger.exception("Document %s could not be prepared", document.pk)
        _give_up(document)
    return None


def ask_again(document: Document, *, on_platform: bool = False) -> bool:
    """Let a document that failed or waits be prepared again; False for any other.

    `on_platform`: a person lets the platform's AI do it, should the own key fail.
    """
    stopped = Document.objects.filter(pk=document.pk, status__in=[DocumentStatus.FAILED, DocumentStatus.WAITING])
    return bool(stopped.update(**_fresh(), platform_granted=on_platform))


def wake_waiting_documents(organization_id: int) -> list[UUID]:
    """Let everything that waits for key, credit or budget be tried now; their ids."""
    with transaction.atomic():
        waiting = Document.objects.filter(
            organization_id=organization_id, status=DocumentStatus.WAITING
        ).select_for_update(skip_locked=True)
        ids = list(waiting.values_list("pk", flat=True))
        Document.objects.filter(pk__in=ids).update(attempts=0, claimed_at=None, next_attempt_at=None)
        note_nudge(Document, *ids)
    return ids


def take_due_documents(*, limit: int = 50) -> list[UUID]:
    """Ids of documents that wait and whose nudge seems lost; they count as nudged from now on."""
    return take_unheard(_due(), limit=limit)


def _due() -> QuerySet[Document]:
    now = timezone.now()
    return Document.objects.filter(is_free(now, lost_after=CLAIM_LOST_AFTER), is_time(now), status__in=_TO_DO)


def _fresh() -> dict[str, object]:
    return {
        "status": DocumentStatus.PENDING,
        "attempts": 0,
        "claimed_at": None,
        "next_attempt_at": None,
        "nudged_at": None,
        "error_code": "",
        "error_sentence": "",
    }


def _held(document: Document) -> Q:
    return Q(pk=document.pk, claimed_at=document.claimed_at, version=document.version)


def _cut_once(document: Document) -> None:
    """The passages of this version; cut before where an earlier attempt got that far."""
    if document.chunks.filter(version=document.version).exists():
        return
    pieces = cut(document.content)
    with transaction.atomic():
        claimed_at = _renewed_claim(document)
        Chunk.objects.bulk_create(
            Chunk(
                organization_id=document.organization_id,
                document=document,
                version=document.version,
                position=piece.position,
                headings=list(piece.headings),
                start=piece.start,
                end=piece.end,
                text=piece.text(document.content),
            )
            for piece in pieces
        )
    document.claimed_at = claimed_at


def _embed(document: Document, model: str) -> None:
    """Ask for the vectors that are missing, and store each batch before the next is asked for."""
    organization = document.organization
    index = index_of(organization)
    choice = how_to_reach(organization, index.provider, model)
    missing = list(chunks_without_vector(organization, choice.name).filter(document=document, version=document.version))
    texts = [embedded_text(document.title, chunk) for chunk in missing]
    done = 0
    for batch in batches_of_embeddings(organization, texts, choice=choice, granted=document.platform_granted):
        with transaction.atomic():
            claimed_at = _renewed_claim(document, taken_over=batch.taken_over)
            store_vectors(missing[done : done + len(batch.vectors)], batch.vectors, choice.name)
        document.claimed_at = claimed_at
        done += len(batch.vectors)


def _renewed_claim(document: Document, *, taken_over: str | None = None) -> datetime:
    """Renew the claim, in the transaction that stores; what is stored is progress, from which attempts count anew."""
    now = timezone.now()
    values: dict[str, object] = {"claimed_at": now}
    if taken_over is not None:
        values["attempts"] = 1
        if taken_over:
            values["platform_reason"] = taken_over
    if not Document.objects.filter(_held(document)).update(**values):
        raise _ClaimLost
    return now


def _is_finished(document: Document, model: str) -> bool:
    """Make this version the one that is found, if every passage has its vector of the model that serves."""
    with transaction.atomic():
        # Against a switch of the model at this moment.
        index = KnowledgeIndex.objects.select_for_update().get(organization_id=document.organization_id)
        name = EmbeddingChoice(index.provider, index.model).name
        missing = chunks_without_vector(document.organization, name)
        if index.model != model or missing.filter(document=document, version=document.version).exists():
            return False
        stored = Document.objects.filter(_held(document)).update(
            status=DocumentStatus.READY,
            searchable_version=document.version,
            claimed_at=None,
            next_attempt_at=None,
            error_code="",
            error_sentence="",
        )
        if not stored:
            raise _ClaimLost
        document.chunks.exclude(version=document.version).delete()
    return True


def _record_failure(document: Document, error: AIError) -> timedelta | None:
    """Wait for what passes by itself, wait longer for what somebody has to mend, and end with the rest."""
    current = Document.objects.filter(pk=document.pk).values_list("attempts", flat=True).first()
    attempts = MAX_ATTEMPTS if current is None else current
    status, pause = DocumentStatus.FAILED, None
    if error.needs_admin:
        status, pause = DocumentStatus.WAITING, LOOK_AGAIN_AFTER
    elif not error.permanent and attempts < MAX_ATTEMPTS:
        status = DocumentStatus.PENDING
        pause = pause_of(4.0 ** (attempts + 1), error.retry_after)
    Document.objects.filter(_held(document)).update(
        status=status,
        claimed_at=None,
        next_attempt_at=timezone.now() + pause if pause else None,
        attempts=0 if status == DocumentStatus.WAITING else attempts,
        error_code=error.code,
        error_sentence=error.sentence,
    )
    return pause if status == DocumentStatus.PENDING else None


def _give_up(document: Document) -> None:
    """Fail a document for a reason of our own: it is not paid for again and again."""
    Document.objects.filter(_held(document)).update(
        status=DocumentStatus.FAILED,
        claimed_at=None,
        next_attempt_at=None,
        error_code="internal_error",
        error_sentence="Lead Agent could not store this document. "
        "Ask whoever runs it to look at the log, then try again.",
    )
