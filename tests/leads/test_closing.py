"""Closing a lead by hand, and opening it again."""

from collections.abc import Callable

import pytest
from django.test import Client

from leadagent.leads.inbox.closing import close_lead, reopen_lead
from leadagent.leads.models import DraftStatus, EmailDraft, Lead, LeadStatus, RunStatus
from leadagent.leads.running.workflow import RunConflict
from leadagent.tenants.models import AuditEvent, Membership
from tests.leads.factories import LeadFactory, draft_under_review, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def test_closing_ends_what_waits_for_a_person(member: Membership) -> None:
    draft = draft_under_review(organization=member.organization)
    lead = draft.run.lead

    assert close_lead(lead, by=member.user)
    assert not close_lead(lead, by=member.user)

    draft.refresh_from_db()
    draft.run.refresh_from_db()
    assert (draft.status, draft.run.status) == (DraftStatus.DISCARDED, RunStatus.CANCELLED)
    assert Lead.objects.get(pk=lead.pk).status == LeadStatus.CLOSED
    assert AuditEvent.objects.filter(action="lead.closed").count() == 1


def test_closing_waits_for_workers(member: Membership) -> None:
    busy = run_for(LeadFactory(organization=member.organization)).lead
    sending = draft_under_review(organization=member.organization)
    EmailDraft.objects.filter(pk=sending.pk).update(status=DraftStatus.SENDING)

    for lead in (busy, sending.run.lead):
        with pytest.raises(RunConflict):
            close_lead(lead, by=member.user)
        assert Lead.objects.get(pk=lead.pk).status != LeadStatus.CLOSED
    sending.refresh_from_db()
    assert sending.status == DraftStatus.SENDING


def test_a_lead_opens_again_as_what_it_was(member: Membership, signed_in: SignIn) -> None:
    client = signed_in(member)
    fresh = LeadFactory(organization=member.organization)
    draft = draft_under_review(organization=member.organization)
    answered = draft.run.lead
    EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENT)
    draft.run.status = RunStatus.DONE
    draft.run.save(update_fields=["status"])

    for lead in (fresh, answered):
        assert not reopen_lead(lead, by=member.user)
        assert client.post(f"/o/acme/leads/{lead.pk}/close/").status_code == 302
        assert Lead.objects.get(pk=lead.pk).status == LeadStatus.CLOSED
        assert "Open it again" in client.get(f"/o/acme/leads/{lead.pk}/").content.decode()
        assert client.post(f"/o/acme/leads/{lead.pk}/reopen/").status_code == 302

    assert [Lead.objects.get(pk=lead.pk).status for lead in (fresh, answered)] == ["new", "answered"]
