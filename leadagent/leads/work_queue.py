"""Rows of PostgreSQL as a queue for workers: runs, documents, files, rewrites, changes of the embedding model.

A worker claims a row by one UPDATE that sets `claimed_at`. A claim that was not renewed for a while belongs to a worker
that died: the row is free again. A nudge (a Celery message) only tells a worker to look. `nudged_at` is when that was
done last; a row that still waits some time later has lost its nudge, and the sweep takes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

# A nudge that no worker has heard after this long counts as lost.
UNHEARD_AFTER = timedelta(seconds=20)
# The longest that a provider's own wish is heeded: then the work is tried anyway.
LONGEST_PAUSE = timedelta(minutes=15)


def is_free(now: datetime, *, lost_after: timedelta, renewed: str = "claimed_at") -> Q:
    """Rows that no living worker holds. `renewed` is the column that shows when its worker was last heard of."""
    return Q(claimed_at=None) | Q(**{f"{renewed}__lt": now - lost_after})


def is_time(now: datetime) -> Q:
    """Rows whose pause before the next attempt is over, or that have none."""
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)


def take_unheard(due: QuerySet[Any], *, limit: int) -> list[Any]:
    """Primary keys of the rows of `due` whose nudge seems lost; they count as nudged from now on."""
    unheard = Q(nudged_at=None) | Q(nudged_at__lt=timezone.now() - UNHEARD_AFTER)
    with transaction.atomic():
        rows = due.filter(unheard).order_by("pk").select_for_update(skip_locked=True, no_key=True)
        keys = list(rows.values_list("pk", flat=True)[:limit])
        note_nudge(due.model, *keys)
    return keys


def note_nudge(model: type[Model], *keys: object) -> None:
    """Remember that a worker is being told about these rows, so that the sweep leaves them alone for a while."""
    model._default_manager.filter(pk__in=keys).update(nudged_at=timezone.now())


def pause_of(seconds: float, wish: float | None) -> timedelta:
    """`seconds`, or as many as the provider asks for (`wish`) where that is longer."""
    return min(timedelta(seconds=max(seconds, wish or 0)), LONGEST_PAUSE)
