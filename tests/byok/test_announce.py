"""Every admin is told once, whatever is killed, fails or runs twice."""

import signal
import threading
from datetime import timedelta
from email import message_from_bytes, policy
from io import StringIO
from pathlib import Path
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.migrating.announcing import NAME
from byok.models import Announcement
from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.at_once import at_once
from tests.byok.keys import KEYS
from tests.byok.own_process import start, wait_until
from tests.factories import MembershipFactory, OrganizationFactory


def run(*options: str, fails: bool = False) -> str:
    out = StringIO()
    failure: CommandError | None = None
    try:
        call_command("announce_byok", *options, stdout=out, stderr=StringIO())
    except CommandError as error:
        failure = error
    assert (failure is not None) == fails, f"{out.getvalue()}{failure}"
    assert failure is None or failure.returncode == 1
    return f"{out.getvalue()}{failure or ''}"


def with_admins(slug: str, admins: int = 2) -> Organization:
    organization = OrganizationFactory(name=slug.title(), slug=slug)
    for number in range(admins):
        MembershipFactory(organization=organization, user__email=f"admin{number}@{slug}.test", role=Role.ADMIN)
    return organization


def told() -> list[str]:
    return sorted(message.to[0] for message in mail.outbox)


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://leadagent.example.test"
    settings.DEFAULT_FROM_EMAIL = "Lead Agent <hello@example.test>"


