"""An approved email goes out once, as one safe mail, or says why it did not."""

import smtplib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from pytest_django import Settings

from leadagent.leads import tasks
from leadagent.leads.emails.deciding import approve_draft
from leadagent.leads.emails.message import message_for
from leadagent.leads.emails.sending import LOST_AFTER, UNKNOWN, send_draft, take_unsent_drafts
from leadagent.leads.models import DraftStatus, EmailDraft, Lead, LeadStatus, RunStatus, WorkflowRun
from tests.factories import UserFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import draft_under_review

pytestmark = pytest.mark.django_db


class RefusingBackend(EmailBackend):
    """A mail server that takes nothing."""

    error: Exception = smtplib.SMTPRecipientsRefused({"ann@gears.example": (550, b"no such user")})

    def send_messages(self, messages: Any) -> int:
        raise self.error


class SilentBackend(RefusingBackend):
    error = TimeoutError("timed out")


def approved(**lead: Any) -> EmailDraft:
    draft = draft_under_review(**lead)
    by = UserFactory(email="member@acme.test")
    return approve_draft(draft, subject=draft.subject, body=draft.body, by=by, version=draft.version)


def stored(draft: EmailDraft) -> EmailDraft:
    return EmailDraft.objects.select_related("run__lead").get(pk=draft.pk)


def test_it_is_sent_from_the_organisation_and_answers_reach_the_person() -> None:
    draft = approved(organization__name="Acme", email="ann@gears.example")

    assert send_draft(draft.pk)

    [message] = mail.outbox
    assert (message.subject, message.body, message.to) == (draft.subject, draft.body, ["ann@gears.example"])
    assert message.from_email == "Acme <leadagent@localhost>"
    assert message.reply_to == ["member@acme.test"]
    assert message.message()["Message-ID"] == draft.message_id
    after = stored(draft)
    assert after.status == DraftStatus.SENT
    assert after.sent_at is not None
    assert (after.run.status, after.run.lead.status) == (RunStatus.DONE, LeadStatus.ANSWERED)


def test_sending_again_sends_nothing() -> None:
    draft = approved()
    send_draft(draft.pk)

    assert not send_draft(draft.pk)
    assert len(mail.outbox) == 1


def test_what_nobody_approved_is_not_sent() -> None:
    draft = draft_under_review()

    assert not send_draft(draft.pk)
    assert mail.outbox == []


def test_a_refusal_says_why_and_can_be_repeated_with_the_same_message_id(settings: Settings) -> None:
    draft = approved()
    settings.EMAIL_BACKEND = f"{__name__}.RefusingBackend"

    assert not send_draft(draft.pk)

    after = stored(draft)
    assert after.status == DraftStatus.SEND_FAILED
    assert "no such user" in after.error_sentence
    assert (after.run.status, after.run.lead.status) == (RunStatus.AWAITING_REVIEW, LeadStatus.ATTENTION)

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    approve_draft(after, subject=after.subject, body=after.body, by=UserFactory(), version=after.version)
    assert send_draft(draft.pk)
    assert mail.outbox[0].message()["Message-ID"] == draft.message_id


def test_a_broken_connection_is_told_as_not_known(settings: Settings) -> None:
    draft = approved()
    settings.EMAIL_BACKEND = f"{__name__}.SilentBackend"

    assert not send_draft(draft.pk)

    assert stored(draft).error_sentence == UNKNOWN


def test_no_line_break_reaches_a_header() -> None:
    draft = approved(organization__name="Acme\r\nBcc: all@world.example")
    assert message_for(stored(draft)).message()["From"].count("\n") == 0

    EmailDraft.objects.filter(pk=draft.pk).update(subject="Hello\r\nBcc: all@world.example")
    assert not send_draft(draft.pk)

    assert mail.outbox == []
    assert stored(draft).status == DraftStatus.SEND_FAILED


@pytest.mark.parametrize("address", ["ann@gears.example\nbcc: all@world.example", "a@b.example, all@world.example"])
def test_no_second_recipient_is_smuggled_in(address: str) -> None:
    draft = approved()
    draft.run.lead.email = address

    with pytest.raises(ValidationError, match="valid email address"):
        message_for(draft).message()


def test_an_address_that_is_none_is_told_so() -> None:
    draft = approved()
    Lead.objects.filter(pk=draft.run.lead_id).update(email="a@b.example, all@world.example")

    assert not send_draft(draft.pk)

    assert stored(draft).status == DraftStatus.SEND_FAILED
    assert mail.outbox == []


def test_the_sweep_repeats_a_lost_nudge(nudges: Nudges) -> None:
    approved()
    assert take_unsent_drafts() == []

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        tasks.sweep_runs()

    assert nudges.names == ["send_email"]


def test_an_email_whose_worker_died_is_not_sent_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = approved()

    def die(message: EmailMessage, fail_silently: bool = False) -> int:
        raise SystemExit

    monkeypatch.setattr(EmailMessage, "send", die)
    with pytest.raises(SystemExit):
        send_draft(draft.pk)
    monkeypatch.undo()

    with time_machine.travel(timezone.now() + LOST_AFTER + timedelta(seconds=1)):
        assert take_unsent_drafts() == []

    after = stored(draft)
    assert (after.status, after.error_sentence) == (DraftStatus.SEND_FAILED, UNKNOWN)
    assert mail.outbox == []
    assert WorkflowRun.objects.get(pk=draft.run_id).status == RunStatus.AWAITING_REVIEW
