"""Which embedding model an organisation is to be searched by: a change to another one is begun, redirected, called off.

The work itself, passage by passage, is in `reembedding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from byok.config.embedding_choice import EmbeddingChoice, embedding_in_force
from leadagent.leads.knowledge.vectors import leftover_vectors, searchable_chunks
from leadagent.leads.models import KnowledgeIndex, ReembeddingState
from leadagent.tenants.models import Organization

# How often the configuration in force is compared where no save has told of a change (the operator's own model).
LOOK_EVERY = timedelta(minutes=2)


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
    return index.state == ReembeddingState.RUNNING or leftover_vectors(index).exists()


def _turn_to(index: KnowledgeIndex, chosen: EmbeddingChoice, now: datetime, *, insist: bool) -> None:
    serving = EmbeddingChoice(index.provider, index.model)
    coming = EmbeddingChoice(index.next_provider, index.next_model)
    if chosen.name == serving.name:
        # The same model, perhaps from elsewhere; a change that had begun is called off.
        index.provider, index.model = chosen.provider, chosen.model
        forget_change(index)
    elif index.next_model and chosen.name == coming.name:
        index.next_provider, index.next_model = chosen.provider, chosen.model
        if index.state == ReembeddingState.DECLINED and insist:
            _begin(index, chosen, now)
    elif not searchable_chunks(index.organization).exists():
        # Nothing is found by the old model: there is nothing to keep.
        index.provider, index.model = chosen.provider, chosen.model
        forget_change(index)
    else:
        _begin(index, chosen, now)


def _begin(index: KnowledgeIndex, chosen: EmbeddingChoice, now: datetime) -> None:
    forget_change(index)
    index.next_provider, index.next_model = chosen.provider, chosen.model
    index.state = ReembeddingState.RUNNING
    index.started_at = now


def forget_change(index: KnowledgeIndex) -> None:
    """Let the index know of no change; the caller saves it."""
    index.next_provider = index.next_model = index.error_code = index.error_sentence = ""
    index.state = ReembeddingState.NONE
    index.attempts = 0
    index.claimed_at = index.next_attempt_at = index.nudged_at = None


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
    searchable = searchable_chunks(organization)
    return Progress(
        index.next_model,
        searchable.filter(vectors__model=name).count(),
        searchable.count(),
        ReembeddingState(index.state),
        index.error_sentence,
    )


def take_unlooked(*, limit: int = 50) -> list[int]:
    """Organisations whose choice of model was not compared for a while."""
    now = timezone.now()
    with transaction.atomic():
        old = Q(looked_at=None) | Q(looked_at__lt=now - LOOK_EVERY)
        rows = KnowledgeIndex.objects.filter(old).order_by("looked_at").select_for_update(skip_locked=True)
        ids = list(rows.values_list("pk", flat=True)[:limit])
        KnowledgeIndex.objects.filter(pk__in=ids).update(looked_at=now)
    return ids