@pytest.mark.django_db
class TestWhoIsTold:
    def test_each_admin_gets_a_mail_of_their_own_and_nobody_else(self) -> None:
        acme = with_admins("acme")
        MembershipFactory(organization=acme, user__email="member@acme.test", role=Role.MEMBER)
        gone = MembershipFactory(organization=acme, user__email="gone@acme.test", role=Role.ADMIN).user
        gone.is_active = False
        gone.save(update_fields=["is_active"])
        report = run()
        assert "sent     acme: 2 admins" in report
        assert "1 organisations: 1 sent, 0 skipped, 0 failed; 2 mails" in report
        assert told() == ["admin0@acme.test", "admin1@acme.test"]
        assert all(len(message.to) == 1 and not message.cc and not message.bcc for message in mail.outbox)
        row = Announcement.objects.get()
        assert (row.organization, row.name, row.recipients) == (acme, NAME, 2)
        assert row.sent_at is not None
        assert AuditEvent.objects.get(action="announcement.sent").after == {"recipients": 2}

    def test_running_it_again_tells_nobody_twice(self) -> None:
        with_admins("acme")
        run()
        late = Organization.objects.get()
        MembershipFactory(organization=late, user__email="late@acme.test", role=Role.ADMIN)
        assert "skipped  acme: told on " in run()
        assert len(mail.outbox) == 2

    def test_who_is_left_out_and_why(self, settings: Settings) -> None:
        own, closed, empty = with_admins("own"), with_admins("closed"), with_admins("empty", admins=0)
        save_ai_config(own, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"])
        settings.BYOK_ALLOWED_ORGS = frozenset({"own", "empty"})
        report = run()
        assert "skipped  own: it has chosen a provider of its own already" in report
        assert "skipped  closed: own keys are not enabled for it" in report
        assert "skipped  empty: it has no admin yet" in report
        assert mail.outbox == []
        # They are told once the reason is gone.
        settings.BYOK_ALLOWED_ORGS = frozenset()
        save_ai_config(own, provider="platform_default")
        MembershipFactory(organization=empty, user__email="admin@empty.test", role=Role.ADMIN)
        run()
        assert len(told()) == 5
        assert closed.announcements.count() == 1

    def test_nobody_while_own_keys_are_switched_off(self, settings: Settings) -> None:
        with_admins("acme")
        settings.BYOK_ENABLED = False
        assert "0 sent, 1 skipped" in run()

    def test_one_organisation_and_a_limit(self) -> None:
        for slug in ("first", "second", "third"):
            with_admins(slug, admins=1)
        run("--organization", "second")
        assert told() == ["admin0@second.test"]
        run("--limit", "1")
        assert told() == ["admin0@first.test", "admin0@second.test"]
        assert "no organisation with the address nowhere" in run("--organization", "nowhere", fails=True)
        assert "--limit must be 1 or more" in run("--limit", "0", fails=True)

    def test_a_dry_run_reports_and_does_nothing(self) -> None:
        with_admins("acme")
        report = run("--dry-run")
        assert "sent     acme: 2 admins" in report
        assert mail.outbox == []
        assert not Announcement.objects.exists()

    def test_no_more_mails_a_minute_than_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr("time.monotonic", lambda: sum(slept))
        monkeypatch.setattr("time.sleep", slept.append)
        with_admins("acme", admins=4)
        run("--per-minute", "30")
        assert slept == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.django_db
class TestTheMail:
    def sent(self, *options: str) -> Any:
        with_admins("acme", admins=1)
        Organization.objects.update(name="Acme & <b>Söhne</b>")
        run(*options)
        return mail.outbox[0]

    def test_says_what_the_customers_announcement_says(self) -> None:
        message = self.sent("--documentation-url", "https://docs.example.test/byok")
        page = str(message.alternatives[0].content)
        assert message.subject == "New in Lead Agent: bring your own AI key, with 100+ models to choose from"
        for text in (message.body, page):
            for part in (
                "Hello admin0", "Unlimited", "100 models", "cost transparency", "data privacy", "Often cheaper",
                "Recommended: OpenRouter", "https://openrouter.ai", "free tier of 50 requests per month", "Reply to this email",
                "https://leadagent.example.test/o/acme/settings/ai/", "https://docs.example.test/byok",
            ):  # fmt: skip
                assert part in text, part
            assert "!" not in text.replace("<!DOCTYPE", "")
        assert "Acme & <b>Söhne</b>" in message.body
        assert "Acme &amp; &lt;b&gt;Söhne&lt;/b&gt;" in page
        assert [f"{number}. " in message.body for number in range(1, 7)] == [True] * 5 + [False]

    def test_can_be_answered_and_is_the_same_mail_at_every_try(self) -> None:
        message = self.sent()
        organization = Organization.objects.get()
        user = organization.memberships.get().user
        headers = message.message()
        assert headers["Message-ID"] == f"<announce-byok-{organization.pk}-{user.pk}@leadagent.example.test>"
        assert headers["Reply-To"] == headers["From"] == "Lead Agent <hello@example.test>"
        assert "List-Unsubscribe" not in headers

    def test_without_a_free_tier_it_promises_none(self, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 0
        message = self.sent()
        assert "free tier" not in message.body
        assert "free tier" not in str(message.alternatives[0].content)


@pytest.mark.django_db
def test_a_mail_server_that_refuses_some_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for slug in ("acme", "beta", "gamma"):
        with_admins(slug)
    send = EmailMultiAlternatives.send
    refused = {"admin0@acme.test", "admin0@beta.test", "admin1@beta.test"}

    def picky(message: EmailMultiAlternatives, *arguments: Any, **options: Any) -> int:
        if message.to[0] == "admin0@acme.test":
            raise SMTPRecipientsRefused({message.to[0]: (450, b"later")})
        if message.to[0] in refused:
            raise TimeoutError
        return send(message, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(EmailMultiAlternatives, "send", picky)
        report = run(fails=True)
    assert "failed   acme: 1 admin; the mail server refused 1; the next run tries again" in report
    assert "failed   beta: the mail server refused 2" in report
    assert "sent     gamma: 2 admins" in report
    assert "2 organisations were not told in full" in report
    assert Announcement.objects.filter(sent_at=None).count() == 2
    run()
    assert told() == sorted(f"admin{n}@{slug}.test" for n in (0, 1) for slug in ("acme", "beta", "gamma"))
    assert not Announcement.objects.filter(sent_at=None).exists()


@pytest.mark.django_db
def test_an_admin_who_left_before_their_turn_is_not_waited_for() -> None:
    acme = with_admins("acme")
    first, second = acme.memberships.order_by("user__pk")
    Announcement.objects.create(organization=acme, name=NAME, told=[first.user.pk], recipients=1)
    second.delete()
    run()
    assert mail.outbox == []
    assert Announcement.objects.get().sent_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_tell_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        with_admins(f"org{number}", admins=3)
    send, lock = EmailMultiAlternatives.send, threading.Lock()

    def slow(message: EmailMultiAlternatives, *arguments: Any, **options: Any) -> int:
        threading.Event().wait(0.005)
        with lock:
            return send(message, *arguments, **options)

    monkeypatch.setattr(EmailMultiAlternatives, "send", slow)

    ends = at_once(run, run, run)
    assert not [end for end in ends if isinstance(end, Exception)]
    assert told() == sorted(f"admin{admin}@org{number}.test" for admin in range(3) for number in range(12))
    assert not Announcement.objects.filter(sent_at=None).exists()
    assert AuditEvent.objects.filter(action="announcement.sent").count() == 12


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_and_run_again(tmp_path: Path) -> None:
    """A real process that writes mails into a folder, killed by SIGKILL twice."""
    for number in range(10):
        with_admins(f"org{number}", admins=3)
    folder = tmp_path / "mail"
    folder.mkdir()

    def process() -> Any:
        # Test mode keeps mails in memory; demo mode writes them where it is told to.
        environment = {"LEADAGENT_ENV": "demo", "EMAIL_URL": f"filemail:///{folder}"}
        return start("announce_byok", "--per-minute", "1200", **environment)

    def mails() -> list[Any]:
        files = [path.read_bytes() for path in folder.glob("*.log")]
        parts = [part for file in files for part in file.split(b"\n" + b"-" * 79 + b"\n")]
        return [message_from_bytes(part.strip(), policy=policy.default) for part in parts if b"Message-ID" in part]

    for kill_at in (4, 16):
        running = process()
        wait_until(lambda at=kill_at: len(mails()) >= at, running)  # type: ignore[misc]
        running.send_signal(signal.SIGKILL)
        running.communicate()
    last = process()
    out, err = last.communicate(timeout=60)
    assert last.returncode == 0, err.decode()
    assert b"10 organisations" in out
    by_id = {message["Message-ID"]: message["To"] for message in mails()}
    assert sorted(by_id.values()) == sorted(f"admin{admin}@org{n}.test" for admin in range(3) for n in range(10))
    # A kill between the server's yes and the commit repeats one mail, with its Message-ID.
    assert len(mails()) <= len(by_id) + 2
    assert Announcement.objects.filter(sent_at__gt=timezone.now() - timedelta(minutes=5), recipients=3).count() == 10
