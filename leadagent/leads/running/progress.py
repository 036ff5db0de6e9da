"""What the page of a lead shows about its newest run: words and figures, no markup."""

import hashlib
from dataclasses import dataclass

from django.utils import timezone

from leadagent.leads.emails.rewriting import newest_rewrite
from leadagent.leads.models import (
    Category,
    DraftStatus,
    EmailDraft,
    Lead,
    LeadStatus,
    RewriteStatus,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
    found_by_research,
)
from leadagent.leads.research.shown import ShownSources, shown_sources
from leadagent.leads.research.trace import Trace, trace_of
from leadagent.leads.running.mending import MENDABLE
from leadagent.leads.running.retrying import attempts_for


@dataclass(frozen=True, slots=True)
class Pill:
    """A word with its meaning and icon, as `components/pill.html` takes them."""

    kind: str
    icon: str
    word: str


# (kind, icon)
_LEAD_LOOKS = {
    LeadStatus.NEW: ("idle", "inbox"),
    LeadStatus.WORKING: ("busy", "loader-circle"),
    LeadStatus.REVIEW: ("warn", "clock"),
    LeadStatus.ATTENTION: ("bad", "circle-x"),
    LeadStatus.ANSWERED: ("good", "mail-check"),
    LeadStatus.CLOSED: ("idle", "archive"),
}
_CATEGORY_LOOKS = {
    Category.QUALIFIED: ("good", "circle-check"),
    Category.UNQUALIFIED: ("idle", "ban"),
    Category.SUPPORT: ("info", "life-buoy"),
    Category.FOLLOW_UP: ("info", "message-circle-question-mark"),
}


def lead_pill(lead: Lead) -> Pill:
    """Where the lead stands."""
    status = LeadStatus(lead.status)
    return Pill(*_LEAD_LOOKS[status], word=str(status.label))


def category_pill(category: str | None) -> Pill | None:
    """The verdict; None without one."""
    if not category:
        return None
    found = Category(category)
    return Pill(*_CATEGORY_LOOKS[found], word=str(found.label))


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step as `components/run_steps.html` takes it."""

    label: str
    state: str
    seconds: str = ""
    detail: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest run of a lead. `fingerprint` changes whenever anything here does."""

    run: WorkflowRun
    draft: EmailDraft | None
    steps: list[StepLine]
    report: str
    sources: ShownSources
    # What the research agent did; None before it began, and in runs of before it was written down.
    trace: Trace | None
    tool_calls: list[dict[str, str]]
    fingerprint: str
    is_rewriting: bool = False

    @property
    def goes_on_by_itself(self) -> bool:
        """Whether the run resumes without anybody's hand once what paused it is mended."""
        return self.run.status == RunStatus.PAUSED and self.run.error_code in MENDABLE

    @property
    def is_moving(self) -> bool:
        """Whether a worker is about to change something, so that looking again is worth it."""
        return (
            self.run.is_active
            or self.is_rewriting
            or (self.draft is not None and self.draft.status == DraftStatus.SENDING)
        )


def progress_of(lead: Lead) -> Progress | None:
    """The newest run of the lead with its steps, draft and trace (five queries); None before the first run."""
    run = lead.runs.main().select_related("organization").newest()
    if run is None:
        return None
    steps = list(run.steps.all())
    draft = EmailDraft.objects.select_related("edited_by", "approved_by").filter(run=run).first()
    rewrite = newest_rewrite(draft) if draft is not None else None
    found = found_by_research(steps)
    trace = trace_of(run)
    more = (str(rewrite), trace.fingerprint if trace is not None else "")
    return Progress(
        run=run,
        draft=draft,
        steps=step_lines(run, steps),
        report=str(found.get("report", "")),
        sources=shown_sources(found, run.organization.slug),
        trace=trace,
        tool_calls=list(found.get("tool_calls", [])),
        fingerprint=_fingerprint(lead, run, steps, draft, *more),
        is_rewriting=rewrite is not None and rewrite.status == RewriteStatus.WAITING,
    )


def step_lines(run: WorkflowRun, steps: list[Step]) -> list[StepLine]:
    """The steps of a run, in its order."""
    return [_line(run, step) for step in steps]


def _line(run: WorkflowRun, step: Step) -> StepLine:
    label = str(StepName(step.name).label)
    match step.status:
        case StepStatus.SUCCEEDED:
            return StepLine(label, "done", seconds=_seconds(step), detail=_finding(step), note=_note(step))
        case StepStatus.FAILED:
            # Why it failed stands in the banner above the steps.
            again = "Resume repeats this step only."
            return StepLine(label, "failed", seconds=_seconds(step), detail=again, note=_note(step))
        case StepStatus.RUNNING:
            tries = f"Attempt {step.attempts}." if step.attempts > 1 else ""
            return StepLine(label, "running", detail=tries)
    if run.status == RunStatus.CANCELLED:
        return StepLine(label, "stopped" if step.attempts else "skipped")
    if run.status in (RunStatus.FAILED, RunStatus.PAUSED):
        return StepLine(label, "waiting", detail="Starts once the step before it has succeeded.")
    return StepLine(label, "waiting", detail=_retry(step), note=_note(step))


def _seconds(step: Step) -> str:
    return f"{step.duration.total_seconds():.1f} s" if step.duration is not None else ""


def _finding(step: Step) -> str:
    result = step.result or {}
    if step.name == StepName.RESEARCH:
        calls = len(result.get("tool_calls", []))
        return {0: "No look-ups.", 1: "1 look-up."}.get(calls, f"{calls} look-ups.")
    if step.name == StepName.QUALIFICATION:
        return f"{Category(result['category']).label}." if result.get("category") in Category else ""
    return ""


def _note(step: Step) -> str:
    """That the platform's AI stood in for the own key, or another model for the one that was meant, and why."""
    done = "Done" if step.status == StepStatus.SUCCEEDED else "Tried"
    if step.on_platform:
        return f"{done} with the platform's AI, because {step.platform_reason}."
    if step.on_other_model and step.model_reason:
        return f"{done} with {step.model} in place of {step.meant_model}, because {step.model_reason}."
    if reason := (step.result or {}).get("searched_on_platform"):
        return f"The knowledge base was searched with the platform's AI, because {reason}."
    return ""


def _retry(step: Step) -> str:
    if step.next_attempt_at is None:
        return ""
    wait = max(0, round((step.next_attempt_at - timezone.now()).total_seconds()))
    of = attempts_for(step.error_code) + step.workers_lost
    return f"{step.error_sentence} Attempt {step.attempts + 1} of {of} {f'in about {wait} s' if wait else 'now'}."


def _fingerprint(lead: Lead, run: WorkflowRun, steps: list[Step], draft: EmailDraft | None, *more: str) -> str:
    parts = [lead.status, str(run.pk), run.status, run.updated_at.isoformat()]
    parts += [f"{step.status}{step.attempts}" for step in steps]
    parts += more
    if draft is not None:
        parts += [draft.status, str(draft.version), str(draft.bounced_at)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
