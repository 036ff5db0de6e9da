"""Noting a key's use and state: coarsely, and never at the call's expense."""

from dataclasses import replace
from typing import Any

import pytest

from byok.config.saving import save_ai_config
from byok.keys import credentials
from byok.keys.credentials import KnownCredential
from byok.models import CredentialStatus, ProviderCredential
from leadagent.tenants.models import Organization
from tests.byok.keys import KEYS
from tests.usage.factories import finished
from tests.usage.one_connection import put_postgresql_away
from usage.recording.events import CallFinished

pytestmark = pytest.mark.django_db


@pytest.fixture
def credential(organization: Organization) -> ProviderCredential:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    return ProviderCredential.objects.get()


def event(credential: ProviderCredential, **fields: Any) -> CallFinished:
    return finished(credential.organization, credential_id=credential.pk, **fields)


def known_ok(credential: ProviderCredential) -> KnownCredential:
    """As a call knows the key that was connected when its model was resolved."""
    return replace(KnownCredential.of(credential), status=CredentialStatus.OK)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", CredentialStatus.OK),
        ("invalid_key", CredentialStatus.REJECTED),
        ("no_credit", CredentialStatus.NO_CREDIT),
        ("key_limit", CredentialStatus.NO_CREDIT),
        ("timeout", CredentialStatus.UNTESTED),
        ("overloaded", CredentialStatus.UNTESTED),
        ("cancelled", CredentialStatus.UNTESTED),
        ("stream_cut", CredentialStatus.UNTESTED),
    ],
)
def test_what_an_outcome_says_about_the_key(
    credential: ProviderCredential, code: str, status: CredentialStatus
) -> None:
    credentials.note_outcome(event(credential, error_code=code, success=not code), KnownCredential.of(credential))
    credential.refresh_from_db()
    assert credential.status == status
    assert credential.last_used_at is not None
    assert (credential.checked_at is None) is (status == CredentialStatus.UNTESTED)
    assert bool(credential.status_message) is (status in {CredentialStatus.REJECTED, CredentialStatus.NO_CREDIT})


def test_a_use_is_written_once_in_ten_minutes_but_news_at_once(
    credential: ProviderCredential, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("byok.keys.credentials.time.monotonic", lambda: now)

    def used_at() -> Any:
        ProviderCredential.objects.update(last_used_at=None)
        credentials.note_outcome(event(credential), known_ok(credential))
        return ProviderCredential.objects.get().last_used_at

    assert used_at() is not None
    now += 599
    assert used_at() is None
    credentials.note_outcome(event(credential, error_code="invalid_key"), known_ok(credential))
    assert ProviderCredential.objects.get().status == CredentialStatus.REJECTED
    now += 601
    assert used_at() is not None


def test_the_fate_of_a_replaced_key_says_nothing_about_the_new_one(credential: ProviderCredential) -> None:
    """A call with the old key may end after the new one was saved."""
    old = ProviderCredential.objects.get()
    save_ai_config(
        credential.organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"][:-4] + "9999"
    )
    credentials.note_outcome(event(old, error_code="invalid_key", success=False), KnownCredential.of(old))
    credential.refresh_from_db()
    assert (credential.last4, credential.status) == ("9999", CredentialStatus.UNTESTED)


def test_postgresql_away_does_not_fail_the_call(
    credential: ProviderCredential, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_postgresql_away(monkeypatch)
    credentials.note_outcome(event(credential), KnownCredential.of(credential))
    assert "could not be noted" in caplog.text


def test_the_platforms_key_has_no_row_to_note(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    put_postgresql_away(monkeypatch)
    credentials.note_outcome(finished(organization), None)


def test_a_client_that_is_kept_writes_the_news_once(
    credential: ProviderCredential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its knowledge of the row grows old, but this process has written the news itself."""
    known = KnownCredential.of(credential)
    credentials.note_outcome(event(credential), known)
    ProviderCredential.objects.update(last_used_at=None)
    credentials.note_outcome(event(credential), known)
    assert ProviderCredential.objects.get().last_used_at is None


def test_another_process_s_news_is_corrected_by_the_next_answer(credential: ProviderCredential) -> None:
    credentials.note_outcome(event(credential), KnownCredential.of(credential))
    ProviderCredential.objects.update(status=CredentialStatus.NO_CREDIT)
    credentials.note_outcome(event(credential), KnownCredential.of(ProviderCredential.objects.get()))
    assert ProviderCredential.objects.get().status == CredentialStatus.OK


def test_a_key_that_no_longer_opens_is_not_shown_as_connected(credential: ProviderCredential) -> None:
    credentials.note_unreadable(known_ok(credential))
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.UNREADABLE
    assert "Enter it again" in credential.status_message
