"""Closing a lead by hand, because nothing more is to be done, and opening it again."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.models import OPEN, DraftStatus, EmailDraft, Lead, LeadStatus
from leadagent.leads.running.run_state import set_lead
from leadagent.leads.running.workflow import supersede
from leadagent.tenants import audit
from leadagent.tenants.models import User


def close_lead(lead: Lead, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Close the lead; a run that waits for a person ends with it, its draft unsent. False where it is closed already.

    Raises `RunConflict` while a worker is busy with it or its email is being sent.
    """
    with transaction.atomic():
        locked = _locked(lead)
        if locked.status == LeadStatus.CLOSED:
            return False
        run = locked.runs.main().filter(status__in=OPEN).first()
        if run is not None:
            supersede(run, timezone.now())
        _move(locked, LeadStatus.CLOSED, "lead.closed", by=by, request=request)
    lead.status = locked.status
    return True


def reopen_lead(lead: Lead, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Open a closed lead again: answered if an email went out, else new. False where it is not closed."""
    with transaction.atomic():
        locked = _locked(lead)
        if locked.status != LeadStatus.CLOSED:
            return False
        answered = EmailDraft.objects.filter(run__lead=locked, status=DraftStatus.SENT).exists()
        status = LeadStatus.ANSWERED if answered else LeadStatus.NEW
        _move(locked, status, "lead.reopened", by=by, request=request)
    lead.status = locked.status
    return True


def _locked(lead: Lead) -> Lead:
    return (
        Lead.objects.select_for_update(of=("self",), no_key=True)
        .select_related("organization")
        .defer("search")
        .get(pk=lead.pk)
    )


def _move(lead: Lead, status: LeadStatus, action: str, *, by: User | None, request: HttpRequest | None) -> None:
    before = lead.status
    set_lead(lead, status)
    audit.record(
        action,
        organization=lead.organization,
        actor=by,
        target=f"lead {lead.pk}",
        before={"status": before},
        after={"status": status.value},
        request=request,
    )
