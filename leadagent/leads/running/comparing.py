"""Comparing models on one lead: a second run beside the first, whose draft may take the place of the open one."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from byok.catalog.offered_models import find_models
from byok.config.ai_config import get_ai_config
from byok.config.values import CHAT_OPERATIONS, InvalidConfig, validated_operation_models
from byok.models import PLATFORM_DEFAULT
from leadagent.leads.models import (
    OPEN,
    DraftStatus,
    EmailDraft,
    Lead,
    LeadStatus,
    RunStatus,
    WorkflowRun,
)
from leadagent.leads.running.run_state import lock_run, set_category, set_lead, set_run
from leadagent.leads.running.workflow import RunConflict, create_run, supersede
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User


def may_compare(organization: Organization) -> bool:
    """Whether there are models to choose from: the platform's AI has one."""
    return get_ai_config(organization).provider != PLATFORM_DEFAULT


def checked_models(organization: Organization, given: Mapping[str, str]) -> dict[str, str]:
    """The model of every step: the chosen ones, and for the others the one in use.

    Raises `InvalidConfig` at `model_<operation>` for a model that the organisation's provider does not offer.
    """
    config = get_ai_config(organization)
    if config.provider == PLATFORM_DEFAULT:
        raise InvalidConfig("", "The platform's AI has one model. Add your own key to compare models.")
    named = {operation: name.strip() for operation, name in given.items() if name.strip()}
    if not named:
        raise InvalidConfig("", "Choose at least one model.")
    models = validated_operation_models(config.provider, named)
    known = find_models(config.provider, "chat", models.values(), organization=organization)
    for operation, name in models.items():
        offered = known.get(name)
        if name not in config.chosen_chat_models and (offered is None or offered.retired_on is not None):
            raise InvalidConfig(f"model_{operation}", f"{name} is not among the models that can be chosen.")
    return {operation: models.get(operation) or config.meant_model(operation) for operation in CHAT_OPERATIONS}


def start_comparison(
    lead: Lead, models: Mapping[str, str], *, by: User | None = None, request: HttpRequest | None = None
) -> WorkflowRun:
    """Run the workflow once more on `models` (of `checked_models`), beside the newest run; nothing of it is sent.

    Raises `RunConflict` where there is nothing to compare with, or another comparison is under way.
    """
    with transaction.atomic():
        locked = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
        main = locked.runs.main().newest()
        if main is None or main.is_active:
            raise RunConflict("There is nothing to compare with before the first run has ended.")
        if locked.runs.filter(is_comparison=True, status__in=OPEN).exists():
            raise RunConflict("Another comparison of this lead is under way.")
        run = create_run(locked, by=by, compared_with=main, chosen_models=models)
        audit.record(
            "run.compared",
            organization=locked.organization,
            actor=by,
            target=f"run {run.pk}",
            after={"lead": str(locked.pk), "beside": f"run {main.pk}", "models": dict(models)},
            request=request,
        )
    return run


def why_unusable(run: WorkflowRun, main: WorkflowRun | None) -> str:
    """Why the draft of this comparison cannot take the place of the lead's `main` run's; empty where it can."""
    if not run.is_comparison or not EmailDraft.objects.filter(run=run, status=DraftStatus.COMPARED).exists():
        return "This comparison has no draft that could be used."
    if main is None or main.is_active or main.created_at > run.created_at:
        return "A newer run of this lead exists; this comparison stays as it is."
    if main.status == RunStatus.DONE:
        return "This lead's email was decided on already."
    return ""


def use_comparison(run: WorkflowRun, *, by: User, request: HttpRequest | None = None) -> WorkflowRun:
    """Put the comparison's draft in the place of the open one, for review. Raises `RunConflict`.

    The run that it takes the place of is cancelled and its draft discarded, as by running again.
    """
    now = timezone.now()
    with transaction.atomic():
        locked = lock_run(run.pk)
        if locked is None:
            raise RunConflict("This comparison is gone.")
        main = locked.lead.runs.main().newest()
        if problem := why_unusable(locked, main):
            raise RunConflict(problem)
        if main is not None and main.status in OPEN:
            supersede(main, now)
        locked.is_comparison = False
        locked.save(update_fields=["is_comparison"])
        EmailDraft.objects.filter(run=locked).update(status=DraftStatus.DRAFT, version=F("version") + 1)
        set_run(locked, RunStatus.AWAITING_REVIEW, now)
        set_category(locked)
        set_lead(locked.lead, LeadStatus.REVIEW)
        audit.record(
            "run.comparison_used",
            organization=locked.lead.organization,
            actor=by,
            target=f"run {locked.pk}",
            after={"lead": str(locked.lead_id), "in_place_of": f"run {main.pk}" if main else ""},
            request=request,
        )
    return locked


def comparisons_of(lead: Lead) -> list[WorkflowRun]:
    """The comparisons of a lead, newest first, those whose draft was taken over too."""
    return list(lead.runs.filter(compared_with__isnull=False).order_by("-created_at")[:10])
