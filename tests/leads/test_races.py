"""Real connections at the same moment: one of them wins, and nothing is lost or done twice."""

import threading

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from leadagent.leads import tasks
from leadagent.leads.emails.deciding import DraftConflict, approve_draft, cancel_schedule, discard_draft, edit_draft
from leadagent.leads.emails.rewriting import ask_for_rewrite, perform_rewrite
from leadagent.leads.emails.sending import send_draft, take_unsent_drafts
from leadagent.leads.emails.voice import VoiceConflict, save_voice
from leadagent.leads.knowledge import indexing
from leadagent.leads.models import (
    Chunk,
    DraftStatus,
    EmailDraft,
    Lead,
    PromptVersion,
    RunStatus,
    Step,
    StepName,
    Voice,
    WorkflowRun,
)
from leadagent.leads.prompts.versions import PromptConflict, save_prompt
from leadagent.leads.running.leases import Claim, claim_step
from leadagent.leads.running.workflow import RunConflict, cancel_run, resume_run, start_run, take_due_runs
from tests.at_once import at_once
from tests.factories import OrganizationFactory, UserFactory
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory, LeadFactory, draft_under_review, run_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_many_workers_with_the_same_run_one_gets_the_step() -> None:
    run = run_for(LeadFactory())

    claims = at_once(*[lambda: claim_step(run.pk)] * 6)

    assert sum(isinstance(claim, Claim) for claim in claims) == 1
    assert claims.count(None) == 5
    assert run.steps.get(name=StepName.RESEARCH).attempts == 1


def test_two_workers_given_the_same_run_work_every_step_once(provider: FakeProvider) -> None:
    run = run_for(LeadFactory())

    for _ in range(3):
        ends = at_once(*[lambda: tasks.advance_run(str(run.pk))] * 2)
        assert ends == [None, None]

    assert sorted(provider.operations) == ["email_generation", "qualification", "research"]
    assert WorkflowRun.objects.get(pk=run.pk).status == RunStatus.AWAITING_REVIEW
    assert list(Step.objects.filter(run=run).values_list("attempts", flat=True)) == [1, 1, 1]


def test_a_worker_waits_for_another_that_is_just_claiming() -> None:
    """The second one asks while the first one's transaction is still open."""
    run = run_for(LeadFactory())
    claimed, asked = threading.Event(), threading.Event()

    def slow() -> Claim | None:
        with transaction.atomic():
            claim = claim_step(run.pk)
            claimed.set()
            asked.wait(5)
            return claim

    def late() -> Claim | None:
        claimed.wait(5)
        threading.Timer(0.3, asked.set).start()
        return claim_step(run.pk)

    first, second = at_once(slow, late)

    assert isinstance(first, Claim)
    assert second is None


def test_two_people_start_one_run() -> None:
    lead = LeadFactory()

    ends = at_once(*[lambda: start_run(lead)] * 4)

    assert sum(isinstance(end, WorkflowRun) for end in ends) == 1
    assert sum(isinstance(end, RunConflict) for end in ends) == 3
    assert lead.runs.count() == 1


def test_cancel_against_resume_leaves_one_state() -> None:
    run = run_for(LeadFactory())
    WorkflowRun.objects.filter(pk=run.pk).update(status=RunStatus.PAUSED)

    ends = at_once(lambda: cancel_run(run), lambda: resume_run(run))

    # Either order is right: a resumed run may be cancelled, a cancelled one may not be resumed.
    assert isinstance(ends[0], WorkflowRun)
    assert WorkflowRun.objects.get(pk=run.pk).status == RunStatus.CANCELLED


def test_two_beats_take_a_run_once() -> None:
    runs = [run_for(LeadFactory()).pk for _ in range(5)]

    taken = at_once(*[take_due_runs] * 3)

    assert sorted(pk for ids in taken if isinstance(ids, list) for pk in ids) == sorted(runs)


def test_an_approved_email_is_sent_by_one_worker() -> None:
    draft = draft_under_review()
    approve_draft(draft, subject=draft.subject, body=draft.body, by=UserFactory(), version=1)

    sent = at_once(*[lambda: send_draft(draft.pk)] * 5)

    assert sorted(sent, key=str) == [False] * 4 + [True]
    assert len(mail.outbox) == 1
    assert EmailDraft.objects.get(pk=draft.pk).status == DraftStatus.SENT


def test_of_two_editors_one_is_told() -> None:
    draft = draft_under_review()
    ann, bob = UserFactory(), UserFactory()

    ends = at_once(
        lambda: edit_draft(draft, subject="Ann's", body="Ann's text", by=ann, version=1),
        lambda: edit_draft(draft, subject="Bob's", body="Bob's text", by=bob, version=1),
    )

    conflicts = [end for end in ends if isinstance(end, DraftConflict)]
    saved = EmailDraft.objects.get(pk=draft.pk)
    assert len(conflicts) == 1
    assert saved.version == 2
    assert saved.subject in {"Ann's", "Bob's"}
    assert conflicts[0].current.body == saved.body


