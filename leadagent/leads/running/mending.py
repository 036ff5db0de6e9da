"""Paused runs whose cause is mended: the sweep finds them, and they go on by themselves, once.

Each cause has a proof of its own, and the proof has to be younger than the attempt that
failed: a new or tested key, room in a budget for the very call that did not fit, free
requests of a new month, another model. A run that stops again waits for a new proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from byok.config.ai_config import EffectiveConfig, get_ai_config
from byok.models import PLATFORM_DEFAULT, AIConfig, CredentialStatus
from leadagent.leads.models import RunStatus, Step, StepName, StepStatus, WorkflowRun
from leadagent.leads.running.workflow import resume_by_itself
from leadagent.tenants.models import Organization
from usage.spending.budgets import room_for
from usage.spending.quota import free_tier_of

_KEY_TROUBLES = ("config_missing", "key_unreadable", "invalid_key", "missing_scope", "no_credit", "key_limit")
# What the provider says about the key itself does not tell whether the missing permission was given since.
_ONLY_BY_A_NEW_KEY = frozenset({"missing_scope"})
MENDABLE = frozenset({*_KEY_TROUBLES, "budget_exhausted", "quota_exhausted", "model_not_found"})
# A run that was resumed and stopped again is left alone for so long.
AT_MOST_EVERY = timedelta(minutes=5)


def resume_mended(*, limit: int = 200) -> list[UUID]:
    """Resume paused runs whose cause is gone; the ids of those that go on. Safe to run twice and at once."""
    resumed: list[UUID] = []
    waiting = WorkflowRun.objects.filter(status=RunStatus.PAUSED, error_code__in=MENDABLE)
    for organization_id in waiting.order_by("organization_id").values_list("organization_id", flat=True).distinct():
        organization = Organization.objects.get(pk=organization_id)
        for run_id, because in _mended(organization):
            if len(resumed) >= limit:
                return resumed
            if resume_by_itself(run_id, because=because):
                resumed.append(run_id)
    return resumed


def _mended(organization: Organization) -> Iterator[tuple[UUID, str]]:
    """Paused runs of one organisation that can go on, oldest first, and why, as it follows "because"."""
    config = get_ai_config(organization)
    rested = Q(run__auto_resumed_at=None) | Q(run__auto_resumed_at__lt=timezone.now() - AT_MOST_EVERY)
    # Of a paused run one step has failed.
    stopped = (
        Step.objects.filter(rested, status=StepStatus.FAILED, run__organization=organization)
        .filter(run__status=RunStatus.PAUSED, run__error_code__in=MENDABLE)
        .order_by("run__created_at")
    )
    yield from _with_a_key(config, stopped.filter(run__error_code__in=_KEY_TROUBLES))
    yield from _within_budgets(organization, stopped.filter(run__error_code="budget_exhausted"))
    yield from _within_the_free_tier(organization, config, stopped.filter(run__error_code="quota_exhausted"))
    yield from _on_another_model(config, stopped.filter(run__error_code="model_not_found"))


def _with_a_key(config: EffectiveConfig, stopped: QuerySet[Step]) -> Iterator[tuple[UUID, str]]:
    if config.provider == PLATFORM_DEFAULT:
        yield from _tried_before(stopped, _saved_at(config), "the platform's AI was chosen")
        return
    key = config.credential
    if key is None or key.status != CredentialStatus.OK:
        return
    yield from _tried_before(stopped, key.saved_at, "a new key was saved")
    shown_by_a_test = stopped.exclude(run__error_code__in=_ONLY_BY_A_NEW_KEY)
    yield from _tried_before(shown_by_a_test, key.checked_at, "the key works again")


def _within_budgets(organization: Organization, stopped: QuerySet[Step]) -> Iterator[tuple[UUID, str]]:
    # What a run's own cap has stopped names no sum.
    stopped = stopped.filter(run__budget_needed__isnull=False)
    for name in StepName.values:
        mine = stopped.filter(name=name)
        if mine.exists():
            room = room_for(organization.pk, name)
            fits = mine if room is None else mine.filter(run__budget_needed__lte=room)
            yield from _all(fits, "the budget has room again")


def _within_the_free_tier(
    organization: Organization, config: EffectiveConfig, stopped: QuerySet[Step]
) -> Iterator[tuple[UUID, str]]:
    if not stopped.exists():
        return
    key = config.credential
    if key is not None and key.status == CredentialStatus.OK:
        yield from _tried_before(stopped, key.saved_at, "a new key was saved")
    if free_tier_of(organization.pk).left:
        # Where an own key is in use, the free tier only helps what it had stood in for.
        free = stopped if config.provider == PLATFORM_DEFAULT else stopped.filter(on_platform=True)
        yield from _all(free, "there are free requests again")


def _on_another_model(config: EffectiveConfig, stopped: QuerySet[Step]) -> Iterator[tuple[UUID, str]]:
    for name in StepName.values:
        same = ["", config.meant_model(name)]
        yield from _all(stopped.filter(name=name).exclude(meant_model__in=same), "another model was chosen")


def _tried_before(stopped: QuerySet[Step], at: datetime | None, because: str) -> Iterator[tuple[UUID, str]]:
    if at is not None:
        yield from _all(stopped.filter(started_at__lt=at), because)


def _all(stopped: QuerySet[Step], because: str) -> Iterator[tuple[UUID, str]]:
    for run_id in stopped.values_list("run_id", flat=True):
        yield run_id, because


def _saved_at(config: EffectiveConfig) -> datetime | None:
    return AIConfig.objects.filter(organization_id=config.organization_id).values_list("updated_at", flat=True).first()
