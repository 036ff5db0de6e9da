"""With which prompts a run was done, for the page of its lead."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from leadagent.leads.models import StepName, WorkflowRun


@dataclass(frozen=True, slots=True)
class PromptUse:
    """`digest`: the beginning of the text's SHA-256. `url`: the version's page; empty for who may not open it."""

    step: str
    version: str
    digest: str
    url: str = ""


def prompts_used(run: WorkflowRun, *, org: str, may_open: bool) -> list[PromptUse]:
    """The prompt of each step that has asked a model (one query)."""
    steps = run.steps.exclude(prompt_version="").values_list("name", "prompt_version", "prompt_digest")
    return [
        PromptUse(str(StepName(name).label), version, digest[:12], _url(org, name, version) if may_open else "")
        for name, version, digest in steps
    ]


def _url(org: str, operation: str, version: str) -> str:
    kind, _, number = version.rpartition(" v")
    if kind == "own" and number.isdecimal():
        return reverse("leads:prompt_version", args=[org, operation, int(number)])
    return reverse("leads:prompt", args=[org, operation])
