"""The work of changing the embedding model: all passages get vectors of the new one while those of the old one serve.

Which passages still need a vector is read from PostgreSQL each time, so that documents that are added,
replaced or deleted meanwhile need nothing special, and a killed worker's successor goes on
behind the last stored batch. The switch is one update of the organisation's row.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from byok.config.embedding_choice import EmbeddingChoice
from byok.errors import AIError
from leadagent.leads.knowledge.batches import in_batches
from leadagent.leads.knowledge.embedding import generate_embeddings, limits_of
from leadagent.leads.knowledge.indexing import CLAIM_LOST_AFTER, LOOK_AGAIN_AFTER
from leadagent.leads.knowledge.model_change import forget_change
from leadagent.leads.knowledge.model_in_use import how_to_reach
from leadagent.leads.knowledge.vectors import chunks_without_vector, drop_leftovers, embedded_text, store_vectors
from leadagent.leads.models import Chunk, KnowledgeIndex, ReembeddingState
from leadagent.leads.work_queue import is_free, is_time, pause_of, take_unheard
from leadagent.tenants.models import Organization

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

# One task works so long, then lets others have their turn.
TURN = timedelta(seconds=20)
# Failures in a row, without a stored batch between them, after which somebody has to look.
MAX_ATTEMPTS = 8
_AT_ONCE = timedelta(0)


def reembed(organization_id: int) -> timedelta | None:
    """Work on the change for one turn; the pause before the next, or None when it is over or has to wait.

    Of any number of callers one does the work.
    """
    now = timezone.now()
    if not _due().filter(pk=organization_id).update(claimed_at=now, attempts=F("attempts") + 1, next_attempt_at=None):
        drop_leftovers(organization_id)
        return None
    index = KnowledgeIndex.objects.select_related("organization").get(organization_id=organization_id)
    ends = time.monotonic() + TURN.total_seconds()
    try:
        while time.monotonic() < ends:
            if not _next_batch(index):
                if _switch(index):
                    drop_leftovers(organization_id)
                return None
    except AIError as error:
        return _record_failure(index, error)
    except _Overtaken:
        return None
    except Exception:
        logger.exception("The passages of organisation %s could not be embedded anew", organization_id)
        _pause(index, "internal_error", "Lead Agent could not store the new vectors. Ask whoever runs it to look.")
        return None
    KnowledgeIndex.objects.filter(_held(index)).update(claimed_at=None, attempts=0, nudged_at=timezone.now())
    return _AT_ONCE


class _Overtaken(Exception):
    """Another worker, a cancel or another model has taken the work away."""


def _next_batch(index: KnowledgeIndex) -> bool:
    """Ask for one batch and store it; False where no searchable passage is without a vector of the new model."""
    organization = index.organization
    choice = how_to_reach(organization, index.next_provider, index.next_model)
    limits = limits_of(choice)
    chunks = list(_missing(organization, choice.name).select_related("document")[: limits.inputs])
    texts = [embedded_text(chunk.document.title, chunk) for chunk in chunks]
    part = next(in_batches(texts, limits), None)
    if part is None:
        return False
    made = generate_embeddings(organization, texts[part], choice=choice)
    with transaction.atomic():
        now = timezone.now()
        going = {"state": ReembeddingState.RUNNING, "attempts": 1, "error_code": "", "error_sentence": ""}
        if not KnowledgeIndex.objects.filter(_held(index)).update(claimed_at=now, **going):
            raise _Overtaken
        store_vectors(chunks[part], made.vectors, choice.name)
    index.claimed_at = now
    return True


@transaction.atomic
def _switch(index: KnowledgeIndex) -> bool:
    """Search by the new model from now on. Documents that become searchable at this moment wait for the row."""
    locked = KnowledgeIndex.objects.select_for_update().filter(_held(index)).first()
    if locked is None:
        return False
    coming = EmbeddingChoice(locked.next_provider, locked.next_model)
    if _missing(index.organization, coming.name).exists():
        # One has become searchable since: the next turn finds it.
        KnowledgeIndex.objects.filter(pk=locked.pk).update(claimed_at=None, attempts=0)
        return False
    locked.provider, locked.model = coming.provider, coming.model
    forget_change(locked)
    locked.save()
    return True


def take_due_changes(*, limit: int = 20) -> list[int]:
    """Organisations whose change waits for a worker and whose nudge seems lost; they count as nudged from now on."""
    return take_unheard(_due(), limit=limit)


def _due() -> QuerySet[KnowledgeIndex]:
    now = timezone.now()
    # What was paused is looked at again after an hour: credit may have been added, a budget's month may be over.
    to_do = Q(state=ReembeddingState.RUNNING) | Q(state=ReembeddingState.PAUSED, next_attempt_at__isnull=False)
    return KnowledgeIndex.objects.filter(to_do, is_free(now, lost_after=CLAIM_LOST_AFTER), is_time(now))


def _held(index: KnowledgeIndex) -> Q:
    return Q(pk=index.pk, claimed_at=index.claimed_at, next_model=index.next_model)


def _missing(organization: Organization, model: str) -> QuerySet[Chunk]:
    return chunks_without_vector(organization, model).filter(version=F("document__searchable_version"))


def _record_failure(index: KnowledgeIndex, error: AIError) -> timedelta | None:
    attempts = KnowledgeIndex.objects.filter(_held(index)).values_list("attempts", flat=True).first() or 1
    if error.permanent or attempts >= MAX_ATTEMPTS:
        _pause(index, error.code, error.sentence)
        return None
    pause = pause_of(2.0 ** (attempts + 1), error.retry_after)
    KnowledgeIndex.objects.filter(_held(index)).update(
        state=ReembeddingState.RUNNING,
        claimed_at=None,
        next_attempt_at=timezone.now() + pause,
        error_code=error.code,
        error_sentence=error.sentence,
    )
    return pause


def _pause(index: KnowledgeIndex, code: str, sentence: str) -> None:
    KnowledgeIndex.objects.filter(_held(index)).update(
        state=ReembeddingState.PAUSED,
        claimed_at=None,
        attempts=0,
        next_attempt_at=timezone.now() + LOOK_AGAIN_AFTER,
        error_code=code,
        error_sentence=sentence,
    )
