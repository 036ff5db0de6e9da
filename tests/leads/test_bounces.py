"""Notices of mail servers: taken from the pipe, matched by Message-ID, harmless whatever is in them."""

import io
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from leadagent.leads.emails.bounces import read_bounce, take_bounce
from leadagent.leads.emails.deciding import approve_draft
from leadagent.leads.emails.sending import send_draft
from leadagent.leads.models import DeliveryReport, EmailDraft, Lead, LeadStatus
from leadagent.tenants.models import AuditEvent, Role
from tests.factories import MembershipFactory, UserFactory
from tests.leads.factories import draft_under_review

NOTICE = """\
From: MAILER-DAEMON@mx.gears.example
To: leadagent@localhost
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.gears.example
Arrival-Date: Thu, 26 Nov 2026 04:00:00 +0000

Final-Recipient: rfc822; ann@gears.example
Original-Recipient: rfc822;ann@gears.example
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ann@gears.example>: {said}

--b
{returned}
--b--
"""
HEADERS = "Content-Type: text/rfc822-headers\n\nFrom: leadagent@localhost\nMessage-ID: {id}\nSubject: x\n"
WHOLE = "Content-Type: message/rfc822\n\nFrom: leadagent@localhost\nMessage-ID: {id}\nSubject: x\n\nDear Ann\n"


def notice(message_id: str, *, action: str = "failed", returned: str = HEADERS, said: str = "User unknown") -> bytes:
    return NOTICE.format(action=action, returned=returned.format(id=message_id), said=said).encode()


def sent() -> EmailDraft:
    draft = draft_under_review(email="ann@gears.example")
    approve_draft(draft, subject=draft.subject, body=draft.body, by=UserFactory(), version=draft.version)
    send_draft(draft.pk)
    return draft


@pytest.mark.django_db
@pytest.mark.parametrize("returned", [HEADERS, WHOLE], ids=["headers", "whole mail"])
def test_a_returned_mail_is_shown_with_its_lead(returned: str) -> None:
    draft = sent()
    said = take_bounce(notice(draft.message_id, returned=returned, said="<script>alert(1)</script>"))
    assert said == f"Stored as returned for email {draft.pk}."
    report = draft.deliveries.get()
    assert (report.kind, report.status, report.code, report.is_permanent, report.recipient) == (
        "returned", "5.1.1", 550, True, "ann@gears.example",
    )  # fmt: skip
    draft.refresh_from_db()
    assert draft.bounced_at is not None
    lead = Lead.objects.get(pk=draft.run.lead_id)
    assert lead.status == LeadStatus.ATTENTION
    assert AuditEvent.objects.filter(action="email.returned", organization=lead.organization).count() == 1

    client = Client()
    client.force_login(MembershipFactory(organization=lead.organization, role=Role.VIEWER).user)
    page = client.get(reverse("leads:detail", args=[lead.organization.slug, lead.pk])).content.decode()
    assert "It did not reach" in page or "it did not reach" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.django_db
def test_a_delay_changes_nothing_but_what_is_shown() -> None:
    draft = sent()
    take_bounce(notice(draft.message_id, action="Delayed"))
    draft.refresh_from_db()
    assert (draft.deliveries.get().kind, draft.bounced_at) == ("delayed", None)
    assert Lead.objects.get(pk=draft.run.lead_id).status == LeadStatus.ANSWERED


@pytest.mark.django_db
def test_the_same_notice_twice_is_one_and_many_are_few() -> None:
    draft = sent()
    for _ in range(2):
        take_bounce(notice(draft.message_id))
    assert DeliveryReport.objects.count() == 1
    for number in range(40):
        take_bounce(notice(draft.message_id, said=f"again {number}"))
    assert DeliveryReport.objects.count() == 20


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "", "failed; drop table"])
def test_other_actions_are_left_alone(action: str) -> None:
    draft = sent()
    take_bounce(notice(draft.message_id, action=action))
    assert not DeliveryReport.objects.exists()


@pytest.mark.django_db
def test_a_notice_about_nothing_of_ours_does_nothing() -> None:
    draft = draft_under_review()
    # Never sent: nobody can know this id.
    assert "none of our emails" in take_bounce(notice(draft.message_id))
    assert "none of our emails" in take_bounce(notice("<x@y>"))
    assert "No delivery status" in take_bounce(b"From: a@b\n\nHello")
    assert not DeliveryReport.objects.exists()


NESTED = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: message/rfc822\n\n" * 3000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 5000,
        b"Content-Type: multipart/report; report-type=delivery-status\n\n",
        b"Content-Type: message/delivery-status\n\nAction: failed\nStatus: 9.9.9\nDiagnostic-Code: x\n",
        b"Content-Type: message/delivery-status; charset=nonsense\n\n\xff\xfe\n\nAction: failed\nStatus: 5.0.0\n",
        NESTED,
        b'Content-Type: multipart/report; boundary="' + b"x" * 90_000 + b'"\n\n',
        notice("<a@b>", returned="Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n@@@@\n"),
        notice("<a@b>", said="\x00\x1b[31m" + "y" * 100_000),
    ],
    ids=range(9),
)
def test_hostile_mails_are_read_without_harm(raw: bytes) -> None:
    bounce = read_bounce(raw)
    if bounce is not None:
        assert len(bounce.text) <= 500
        assert bounce.text.isprintable()
        assert len(bounce.recipient) <= 254


@given(st.binary(max_size=400), st.integers(0, 900), st.integers(0, 60))
def test_a_broken_notice_never_raises(junk: bytes, at: int, cut: int) -> None:
    whole = notice("<a@b>", returned=WHOLE)
    read_bounce(whole[:at] + junk + whole[at + cut :])


class _Pipe:
    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


@pytest.mark.django_db
def test_the_command_reads_the_pipe(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    draft = sent()
    monkeypatch.setattr(sys, "stdin", _Pipe(notice(draft.message_id, returned=WHOLE) + b"x" * 3_000_000))
    call_command("take_bounce")
    assert "Stored as returned" in capsys.readouterr().out
    assert sys.stdin.buffer.read() == b""


@pytest.mark.django_db
def test_the_mail_server_tries_again_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(raw: bytes) -> str:
        raise OperationalError("away")

    monkeypatch.setattr("leadagent.leads.management.commands.take_bounce.take_bounce", away)
    monkeypatch.setattr(sys, "stdin", _Pipe(b"x"))
    with pytest.raises(SystemExit) as ended:
        call_command("take_bounce")
    assert ended.value.code == 75
