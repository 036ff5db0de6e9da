"""What a mail server's answer means, and what comes of it."""

import smtplib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from pytest_django import Settings

from leadagent.leads import tasks
from leadagent.leads.emails.deciding import approve_draft, cancel_schedule
from leadagent.leads.emails.refusals import Meaning, refusal_of
from leadagent.leads.emails.sending import PAUSES, UNKNOWN, send_draft, take_unsent_drafts
from leadagent.leads.models import DeliveryReport, DraftStatus, EmailDraft
from tests.factories import UserFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import draft_under_review

GOOD, NOW, UNKNOWN_END = Meaning.FOR_GOOD, Meaning.FOR_NOW, Meaning.UNKNOWN


@pytest.mark.parametrize(
    ("error", "handed_over", "meaning", "words"),
    [
        (
            smtplib.SMTPRecipientsRefused({"a@b.test": (550, b"5.1.1 no such user")}),
            True,
            GOOD,
            "550 5.1.1 no such user",
        ),
        (smtplib.SMTPRecipientsRefused({"a@b.test": (451, b"4.7.1 Greylisted")}), True, NOW, "451 4.7.1 Greylisted"),
        (smtplib.SMTPDataError(554, b"spam\r\nBcc: x"), True, GOOD, "554 spam Bcc: x"),
        (smtplib.SMTPSenderRefused(452, b"full", "a@b.test"), True, NOW, "452 full"),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 no"), False, GOOD, "535 5.7.8 no"),
        (smtplib.SMTPConnectError(421, b"busy"), False, NOW, "421 busy"),
        (ConnectionRefusedError(111, "Connection refused"), False, NOW, "[Errno 111] Connection refused"),
        (TimeoutError("timed out"), False, NOW, "timed out"),
        (TimeoutError("timed out"), True, UNKNOWN_END, "timed out"),
        (smtplib.SMTPServerDisconnected("gone"), True, UNKNOWN_END, "gone"),
        (smtplib.SMTPDataError(-1, b"?"), True, UNKNOWN_END, "?"),
        (smtplib.SMTPRecipientsRefused({}), True, UNKNOWN_END, "no reason given"),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), True, GOOD, "SMTPUTF8"),
    ],
)
def test_what_an_answer_means(error: Exception, handed_over: bool, meaning: Meaning, words: str) -> None:
    refusal = refusal_of(error, handed_over=handed_over)
    assert (refusal.meaning, refusal.words) == (meaning, words)


class Server(EmailBackend):
    """A mail server that answers as the test says: an error on opening, one on sending, one on leaving."""

    on_open: Exception | None = None
    on_send: Exception | None = None
    on_close: Exception | None = None

    def open(self) -> bool | None:
        if self.on_open:
            raise self.on_open
        return True

    def send_messages(self, messages: Any) -> int:
        if self.on_send:
            raise self.on_send
        return super().send_messages(messages)

    def close(self) -> None:
        if self.on_close:
            raise self.on_close


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> type[Server]:
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    for name in ("on_open", "on_send", "on_close"):
        monkeypatch.setattr(Server, name, None)
    return Server


def approved() -> EmailDraft:
    draft = draft_under_review()
    return approve_draft(draft, subject=draft.subject, body=draft.body, by=UserFactory(), version=draft.version)


@pytest.mark.django_db
def test_a_server_that_asks_to_wait_is_asked_again_later_and_later(server: type[Server], nudges: Nudges) -> None:
    draft = approved()
    server.on_send = smtplib.SMTPDataError(451, b"4.7.1 Greylisted")
    at = timezone.now()
    for attempt, pause in enumerate(PAUSES, start=1):
        with time_machine.travel(at, tick=False):
            assert not send_draft(draft.pk)
        draft.refresh_from_db()
        assert (draft.status, draft.scheduled_for, draft.send_attempts) == (DraftStatus.SCHEDULED, at + pause, attempt)
        assert f"attempt {attempt + 1} of {len(PAUSES) + 1}" in draft.error_sentence
        assert "451 4.7.1 Greylisted" in draft.error_sentence
        with time_machine.travel(at + pause - timedelta(seconds=1), tick=False):
            assert take_unsent_drafts() == []
        at += pause
        with time_machine.travel(at, tick=False):
            assert take_unsent_drafts() == [draft.pk]
    with time_machine.travel(at, tick=False):
        assert not send_draft(draft.pk)
    draft.refresh_from_db()
    assert draft.status == DraftStatus.SEND_FAILED
    assert "after 6 attempts" in draft.error_sentence
    reports = list(DeliveryReport.objects.values_list("code", "status", "is_permanent"))
    assert reports == [(451, "4.7.1", False)] * 6
    assert mail.outbox == []


@pytest.mark.django_db
def test_the_second_attempt_sends_it_once(server: type[Server], nudges: Nudges) -> None:
    draft = approved()
    server.on_open = ConnectionRefusedError("away")
    assert not send_draft(draft.pk)
    server.on_open = None
    nudges.take()
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        for _ in range(3):
            tasks.sweep_runs()
        for name, draft_id, _ in nudges.take():
            assert name == "send_email"
            send_draft(draft_id)
    assert len(mail.outbox) == 1
    draft.refresh_from_db()
    assert (draft.status, draft.error_sentence) == (DraftStatus.SENT, "")


@pytest.mark.django_db
def test_what_waits_can_be_taken_back(server: type[Server]) -> None:
    draft = approved()
    server.on_send = smtplib.SMTPDataError(451, b"later")
    send_draft(draft.pk)
    draft.refresh_from_db()
    cancel_schedule(draft, by=UserFactory(), version=draft.version)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert take_unsent_drafts() == []
    assert not send_draft(draft.pk)


@pytest.mark.django_db
def test_a_refusal_for_good_is_not_repeated(server: type[Server]) -> None:
    draft = approved()
    server.on_send = smtplib.SMTPRecipientsRefused({"x": (550, b"5.1.1 <b>no</b> such user")})
    send_draft(draft.pk)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert take_unsent_drafts() == []
    report = draft.deliveries.get()
    assert (report.is_permanent, report.words) == (True, "550 5.1.1 <b>no</b> such user")


@pytest.mark.django_db
def test_trouble_while_leaving_does_not_unsend_a_mail(server: type[Server]) -> None:
    draft = approved()
    server.on_close = smtplib.SMTPServerDisconnected("gone")
    assert send_draft(draft.pk)
    draft.refresh_from_db()
    assert (draft.status, len(mail.outbox)) == (DraftStatus.SENT, 1)


@pytest.mark.django_db
def test_an_unknown_end_is_never_repeated_by_itself(server: type[Server]) -> None:
    draft = approved()
    server.on_send = TimeoutError("timed out")
    send_draft(draft.pk)
    draft.refresh_from_db()
    assert (draft.status, draft.error_sentence) == (DraftStatus.SEND_FAILED, UNKNOWN)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert take_unsent_drafts() == []
