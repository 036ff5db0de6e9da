"""The operators are told when the encryption secret has been in use for too long."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from byok import tasks
from byok.checks import check_secret_age
from byok.encryption import current_key_id
from byok.keys.secret_age import note_current_secret, remind_operators
from byok.models import ProviderCredential, SealingSecret
from tests.at_once import at_once
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

Mails = list[EmailMultiAlternatives]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def operators() -> None:
    UserFactory(email="one@ops.test", is_superuser=True)
    UserFactory(email="two@ops.test", is_superuser=True)
    UserFactory(email="gone@ops.test", is_superuser=True, is_active=False)
    UserFactory(email="support@ops.test", is_staff=True)


def after(clock: time_machine.Traveller, days: float) -> None:
    clock.move_to(START + timedelta(days=days))


def test_a_secret_is_noted_when_it_is_first_seen(clock: time_machine.Traveller, settings: Settings) -> None:
    assert note_current_secret().first_used_at == START
    after(clock, 5)
    assert note_current_secret().first_used_at == START
    settings.ENCRYPTION_SECRET = "0f3c" * 16
    assert note_current_secret().first_used_at == START + timedelta(days=5)
    assert SealingSecret.objects.count() == 2


def test_operators_are_told_after_90_days_and_every_30_then(
    clock: time_machine.Traveller, operators: None, mailoutbox: Mails
) -> None:
    told: list[int] = []
    for day in range(165):
        after(clock, day)
        tasks.remind_of_secret_age()
        tasks.remind_of_secret_age()
        told += [day] * (len(mailoutbox) - len(told))
    assert told == [90, 120, 150]
    assert [mail.to for mail in mailoutbox] == [["one@ops.test", "two@ops.test"]] * 3
    assert len({mail.extra_headers["Message-ID"] for mail in mailoutbox}) == 3


def test_the_mail_says_how_and_holds_no_secret(
    clock: time_machine.Traveller, operators: None, mailoutbox: Mails, settings: Settings
) -> None:
    note_current_secret()
    after(clock, 93)
    assert remind_operators()
    mail = mailoutbox[0]
    html = str(mail.alternatives[0][0])
    assert mail.subject == "Lead Agent: the encryption secret is 93 days old"
    for text in (str(mail.body), html):
        assert current_key_id() in text
        assert "1 March 2026" in text
        assert "python manage.py rotate_keys" in text
        assert settings.ENCRYPTION_SECRET not in text


def test_a_new_secret_starts_afresh(
    clock: time_machine.Traveller, operators: None, mailoutbox: Mails, settings: Settings
) -> None:
    note_current_secret()
    after(clock, 100)
    settings.ENCRYPTION_SECRET = "0f3c" * 16
    assert not remind_operators()
    assert mailoutbox == []


def test_a_mail_server_that_is_away_gets_the_same_mail_later(
    clock: time_machine.Traveller,
    operators: None,
    mailoutbox: Mails,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    note_current_secret()
    after(clock, 90)
    tried: list[Any] = []

    def away(mail: EmailMultiAlternatives, fail_silently: bool = False) -> int:
        tried.append(mail.extra_headers["Message-ID"])
        raise SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr(EmailMultiAlternatives, "send", away)
        assert not remind_operators()
    assert "the reminder of the encryption secret was not sent" in caplog.text
    after(clock, 91)
    assert remind_operators()
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == tried


def test_without_operators_the_log_says_so(
    clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture, mailoutbox: Mails
) -> None:
    note_current_secret()
    after(clock, 90)
    with caplog.at_level(logging.WARNING):
        assert not remind_operators()
    assert f"the encryption secret {current_key_id()} is in use for 90 days: rotate it" in caplog.text
    assert "nobody could be reminded" in caplog.text
    # Somebody who comes later is told.
    UserFactory(email="late@ops.test", is_superuser=True)
    assert remind_operators()


@pytest.mark.django_db(transaction=True)
def test_two_rounds_at_the_same_moment_send_one_mail(operators: None, mailoutbox: Mails) -> None:
    SealingSecret.objects.create(key_id=current_key_id(), first_used_at=timezone.now() - timedelta(days=91))
    ends = at_once(remind_operators, remind_operators, remind_operators)
    assert sorted(ends, key=str) == [False, False, True]
    assert len(mailoutbox) == 1


def test_the_system_check_warns_of_an_old_secret(clock: time_machine.Traveller) -> None:
    assert check_secret_age(databases=["default"]) == []
    note_current_secret()
    after(clock, 89)
    assert check_secret_age(databases=["default"]) == []
    after(clock, 90)
    assert [warning.id for warning in check_secret_age(databases=["default"])] == ["byok.W001"]
    assert check_secret_age(databases=[]) == []


def test_the_system_check_comes_before_the_first_migration_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE byok_sealingsecret RENAME TO not_yet")
    assert check_secret_age(databases=["default"]) == []


def test_beat_asks_every_day() -> None:
    entry = django_settings.CELERY_BEAT_SCHEDULE["remind-of-secret-age"]
    assert entry["task"] == tasks.remind_of_secret_age.name
    assert entry["schedule"].is_due(timezone.now() - timedelta(days=1)).is_due


def test_an_organisations_own_key_is_due_after_90_days() -> None:
    now = timezone.now()
    young = ProviderCredential(saved_at=now - timedelta(days=89, hours=23))
    old = ProviderCredential(saved_at=now - timedelta(days=90, minutes=1))
    assert (young.is_due_for_rotation, young.age_in_days) == (False, 89)
    assert (old.is_due_for_rotation, old.age_in_days) == (True, 90)
