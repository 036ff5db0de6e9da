"""How a run's state is locked and changed: the ground that `workflow`, `leases` and `deciding` stand on.

The lead's row is the lock for everything about its runs: whoever changes a run, a step or a
draft locks the lead first, so that no two writers can wait for each other.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from leadagent.leads.models import Category, Lead, LeadEvent, LeadStatus, Qualification, RunStatus, WorkflowRun
from leadagent.leads.outcomes.events import note_outcome
from leadagent.tenants import audit


@dataclass(frozen=True, slots=True)
class TakenOver:
    """That the platform's AI stood in for the own key: the trouble's code, and the reason as it follows "because"."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelUse:
    """The model that a step ran on and the one it was meant for; `code` and `reason` say why they differ."""

    model: str
    meant: str
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step ended without a result. `retry_after` is the provider's wish in seconds.

    `taken_over`: the platform's AI had been asked in place of the own key, and it is what failed last.
    `model_use`: the model that was asked last, where one was. `budget_needed`: US dollars that the call which did
    not fit into a budget may have cost.
    """

    code: str
    sentence: str
    permanent: bool
    needs_admin: bool = False
    retry_after: float | None = None
    taken_over: TakenOver | None = None
    model_use: ModelUse | None = None
    budget_needed: Decimal | None = None


def lock_run(run_id: UUID) -> WorkflowRun | None:
    """The run, fresh, with its lead's row locked for the rest of the transaction; None when it is gone."""
    lead = (
        Lead.objects.select_for_update(of=("self",), no_key=True)
        .select_related("organization")
        .filter(runs__pk=run_id)
        .first()
    )
    if lead is None:
        return None
    run = WorkflowRun.objects.get(pk=run_id)
    run.lead = lead
    return run


def set_run(run: WorkflowRun, status: RunStatus, now: datetime, failure: StepFailure | None = None) -> None:
    """Move the locked run to `status`; what `failure` says replaces any earlier error."""
    run.status = status
    run.error_code = failure.code if failure else ""
    run.error_sentence = failure.sentence if failure else ""
    run.updated_at = now
    run.finished_at = now if status in (RunStatus.DONE, RunStatus.CANCELLED, RunStatus.FAILED) else None
    run.save(update_fields=["status", "error_code", "error_sentence", "updated_at", "finished_at"])


def set_lead_of(run: WorkflowRun, status: LeadStatus) -> None:
    """Move the locked run's lead to `status`, unless the run only compares models."""
    if not run.is_comparison:
        set_lead(run.lead, status)


def set_lead(lead: Lead, status: LeadStatus) -> None:
    """Move the locked lead to `status`."""
    lead.status, lead.last_activity_at = status, timezone.now()
    lead.save(update_fields=["status", "last_activity_at"])
    if status == LeadStatus.ATTENTION:
        note_outcome(lead, LeadEvent.NEEDS_ATTENTION, key=f"{lead.pk}:{lead.last_activity_at.isoformat()}")


def set_verdict(run: WorkflowRun, verdict: Qualification) -> None:
    """Store the verdict with the locked run. Its lead shows it from now on, unless the run only compares models."""
    run.category, run.reason, run.confidence = verdict.category, verdict.reason, verdict.confidence
    run.reasons = [reason.as_json() for reason in verdict.reasons]
    run.save(update_fields=["category", "reason", "confidence", "reasons"])
    if not run.is_comparison:
        set_category(run)


def set_category(run: WorkflowRun) -> None:
    """Let the locked run's lead show its verdict."""
    run.lead.category, run.lead.last_activity_at = run.category, timezone.now()
    run.lead.save(update_fields=["category", "last_activity_at"])
    if run.category == Category.QUALIFIED:
        note_outcome(run.lead, LeadEvent.QUALIFIED, key=run.pk)


def note_platform_use(run: WorkflowRun, operation: str, code: str, now: datetime) -> None:
    """Tell the audit log that the platform's AI stood in for the own key in the locked run: once per run."""
    if run.platform_used_at is not None:
        return
    run.platform_used_at = now
    run.save(update_fields=["platform_used_at"])
    audit.record(
        "fallback.used",
        organization=run.lead.organization,
        target=f"run {run.pk}",
        after={"operation": operation, "because": code},
    )