def test_approving_and_discarding_at_once_does_one_of_them() -> None:
    draft = draft_under_review()
    ann, bob = UserFactory(), UserFactory()

    ends = at_once(
        lambda: approve_draft(draft, subject=draft.subject, body=draft.body, by=ann, version=1),
        lambda: discard_draft(draft, by=bob, version=1),
    )

    assert sum(isinstance(end, DraftConflict) for end in ends) == 1
    status = EmailDraft.objects.get(pk=draft.pk).status
    run = WorkflowRun.objects.get(pk=draft.run_id)
    assert (status, run.status) in {
        (DraftStatus.SENDING, RunStatus.AWAITING_REVIEW),
        (DraftStatus.DISCARDED, RunStatus.DONE),
    }


def test_a_document_is_prepared_by_one_worker(provider: FakeProvider) -> None:
    document = DocumentFactory()

    at_once(*[lambda: indexing.index_document(document.pk)] * 4)

    assert provider.operations == ["embedding"]
    assert Chunk.objects.filter(document=document).count() == 1


def test_work_is_announced_only_once_it_is_committed(nudges: Nudges) -> None:
    lead = LeadFactory()
    with transaction.atomic():
        run = start_run(lead)
        tasks.nudge_run(run.pk)
        assert nudges.names == []
    assert nudges.names == ["advance_run"]

    other = LeadFactory()
    with transaction.atomic():
        tasks.nudge_run(start_run(other).pk)
        transaction.set_rollback(True)
    assert nudges.names == ["advance_run"]
    assert not Lead.objects.get(pk=other.pk).runs.exists()


def _send_what_is_due() -> int:
    return sum(send_draft(draft_id) for draft_id in take_unsent_drafts())


def test_of_many_beats_one_sends_a_scheduled_email() -> None:
    draft = draft_under_review()
    approve_draft(draft, subject="S", body="B", by=UserFactory(), version=1, send_at=timezone.now())

    ends = at_once(*[_send_what_is_due] * 6)

    assert sorted(ends, key=str) == [0, 0, 0, 0, 0, 1]
    assert len(mail.outbox) == 1


def test_an_email_is_taken_back_or_sent_and_never_both() -> None:
    for _ in range(5):
        mail.outbox.clear()
        draft, by = draft_under_review(), UserFactory()
        approve_draft(draft, subject="S", body="B", by=by, version=1, send_at=timezone.now())
        stored = EmailDraft.objects.get(pk=draft.pk)

        taken_back, sent = at_once(
            lambda stored=stored, by=by: cancel_schedule(stored, by=by, version=stored.version),  # type: ignore[misc]
            _send_what_is_due,
        )

        after = EmailDraft.objects.get(pk=draft.pk)
        if isinstance(taken_back, DraftConflict):
            assert (sent, after.status, len(mail.outbox)) == (1, DraftStatus.SENT, 1)
        else:
            assert (sent, after.status, len(mail.outbox)) == (0, DraftStatus.DRAFT, 0)


def test_of_many_workers_one_rewrites_a_draft(provider: FakeProvider) -> None:
    draft = draft_under_review()
    asked = ask_for_rewrite(draft, "Shorter.", subject="S", body="B", by=UserFactory(), version=1)
    provider.calls.clear()

    assert at_once(*[lambda: perform_rewrite(asked.pk)] * 4) == [None] * 4

    assert provider.operations == ["email_generation"]
    assert draft.revisions.filter(kind="regenerated").count() == 1


def test_two_versions_of_a_prompt_get_two_numbers_or_a_conflict() -> None:
    organization, by = OrganizationFactory(), UserFactory()

    ends = at_once(
        *[
            lambda text=text: save_prompt(organization, StepName.RESEARCH, text, by=by, seen=0)
            for text in ("One.", "Two.", "Three.")
        ]
    )

    assert sum(isinstance(end, PromptConflict) for end in ends) == 2
    assert PromptVersion.objects.count() == 1


def test_of_two_voices_saved_at_once_one_is_told() -> None:
    organization, by = OrganizationFactory(), UserFactory()
    values = {"reply_to": "", "signature": "", "language": "", "tone": "plain", "notes": ""}

    ends = at_once(
        *[
            lambda name=name: save_voice(organization, {**values, "sender_name": name}, by=by, version=0)
            for name in ("Ann", "Bob")
        ]
    )

    assert sum(isinstance(end, VoiceConflict) for end in ends) == 1
    assert Voice.objects.get().version == 1
