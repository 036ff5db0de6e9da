"""What each step does, between its claim and the storing of how it ended."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from byok.calls.model_fallback import FailedOnOwnModel, OwnModel
from byok.calls.platform_fallback import FailedOnPlatform, Fallback, OnPlatform, own_key_first
from byok.config.ai_config import get_ai_config
from byok.errors import AIError
from leadagent.leads.emails.writing import write_email
from leadagent.leads.models import StepName, WorkflowRun
from leadagent.leads.research import research
from leadagent.leads.running import event_loop
from leadagent.leads.running.leases import Claim, LeaseLost, StepOutcome, complete_step, fail_step, renew_lease
from leadagent.leads.running.qualify import qualify
from leadagent.leads.running.run_state import ModelUse, StepFailure, TakenOver
from leadagent.telemetry.context import bound
from leadagent.telemetry.traces import note_error, span

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0


def perform_step(claim: Claim) -> timedelta | None:
    """Do the claimed step outside any transaction and store its end.

    Returns the pause after which the run wants a worker again (zero when the next step
    waits), or None when it wants none.
    """
    with (
        bound(run_id=claim.run_id, step=claim.name, attempt=claim.attempt),
        span(f"step {claim.name}", {"leadagent.run_id": str(claim.run_id), "leadagent.attempt": claim.attempt}),
    ):
        try:
            outcome = _perform(claim)
            if isinstance(outcome, StepFailure):
                note_error(outcome.code)
                return fail_step(claim, outcome)
            return timedelta(0) if complete_step(claim, outcome) else None
        except (LeaseLost, event_loop.HeartbeatStopped):
            logger.info("Step %s of run %s is no longer wanted; its result is dropped", claim.name, claim.run_id)
            return None


def _perform(claim: Claim) -> StepOutcome | StepFailure:
    meant = ""
    try:
        run = WorkflowRun.objects.select_related("lead", "organization").get(pk=claim.run_id)
        meant = run.chosen_models.get(claim.name) or get_ai_config(run.organization).meant_model(claim.name)
        with (
            bound(organization=run.organization.slug),
            event_loop.heartbeat(partial(_still_wanted, claim), every=HEARTBEAT_SECONDS),
        ):
            outcome, fallback = _on_own_key_first(run, claim)
        taken_over, model_use = _how_it_ran(meant, fallback)
        return replace(outcome, taken_over=taken_over, model_use=model_use)
    except AIError as error:
        taken_over, model_use = _how_it_ran(meant, error)
        return StepFailure(
            code=error.code,
            sentence=error.sentence,
            permanent=error.permanent,
            needs_admin=error.needs_admin,
            retry_after=error.retry_after,
            taken_over=taken_over,
            model_use=model_use,
            budget_needed=error.needed,
        )
    except (DatabaseError, InterfaceError, event_loop.HeartbeatStopped):
        # Nothing can be stored now: the lease runs out and the sweep tries again.
        raise
    except Exception:
        logger.exception("Step %s of run %s broke", claim.name, claim.run_id)
        return BROKEN


def _on_own_key_first(run: WorkflowRun, claim: Claim) -> tuple[StepOutcome, Fallback | None]:
    """The step on the organisation's own models; on the platform's AI where the key fails and consent allows.

    A short rate limit is waited for before another model is asked: the first attempt ends with it. Nothing stands in
    for a model that a person chose for this run.
    """
    work = partial(_WORK[claim.name], run)
    if chosen := run.chosen_models.get(claim.name):
        wish = OwnModel(chosen)
        return work(wish), wish
    return own_key_first(
        run.organization,
        claim.name,
        work,
        granted=claim.name in run.platform_grant,
        patient=claim.attempt == 1,
    )


def _how_it_ran(meant: str, by: Fallback | AIError | None) -> tuple[TakenOver | None, ModelUse | None]:
    """What stood in for the configured model, told by what gave the result or by the error that ended the step."""
    if isinstance(by, FailedOnOwnModel):
        by = by.instead
    match by:
        case OwnModel():
            return None, ModelUse(by.model, meant, by.error.code if by.error else "", by.reason)
        case OnPlatform():
            taken_over = TakenOver(by.error.code, by.reason)
        case FailedOnPlatform():
            taken_over = TakenOver(by.taken_over.code, by.taken_over.reason)
        case _:
            return None, ModelUse(meant, meant) if meant else None
    return taken_over, ModelUse(settings.PLATFORM_CHAT_MODEL, meant, taken_over.code, taken_over.reason)


def _still_wanted(claim: Claim) -> bool:
    """Renew the lease. A database that is away for a moment does not stop a step: storing it checks the lease."""
    try:
        return renew_lease(claim)
    except (OperationalError, InterfaceError):
        connection.close_if_unusable_or_obsolete()
        return True


BROKEN = StepFailure(
    code="internal_error",
    sentence="Lead Agent itself failed during this step; the operator's log says more. Resume the run to try again.",
    permanent=True,
)


def _research(run: WorkflowRun, fallback: Fallback | None) -> StepOutcome:
    report = research(run.lead, run=run, fallback=fallback)
    return StepOutcome(
        {
            "report": report.text,
            "tool_calls": report.tool_calls,
            "requests": report.requests,
            # Why the platform's AI searched the knowledge base in place of the own key; empty where it did not.
            "searched_on_platform": report.searched_on_platform,
            "sources": list(report.sources),
            "cited": list(report.cited),
            "dropped_citations": report.dropped_citations,
            "gaps": list(report.gaps),
        }
    )


def _qualify(run: WorkflowRun, fallback: Fallback | None) -> StepOutcome:
    verdict = qualify(run.lead, _report(run), run=run, fallback=fallback)
    told = {
        "category": verdict.category,
        "reason": verdict.reason,
        "confidence": verdict.confidence,
        "reasons": [reason.as_json() for reason in verdict.reasons],
    }
    return StepOutcome(told, qualification=verdict)


def _write_email(run: WorkflowRun, fallback: Fallback | None) -> StepOutcome:
    verdict = run.qualification
    if verdict is None:
        raise RuntimeError(f"Run {run.pk} has no verdict although its qualification step has succeeded.")
    email = write_email(run.lead, _report(run), verdict, run=run, fallback=fallback)
    return StepOutcome({"subject": email.subject}, email=email)


def _report(run: WorkflowRun) -> str:
    result = run.steps.get(name=StepName.RESEARCH).result or {}
    return str(result["report"])


_WORK: dict[StepName, Callable[[WorkflowRun, Fallback | None], StepOutcome]] = {
    StepName.RESEARCH: _research,
    StepName.QUALIFICATION: _qualify,
    StepName.EMAIL_GENERATION: _write_email,
}
