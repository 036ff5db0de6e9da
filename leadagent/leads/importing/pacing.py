"""Starting the workflow of imported leads at a pace: so many at a time, and none while a run has to wait.

What limits the organisation, its key, its budget, its provider's rate, shows in the runs that are
under way: while one of them is paused or waits to try again, no further one is started.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from leadagent.leads.models import (
    ACTIVE,
    ImportStatus,
    Lead,
    LeadImport,
    RowOutcome,
    RunStatus,
    WorkflowRun,
)
from leadagent.leads.running.workflow import create_run


@dataclass(frozen=True, slots=True)
class Pace:
    """`started`: runs to tell a worker about. `goes_on`: whether more is to come."""

    started: list[UUID]
    goes_on: bool


def start_next_runs(import_id: UUID) -> Pace:
    """Start as many runs as may be under way at once. Of any number of callers one does."""
    with transaction.atomic():
        mine = LeadImport.objects.select_for_update(skip_locked=True)
        row = mine.filter(pk=import_id, status=ImportStatus.RUNNING).first()
        if row is None:
            return Pace([], False)
        waiting = row.rows.filter(outcome=RowOutcome.ADDED, run_started_at=None)
        free = 0 if held_up_by(row) else row.at_once - runs_of(row).filter(status__in=ACTIVE).count()
        started = []
        for each in list(waiting.order_by("line")[: max(free, 0)]):
            run_id = _start(each.lead_id, row)
            if run_id is not None:
                started.append(run_id)
            each.run_started_at = timezone.now()
            each.save(update_fields=["run_started_at"])
        if waiting.exists():
            return Pace(started, True)
        row.status, row.finished_at = ImportStatus.DONE, timezone.now()
        row.save(update_fields=["status", "finished_at"])
        return Pace(started, False)


def held_up_by(row: LeadImport) -> WorkflowRun | None:
    """A run of this import that waits for a person or for the provider: its reason holds up the others."""
    held = runs_of(row).filter(status__in=(RunStatus.PAUSED, RunStatus.WAITING))
    return held.order_by("-updated_at").first()


def runs_of(row: LeadImport) -> QuerySet[WorkflowRun]:
    """The runs of the leads that this import has added."""
    leads = row.rows.filter(outcome=RowOutcome.ADDED, run_started_at__isnull=False).values("lead")
    return WorkflowRun.objects.main().filter(organization_id=row.organization_id, lead__in=leads)


def _start(lead_id: UUID | None, row: LeadImport) -> UUID | None:
    """Start the lead's first run; None where the lead is gone or somebody has started one already."""
    lead = Lead.objects.select_for_update(no_key=True).filter(pk=lead_id).first() if lead_id else None
    if lead is None or lead.runs.exists():
        return None
    return create_run(lead, by=row.created_by).pk
