"""Deciding on a draft: nobody overwrites what they have not seen."""

from collections.abc import Callable

import pytest

from leadagent.leads.emails.deciding import DraftConflict, approve_draft, discard_draft, edit_draft
from leadagent.leads.models import DraftStatus, EmailDraft, LeadStatus, RunStatus, WorkflowRun
from leadagent.tenants.models import AuditEvent, User
from tests.factories import UserFactory
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db


def test_an_edit_is_kept_beside_what_the_model_wrote() -> None:
    draft, by = draft_under_review(), UserFactory()

    edited = edit_draft(draft, subject="Gears for you", body="Dear Ann,\r\nyes.", by=by, version=1)

    assert (edited.subject, edited.body, edited.version, edited.edited_by) == (
        "Gears for you",
        "Dear Ann,\nyes.",
        2,
        by,
    )
    assert (edited.original_subject, edited.original_body) == (draft.subject, draft.body)
    assert edited.was_edited


def test_saving_without_a_change_is_no_edit() -> None:
    draft = draft_under_review()

    same = edit_draft(draft, subject=draft.subject, body=f"{draft.body}\r\n", by=UserFactory(), version=1)

    assert (same.version, same.edited_by, same.was_edited) == (1, None, False)


def _edit(draft: EmailDraft, by: User) -> EmailDraft:
    return edit_draft(draft, subject="Bob's", body="Bob's text", by=by, version=1)


def _approve(draft: EmailDraft, by: User) -> EmailDraft:
    return approve_draft(draft, subject="Bob's", body="Bob's text", by=by, version=1)


def _discard(draft: EmailDraft, by: User) -> EmailDraft:
    return discard_draft(draft, by=by, version=1)


@pytest.mark.parametrize("act", [_edit, _approve, _discard])
def test_an_older_version_is_refused_and_nothing_of_the_newer_one_is_lost(
    act: Callable[[EmailDraft, User], EmailDraft],
) -> None:
    draft, ann, bob = draft_under_review(), UserFactory(), UserFactory()
    edit_draft(draft, subject="Ann's", body="Ann's text", by=ann, version=1)

    with pytest.raises(DraftConflict) as caught:
        act(draft, bob)

    assert (caught.value.current.body, caught.value.current.edited_by) == ("Ann's text", ann)
    stored = EmailDraft.objects.get(pk=draft.pk)
    assert (stored.subject, stored.status, stored.version) == ("Ann's", DraftStatus.DRAFT, 2)


def test_approval_is_of_the_text_on_the_screen() -> None:
    draft, by = draft_under_review(), UserFactory()

    approved = approve_draft(draft, subject="As seen", body="As seen.", by=by, version=1)

    assert (approved.status, approved.subject, approved.approved_by) == (DraftStatus.SENDING, "As seen", by)
    event = AuditEvent.objects.get(action="email.approved")
    assert (event.organization, event.actor) == (draft.run.organization, by)


@pytest.mark.parametrize("status", [DraftStatus.SENDING, DraftStatus.SENT, DraftStatus.DISCARDED])
def test_what_is_decided_stays_decided(status: DraftStatus) -> None:
    draft, by = draft_under_review(), UserFactory()
    EmailDraft.objects.filter(pk=draft.pk).update(status=status)

    with pytest.raises(DraftConflict):
        edit_draft(draft, subject="Late", body="Late.", by=by, version=1)
    with pytest.raises(DraftConflict):
        approve_draft(draft, subject="Late", body="Late.", by=by, version=1)
    with pytest.raises(DraftConflict):
        discard_draft(draft, by=by, version=1)

    stored = EmailDraft.objects.get(pk=draft.pk)
    assert (stored.status, stored.subject) == (status, draft.subject)


def test_discarding_ends_the_run_and_closes_the_lead() -> None:
    draft, by = draft_under_review(), UserFactory()

    discard_draft(draft, by=by, version=1)

    run = WorkflowRun.objects.select_related("lead").get(pk=draft.run_id)
    assert (run.status, run.lead.status) == (RunStatus.DONE, LeadStatus.CLOSED)
    assert run.finished_at is not None
    assert AuditEvent.objects.filter(action="email.discarded", actor=by).exists()


def test_a_subject_is_one_line() -> None:
    draft = draft_under_review()

    edited = edit_draft(
        draft, subject="Hello\r\nBcc: all@world.example\x00", body=draft.body, by=UserFactory(), version=1
    )

    assert edited.subject == "Hello Bcc: all@world.example"
