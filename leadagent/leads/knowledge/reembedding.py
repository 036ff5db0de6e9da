"""Changing the embedding model: all passages get vectors of the new one while those of the old one serve.

Which passages still need a vector is read from PostgreSQL each time, so that documents that are added,
replaced or deleted meanwhile need nothing special, and a killed worker's successor goes on
behind the last stored batch. The switch is one update of the organisation's row.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from byok.errors import AIError
from byok.resolver import EmbeddingChoice, embedding_in_force
from leadagent.leads.knowledge.batches import in_batches
from leadagent.leads.knowledge.embedding import generate_embeddings, limits_of
from leadagent.leads.knowledge.indexing import CLAIM_LOST_AFTER, LOOK_AGAIN_AFTER
from leadagent.leads.knowledge.model_in_use import how_to_reach
from leadagent.leads.knowledge.vectors import chunks_without_vector, embedded_text, store_vectors
from leadagent.leads.models import Chunk, ChunkVector, KnowledgeIndex, ReembeddingState
from leadagent.leads.work_queue import is_free, is_time, pause_of, take_unheard
from leadagent.tenants.models import Organization

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

# One task works so long, then lets others have their turn.
TURN = timedelta(seconds=20)
# How often the configuration in force is compared where no save has told of a change (the operator's own model).
LOOK_EVERY = timedelta(minutes=2)
# Failures in a row, without a stored batch between them, after which somebody has to look.
MAX_ATTEMPTS = 8
_AT_ONCE = timedelta(0)
_DROPPED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the change to `model` is: passages that have its vector, of all that are searched."""

    model: str
    done: int
    total: int
    state: ReembeddingState
    sentence: str = ""


def follow_configuration(organization: Organization, *, insist: bool = False) -> bool:
    """Begin, redirect or call off a change of model so that it leads to the chosen one; True where there is work.

    `insist`: a person asks for it, though it was cancelled before.
    """
    chosen = embedding_in_force(organization)
    now = timezone.now()
    with transaction.atomic():
        index = KnowledgeIndex.objects.select_for_update().filter(organization=organization).first()
        if index is None:
            return False
        index.looked_at = now
        if chosen is None:
            # Nothing can be made and nothing is lost: the old vectors stay where they are.
            index.save(update_fields=["looked_at"])
            return False
        _turn_to(index, chosen, now, insist=insist)
        index.save()
    return index.state == ReembeddingState.RUNNING or _has_leftovers(index)


def _turn_to(index: KnowledgeIndex, chosen: EmbeddingChoice, now: datetime, *, insist: bool) -> None:
    serving = EmbeddingChoice(index.provider, index.model)
    coming = EmbeddingChoice(index.next_provider, index.next_model)
    if chosen.name == serving.name:
        # The same model, perhaps from elsewhere; a change that had begun is called off.
        index.provider, index.model = chosen.provider, chosen.model
        _forget_change(index)
    elif index.next_model and chosen.name == coming.name:
        index.next_provider, index.next_model = chosen.provider, chosen.model
        if index.state == ReembeddingState.DECLINED and insist:
            _begin(index, chosen, now)
    elif not _searchable(index.organization).exists():
        # Nothing is found by the old model: there is nothing to keep.
        index.provider, index.model = chosen.provider, chosen.model
        _forget_change(index)
    else:
        _begin(index, chosen, now)


def _begin(index: KnowledgeIndex, chosen: EmbeddingChoice, now: datetime) -> None:
    _forget_change(index)
    index.next_provider, index.next_model = chosen.provider, chosen.model
    index.state = ReembeddingState.RUNNING
    index.started_at = now


def _forget_change(index: KnowledgeIndex) -> None:
    index.next_provider = index.next_model = index.error_code = index.error_sentence = ""
    index.state = ReembeddingState.NONE
    index.attempts = 0
    index.claimed_at = index.next_attempt_at = index.nudged_at = None


def reembed(organization_id: int) -> timedelta | None:
    """Work on the change for one turn; the pause before the next, or None when it is over or has to wait.

    Of any number of callers one does the work.
    """
    now = timezone.now()
    if not _due().filter(pk=organization_id).update(claimed_at=now, attempts=F("attempts") + 1, next_attempt_at=None):
        _drop_leftovers(organization_id)
        return None
    index = KnowledgeIndex.objects.select_related("organization").get(organization_id=organization_id)
    ends = time.monotonic() + TURN.total_seconds()
    try:
        while time.monotonic() < ends:
            if not _next_batch(index):
                if _switch(index):
                    _drop_leftovers(organization_id)
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
    _forget_change(locked)
    locked.save()
    return True


