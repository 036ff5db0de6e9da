"""The draft's texts, its time, and what in it nobody told."""

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leadagent.leads import tasks
from leadagent.leads.emails.deciding import (
    DraftConflict,
    approve_draft,
    cancel_schedule,
    discard_draft,
    edit_draft,
    restore_revision,
)
from leadagent.leads.emails.panel import doubts_about
from leadagent.leads.emails.sending import send_draft, take_unsent_drafts
from leadagent.leads.models import DraftStatus, EmailDraft, RunStatus, Step, WorkflowRun
from leadagent.leads.running.workflow import start_run
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import UserFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import DocumentFactory, draft_under_review

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]


def where(act: str, draft: EmailDraft) -> str:
    return reverse(f"leads:draft_{act}", args=["acme", draft.pk])


def page_of(client: Client, draft: EmailDraft) -> str:
    return client.get(reverse("leads:detail", args=["acme", draft.run.lead_id])).content.decode()


def scheduled(draft: EmailDraft, *, hours: int = 1) -> EmailDraft:
    at = timezone.now() + timedelta(hours=hours)
    return approve_draft(draft, subject="S", body="B", by=UserFactory(), version=draft.version, send_at=at)


# --- Texts


def test_every_text_is_kept_with_its_author() -> None:
    draft, ann, bob = draft_under_review(), UserFactory(), UserFactory()
    edit_draft(draft, subject="A", body="Ann's", by=ann, version=1)
    approve_draft(draft, subject="A", body="Bob's", by=bob, version=2)
    assert list(draft.revisions.values_list("number", "kind", "body", "author")) == [
        (1, "written", draft.body, None), (2, "edited", "Ann's", ann.pk), (3, "edited", "Bob's", bob.pk),
    ]  # fmt: skip


def test_going_back_is_an_edit_too() -> None:
    draft, ann = draft_under_review(), UserFactory()
    edit_draft(draft, subject="A", body="Ann's", by=ann, version=1)
    with pytest.raises(DraftConflict):
        restore_revision(draft, 1, by=ann, version=1)
    restored = restore_revision(draft, 1, by=ann, version=2)
    assert (restored.body, restored.version) == (draft.body, 3)
    assert draft.revisions.get(number=3).restored_from == 1


def test_the_history_shows_what_changed(organization: Organization, viewer: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization)
    edit_draft(draft, subject=draft.subject, body="Dear Ann,\n\nshall we meet?", by=UserFactory(), version=1)
    edit_draft(draft, subject=draft.subject, body="Hello", by=UserFactory(), version=2)
    client = signed_in(viewer)
    page = client.get(where("history", draft) + "?old=1&new=2").content.decode()
    assert "talk?" in page.partition("<del>")[2].partition("</del>")[0]
    assert "meet?" in page.partition("<ins>")[2].partition("</ins>")[0]
    assert "Use this text" not in page
    for query in ("?old=9&new=x", "?old=²&new=99999999999", ""):
        assert client.get(where("history", draft) + query).status_code == 200
    assert "All 3 texts" in page_of(client, draft)


def test_restoring_by_the_button(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization)
    edit_draft(draft, subject="A", body="Ann's", by=UserFactory(), version=1)
    client = signed_in(member)
    assert client.post(where("restore", draft), {"number": 9, "version": 2}).status_code == 404
    assert client.post(where("restore", draft), {"number": 1, "version": 1}).status_code == 409
    assert client.post(where("restore", draft), {"number": 1, "version": 2}).status_code == 302
    assert EmailDraft.objects.get(pk=draft.pk).body == draft.body


# --- Time


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


# --- Doubts


def test_what_nobody_told_is_marked(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization, message="We need 400 licences.")
    edit_draft(draft, subject="Gears", body="400 licences cost $9 each with 20% off.", by=UserFactory(), version=1)
    page = page_of(signed_in(member), draft)
    assert "Not found in the report: 2" in page
    assert page.count("<mark>") + page.count('<mark title="Not found in the report') == 4
    assert ">$9</mark>" in page
    assert ">20%</mark>" in page
    assert ">400</mark>" not in page


def test_passages_of_the_knowledge_base_count_as_told() -> None:
    draft = draft_under_review()
    draft = edit_draft(draft, subject="Gears", body="It costs $12 and $13.", by=UserFactory(), version=1)
    run = WorkflowRun.objects.select_related("lead", "organization").get(pk=draft.run_id)
    found = doubts_about(draft, run)
    assert found is not None
    assert [part.text for part in found.said] == ["$12", "$13"]
    own, foreign = DocumentFactory(organization=run.organization), DocumentFactory()
    for document, text in ((own, "It costs 12 dollars."), (foreign, "It costs 13 dollars.")):
        document.chunks.create(organization=document.organization, position=0, text=text)
    step = Step.objects.get(run=run, name="research")
    step.result = {**(step.result or {}), "sources": [
        {"kind": "knowledge", "ref": str(own.pk)}, {"kind": "knowledge", "ref": str(foreign.pk)},
        {"kind": "knowledge", "ref": "x"}, {"kind": "page"},
    ]}  # fmt: skip
    step.save()
    found = doubts_about(draft, run)
    assert found is not None
    assert [part.text for part in found.said] == ["$13"]
