"""An email that is approved for a later time: sent once, or taken back."""

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from leadagent.leads import tasks
from leadagent.leads.emails.deciding import (
    DraftConflict,
    approve_draft,
    cancel_schedule,
    discard_draft,
)
from leadagent.leads.emails.sending import send_draft, take_unsent_drafts
from leadagent.leads.models import DraftStatus, EmailDraft, RunStatus, WorkflowRun
from leadagent.leads.running.workflow import start_run
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import UserFactory
from tests.leads.conftest import Nudges
from tests.leads.draft_pages import page_of, where
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def scheduled(draft: EmailDraft, *, hours: int = 1) -> EmailDraft:
    at = timezone.now() + timedelta(hours=hours)
    return approve_draft(draft, subject="S", body="B", by=UserFactory(), version=draft.version, send_at=at)


def test_a_scheduled_email_goes_out_once_at_its_time(nudges: Nudges) -> None:
    draft = scheduled(draft_under_review())
    assert not send_draft(draft.pk)
    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        tasks.sweep_runs()
        assert not send_draft(draft.pk)
    assert "send_email" not in nudges.names
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        tasks.sweep_runs()
        tasks.sweep_runs()
        for name, draft_id, _ in nudges.take():
            if name == "send_email":
                send_draft(draft_id)
        tasks.sweep_runs()
    assert "send_email" not in nudges.names
    assert len(mail.outbox) == 1
    assert WorkflowRun.objects.get(pk=draft.run_id).status == RunStatus.DONE


def test_what_is_taken_back_is_not_sent() -> None:
    draft = scheduled(draft_under_review())
    with pytest.raises(DraftConflict):
        cancel_schedule(draft, by=UserFactory(), version=draft.version - 1)
    back = cancel_schedule(draft, by=UserFactory(), version=draft.version)
    assert (back.status, back.scheduled_for, back.approved_by) == (DraftStatus.DRAFT, None, None)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert take_unsent_drafts() == []
    assert not send_draft(draft.pk)
    assert list(AuditEvent.objects.filter(action__startswith="email.").values_list("action", flat=True)) == [
        "email.scheduled", "email.schedule_cancelled",
    ]  # fmt: skip


def test_one_cannot_take_back_what_is_on_its_way() -> None:
    draft = scheduled(draft_under_review())
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert take_unsent_drafts() == [draft.pk]
        with pytest.raises(DraftConflict):
            cancel_schedule(draft, by=UserFactory(), version=draft.version)
        assert send_draft(draft.pk)


@pytest.mark.parametrize("act", ["discard", "new run"])
def test_a_discarded_email_is_not_sent_at_its_time(act: str) -> None:
    draft = scheduled(draft_under_review())
    if act == "discard":
        discard_draft(draft, by=UserFactory(), version=draft.version)
    else:
        start_run(draft.run.lead)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert take_unsent_drafts() == []
    assert EmailDraft.objects.get(pk=draft.pk).status == DraftStatus.DISCARDED


def test_the_schedule_button(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization)
    client, fields = signed_in(member), {"subject": "S", "body": "Typed.", "version": 1}
    now = timezone.now().astimezone(UTC)
    bad = ["", "soon", f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M}", f"{now + timedelta(days=91):%Y-%m-%dT%H:%M}",
           "9999-12-31T23:59", "2027-02-30T10:00"]  # fmt: skip
    for send_at in bad:
        answer = client.post(where("schedule", draft), {**fields, "send_at": send_at})
        assert answer.status_code == 422, send_at
        assert "Typed." in answer.content.decode()
    assert EmailDraft.objects.get(pk=draft.pk).status == DraftStatus.DRAFT

    at = (now + timedelta(hours=5)).replace(second=0, microsecond=0)
    assert client.post(where("schedule", draft), {**fields, "send_at": f"{at:%Y-%m-%dT%H:%M}"}).status_code == 302
    stored = EmailDraft.objects.get(pk=draft.pk)
    assert (stored.status, stored.scheduled_for, stored.body) == (DraftStatus.SCHEDULED, at, "Typed.")
    page = page_of(client, draft)
    assert f"{at:%Y-%m-%d %H:%M} UTC" in page
    assert "hours from now" in page
    assert client.post(where("save", draft), {**fields, "version": 2}).status_code == 409
    assert client.post(where("unschedule", draft), {"version": 2}).status_code == 302
    assert "<textarea" in page_of(client, draft)


def test_a_viewer_decides_nothing(organization: Organization, viewer: Membership, signed_in: SignIn) -> None:
    draft = scheduled(draft_under_review(organization=organization))
    page = page_of(signed_in(viewer), draft)
    assert "Cancel schedule" not in page
    assert 'class="form"' not in page
