"""The organisation's voice: saved by admins, read by members, never over someone else's words."""

import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from leadagent.leads.emails.voice import VoiceConflict, save_voice, voice_of, with_signature
from leadagent.leads.models import Voice
from leadagent.tenants.models import AuditEvent, Membership, Organization

pytestmark = pytest.mark.django_db
VALUES = {
    "sender_name": "Acme Sales", "reply_to": "sales@acme.test", "signature": "Jo Bloggs\nAcme", "language": "German",
    "tone": "warm", "notes": "",
}  # fmt: skip
SignIn = Callable[[Membership], Client]


def where(organization: Organization) -> str:
    return reverse("leads:voice", args=[organization.slug])


def test_an_admin_saves_it_and_it_is_audited(organization: Organization, admin: Membership, signed_in: SignIn) -> None:
    answer = signed_in(admin).post(where(organization), {**VALUES, "version": 0})
    assert answer.status_code == 302
    stored = voice_of(organization)
    assert {name: getattr(stored, name) for name in VALUES} == VALUES
    assert stored.version == 1
    [event] = AuditEvent.objects.filter(action="voice.saved")
    assert (event.after or {})["reply_to"] == "sales@acme.test"


def test_a_member_reads_and_may_not_save(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    client = signed_in(member)
    page = client.get(where(organization)).content.decode()
    assert "The person who approves" in page
    assert '<form method="post" action="' + where(organization) not in page
    assert client.post(where(organization), {**VALUES, "version": 0}).status_code == 403
    assert not Voice.objects.exists()


def test_of_two_saves_the_later_is_told(organization: Organization, admin: Membership, signed_in: SignIn) -> None:
    save_voice(organization, VALUES, by=admin.user, version=0)
    answer = signed_in(admin).post(where(organization), {**VALUES, "sender_name": "Mine", "version": 0})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Acme Sales" in page
    assert 'value="Mine"' in page
    assert voice_of(organization).sender_name == "Acme Sales"
    with pytest.raises(VoiceConflict):
        save_voice(organization, VALUES, by=admin.user, version=0)


@pytest.mark.parametrize("version", ["", "x", "-1"])
def test_a_page_that_does_not_say_what_was_read_is_told_so_and_keeps_what_was_typed(
    organization: Organization, admin: Membership, signed_in: SignIn, version: str
) -> None:
    answer = signed_in(admin).post(where(organization), {**VALUES, "sender_name": "Mine", "version": version})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "did not say which text you had read" in page
    assert 'value="Mine"' in page
    assert 'name="version" value="0"' in page
    assert not Voice.objects.filter(version__gt=0).exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"reply_to": "a@b.test\r\nBcc: all@world.test"},
        {"reply_to": "a@b.test, c@d.test"},
        {"reply_to": "jürgen@acme.test"},
        {"sender_name": "Acme\r\nBcc: all@world.test"},
        {"language": "Klingon"},
        {"tone": "rude"},
        {"signature": "x" * 601},
        {"notes": "Use sk-or-v1-0123456789abcdef0123456789abcdef please"},
        {"signature": "sk-ant-api03-0123456789abcdef"},
    ],
)
def test_what_cannot_be_a_voice_is_refused(
    organization: Organization, admin: Membership, signed_in: SignIn, bad: dict[str, Any]
) -> None:
    answer = signed_in(admin).post(where(organization), {**VALUES, "version": 0, **bad})
    if "sender_name" in bad:
        # A field of one line drops line breaks; what is left is a harmless name.
        assert "\n" not in voice_of(organization).sender_name
        return
    assert answer.status_code == 422
    assert not Voice.objects.filter(version__gt=0).exists()
    page = answer.content.decode()
    assert "0123456789abcdef" not in page
    if "notes" in bad:
        assert "Use [key removed] please" in page


def test_the_signature_stands_once_and_word_for_word() -> None:
    voice = Voice(signature="Jo\nAcme")
    once = with_signature("Dear Ann,\n\nyes.\n", voice)
    assert once == "Dear Ann,\n\nyes.\n\nJo\nAcme"
    assert with_signature(once, voice) == once
    assert with_signature("Hello", Voice()) == "Hello"


def test_an_example_goes_to_the_admin_who_asks_and_to_nobody_else(
    organization: Organization, admin: Membership, member: Membership, signed_in: SignIn
) -> None:
    save_voice(organization, VALUES, by=admin.user, version=0)
    here = reverse("leads:voice_test", args=[organization.slug])
    assert signed_in(member).post(here).status_code == 403
    assert mail.outbox == []
    assert signed_in(admin).post(here, {"to": "all@world.test"}).status_code == 302
    [message] = mail.outbox
    assert (message.recipients(), message.reply_to) == (["admin@acme.test"], ["sales@acme.test"])
    assert message.from_email == "Acme Sales <leadagent@localhost>"
    assert message.body.endswith("Jo Bloggs\nAcme")


def test_a_mail_server_that_refuses_is_told(
    organization: Organization, admin: Membership, signed_in: SignIn, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.RefusingBackend"
    page = signed_in(admin).post(reverse("leads:voice_test", args=["acme"]), follow=True).content.decode()
    assert "did not take it (553 5.7.1 not your address)" in page


def test_examples_are_few(organization: Organization, admin: Membership, signed_in: SignIn) -> None:
    client = signed_in(admin)
    for _ in range(12):
        client.post(reverse("leads:voice_test", args=["acme"]))
    assert len(mail.outbox) == 10


class RefusingBackend(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPSenderRefused(553, b"5.7.1 not your address", "x")
