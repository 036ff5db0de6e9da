"""The mail as it goes out: its thread, its sender, its text, and nothing smuggled into its headers."""

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage as Parsed
from typing import Any

import pytest
from django.core import mail

from leadagent.leads.emails.deciding import approve_draft
from leadagent.leads.emails.flowed import joined
from leadagent.leads.emails.message import message_for
from leadagent.leads.emails.sending import send_draft
from leadagent.leads.emails.voice import save_voice
from leadagent.leads.models import EmailDraft, Lead, RunStatus, Voice, WorkflowRun
from leadagent.leads.running.leases import complete_step
from leadagent.leads.running.workflow import start_run
from leadagent.tenants.models import User
from tests.factories import UserFactory
from tests.leads.factories import OUTCOMES, claimed, draft_under_review

pytestmark = pytest.mark.django_db
VOICE = {"sender_name": "", "reply_to": "", "signature": "", "language": "", "tone": "plain", "notes": ""}
INJECTION = "Hello\r\nBcc: all@world.example"


def parsed(draft: EmailDraft) -> Parsed:
    raw = message_for(stored(draft)).message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # Django's own
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    return email.message_from_bytes(raw, policy=policy.default)


def stored(draft: EmailDraft) -> EmailDraft:
    return EmailDraft.objects.select_related("run__lead__organization", "approved_by").get(pk=draft.pk)


def approved(body: str = "Dear Ann,\n\nshall we talk?", **lead: Any) -> EmailDraft:
    draft = draft_under_review(**lead)
    by = User.objects.filter(email="member@acme.test").first() or UserFactory(email="member@acme.test")
    return approve_draft(draft, subject=draft.subject, body=body, by=by, version=draft.version)


def next_draft(lead: Lead) -> EmailDraft:
    run = start_run(lead)
    for _ in range(3):
        claim = claimed(run)
        complete_step(claim, OUTCOMES[claim.name])
    return EmailDraft.objects.select_related("run__lead").get(run=run)


def test_a_persons_mail_in_plain_text() -> None:
    text = "Dear Ann,\n\n" + "we would like to show you how our gears fit yours, " * 6 + "yes\n\n漢字 ü € " + "x" * 300
    message = parsed(approved(text, organization__name="Acmé & Söhne"))
    assert message.get_content_type() == "text/plain"
    assert message["Content-Type"].params["format"] == "flowed"
    assert message["Content-Transfer-Encoding"] == "quoted-printable"
    assert joined(message.get_content().replace("\r\n", "\n").rstrip("\n")) == text
    assert message["From"].addresses[0].display_name == "Acmé & Söhne"
    assert message["Date"].datetime is not None
    assert message["Reply-To"] == "member@acme.test"
    for name in ("Auto-Submitted", "Precedence", "In-Reply-To", "References", "Bcc", "X-Mailer"):
        assert message[name] is None


def test_the_voice_names_sender_and_answers() -> None:
    draft = approved()
    values = {**VOICE, "sender_name": "Acme Sales", "reply_to": "sales@acme.test"}
    save_voice(draft.run.organization, values, by=UserFactory(), version=0)
    message = parsed(draft)
    assert message["From"] == "Acme Sales <leadagent@localhost>"
    assert message["Reply-To"] == "sales@acme.test"


def test_mails_to_one_lead_are_one_thread() -> None:
    first = approved()
    lead = first.run.lead
    send_draft(first.pk)
    second = next_draft(lead)
    approve_draft(second, subject="Again", body="Again.", by=UserFactory(), version=1)
    send_draft(second.pk)
    third = next_draft(lead)

    assert parsed(third)["In-Reply-To"] == second.message_id
    assert parsed(third)["References"].split() == [first.message_id, second.message_id]
    assert mail.outbox[1].message()["In-Reply-To"] == first.message_id
    assert mail.outbox[0].message()["References"] is None
    assert parsed(approved())["References"] is None


def test_a_long_thread_names_its_last_mails() -> None:
    draft = approved()
    for day in range(1, 26):
        run = WorkflowRun.objects.create(
            organization=draft.run.lead.organization, lead=draft.run.lead, status=RunStatus.DONE
        )
        EmailDraft.objects.create(
            run=run, subject="x", body="x", status="sent", sent_at=datetime(2026, 1, day, tzinfo=UTC),
            message_id=f"<{day}@test>",
        )  # fmt: skip
    assert parsed(draft)["References"].split() == [f"<{day}@test>" for day in range(6, 26)]


def test_no_stored_text_becomes_a_header() -> None:
    draft = approved()
    Voice.objects.create(
        organization=draft.run.organization, sender_name=INJECTION, reply_to="sales@acme.test", version=1
    )
    assert parsed(draft)["Bcc"] is None

    for field, model, row in (
        ("reply_to", Voice, {"organization": draft.run.organization}),
        ("message_id", EmailDraft, {"pk": draft.pk}),
        ("subject", EmailDraft, {"pk": draft.pk}),
    ):
        before = model.objects.filter(**row).values_list(field, flat=True).get()
        model.objects.filter(**row).update(**{field: INJECTION})
        assert not send_draft(draft.pk), field
        assert mail.outbox == [], field
        model.objects.filter(**row).update(**{field: before})
        EmailDraft.objects.filter(pk=draft.pk).update(status="sending", send_started_at=None)
    assert send_draft(draft.pk)
    assert mail.outbox[0].recipients() == [draft.run.lead.email]