def cancel_reembedding(organization: Organization) -> bool:
    """Keep the model that serves, and drop what was made for the new one; False where nothing was under way."""
    under_way = KnowledgeIndex.objects.filter(
        organization=organization, state__in=[ReembeddingState.RUNNING, ReembeddingState.PAUSED]
    )
    return bool(
        under_way.update(
            state=ReembeddingState.DECLINED, claimed_at=None, next_attempt_at=None, error_code="", error_sentence=""
        )
    )


def resume_reembedding(organization_id: int) -> bool:
    """Go on with a change that stopped; False where none did."""
    paused = KnowledgeIndex.objects.filter(organization_id=organization_id, state=ReembeddingState.PAUSED)
    return bool(
        paused.update(
            state=ReembeddingState.RUNNING,
            attempts=0,
            claimed_at=None,
            next_attempt_at=None,
            nudged_at=timezone.now(),
            error_code="",
            error_sentence="",
        )
    )


def progress_of(organization: Organization) -> Progress | None:
    """How far a change of model is, or that one was cancelled; None where there is none."""
    index = KnowledgeIndex.objects.filter(organization=organization).first()
    if index is None or index.state == ReembeddingState.NONE:
        return None
    name = EmbeddingChoice(index.next_provider, index.next_model).name
    searchable = _searchable(organization)
    return Progress(
        index.next_model,
        searchable.filter(vectors__model=name).count(),
        searchable.count(),
        ReembeddingState(index.state),
        index.error_sentence,
    )


def take_due_changes(*, limit: int = 20) -> list[int]:
    """Organisations whose change waits for a worker and whose nudge seems lost; they count as nudged from now on."""
    return take_unheard(_due(), limit=limit)


def take_unlooked(*, limit: int = 50) -> list[int]:
    """Organisations whose choice of model was not compared for a while."""
    now = timezone.now()
    with transaction.atomic():
        old = Q(looked_at=None) | Q(looked_at__lt=now - LOOK_EVERY)
        rows = KnowledgeIndex.objects.filter(old).order_by("looked_at").select_for_update(skip_locked=True)
        ids = list(rows.values_list("pk", flat=True)[:limit])
        KnowledgeIndex.objects.filter(pk__in=ids).update(looked_at=now)
    return ids


def _due() -> QuerySet[KnowledgeIndex]:
    now = timezone.now()
    # What was paused is looked at again after an hour: credit may have been added, a budget's month may be over.
    to_do = Q(state=ReembeddingState.RUNNING) | Q(state=ReembeddingState.PAUSED, next_attempt_at__isnull=False)
    return KnowledgeIndex.objects.filter(to_do, is_free(now, lost_after=CLAIM_LOST_AFTER), is_time(now))


def _held(index: KnowledgeIndex) -> Q:
    return Q(pk=index.pk, claimed_at=index.claimed_at, next_model=index.next_model)


def _searchable(organization: Organization) -> QuerySet[Chunk]:
    return organization.chunks.filter(version=F("document__searchable_version"))


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


def _unwanted(index: KnowledgeIndex) -> QuerySet[ChunkVector]:
    wanted = [EmbeddingChoice(index.provider, index.model).name]
    if index.state in (ReembeddingState.RUNNING, ReembeddingState.PAUSED):
        wanted.append(EmbeddingChoice(index.next_provider, index.next_model).name)
    return ChunkVector.objects.filter(organization_id=index.pk).exclude(model__in=wanted)


def _has_leftovers(index: KnowledgeIndex) -> bool:
    return _unwanted(index).exists()


def _drop_leftovers(organization_id: int) -> None:
    """Delete vectors of models that neither serve nor are to serve."""
    while True:
        with transaction.atomic():
            # Shared: a change that begins at this moment waits until these are gone.
            index = KnowledgeIndex.objects.select_for_update().filter(pk=organization_id).first()
            if index is None:
                return
            batch = _unwanted(index).select_for_update(skip_locked=True).values_list("pk", flat=True)
            ids = list(batch[:_DROPPED_AT_ONCE])
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM leads_chunkvector WHERE id = ANY(%s)", [ids])
        if len(ids) < _DROPPED_AT_ONCE:
            return
