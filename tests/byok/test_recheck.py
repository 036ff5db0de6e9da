"""Looking at stored keys again: what is found is stored, and only for the key that was tested."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from byok import tasks
from byok.checking import rechecking
from byok.checking.rechecking import recheck_credential, recheck_due
from byok.checking.reports import ConnectionReport, LineState
from byok.config.saving import save_ai_config
from byok.models import CredentialStatus, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.fake_provider import MODELS, FakeProvider
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory
from usage.models import UsageInbox

pytestmark = pytest.mark.django_db

LIST = {"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}, {"id": "text-embedding-3-small"}]}
REFUSED_ANSWER = httpx2.Response(401, json={"error": {"code": "invalid_api_key", "message": "Incorrect API key"}})


def store(organization: Organization, provider: str = "openai", **fields: Any) -> ProviderCredential:
    save_ai_config(organization, provider=provider, chat_model=MODELS[provider], api_key=KEYS[provider])
    ProviderCredential.objects.filter(organization=organization, provider=provider).update(**fields)
    return ProviderCredential.objects.get(organization=organization, provider=provider)


@pytest.fixture
def credential(organization: Organization) -> ProviderCredential:
    return store(organization, status=CredentialStatus.OK)


def rechecks() -> list[tuple[Any, Any]]:
    events = AuditEvent.objects.filter(action="credential.rechecked").order_by("pk")
    return [(event.before["status"], event.after["status"]) for event in events if event.before and event.after]


def test_a_good_key_stays_good_and_its_report_is_stored(credential: ProviderCredential, fake: FakeProvider) -> None:
    fake.answers(200, LIST)
    began = timezone.now()
    report = recheck_credential(credential)
    credential.refresh_from_db()
    assert credential.report is not None
    assert ConnectionReport.from_json(credential.report) == report
    assert credential.status == CredentialStatus.OK
    assert credential.checked_at == report.checked_at
    assert timedelta(hours=21) < credential.next_check_at - began < timedelta(hours=27)
    assert {line.model for line in report.lines if line.model} == {"gpt-4o-mini", "text-embedding-3-small"}
    assert rechecks() == []
    assert not UsageInbox.objects.exists()
    assert credential.last_used_at is None


def test_a_refusal_from_real_traffic_is_not_overwritten_by_an_older_test(
    credential: ProviderCredential, fake: FakeProvider
) -> None:
    def refused_meanwhile(request: httpx2.Request) -> httpx2.Response:
        ProviderCredential.objects.update(status=CredentialStatus.REJECTED, checked_at=timezone.now())
        return httpx2.Response(200, json=LIST)

    fake.answer = refused_meanwhile
    assert recheck_credential(credential).state is LineState.OK
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.REJECTED
    fake.answers(200, LIST)
    recheck_credential(credential)
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.OK


def test_every_chosen_model_is_asked_for_and_no_others(organization: Organization, fake: FakeProvider) -> None:
    credential = store(organization)
    save_ai_config(
        organization,
        provider="openai",
        chat_model="gpt-4o",
        operation_models={"research": "gpt-5", "qualification": ""},
    )
    fake.answers(200, LIST)
    report = recheck_credential(credential)
    chat = [(line.model, line.state) for line in report.lines if line.check == "chat_model"]
    assert chat == [("gpt-4o", LineState.OK), ("gpt-5", LineState.FAILED)]
    save_ai_config(organization, provider="platform_default")
    report = recheck_credential(credential)
    assert not [line for line in report.lines if line.model]


def test_a_key_that_serves_embeddings_only(organization: Organization, fake: FakeProvider) -> None:
    credential = store(organization)
    save_ai_config(
        organization,
        provider="anthropic",
        chat_model=MODELS["anthropic"],
        api_key=KEYS["anthropic"],
        embedding_provider="openai",
    )
    fake.answers(200, LIST)
    assert [line.check for line in recheck_credential(credential).lines if line.model] == ["embedding_model"]


def test_a_refused_key_is_noted_with_its_beginning(credential: ProviderCredential, fake: FakeProvider) -> None:
    fake.answer = lambda request: REFUSED_ANSWER
    report = recheck_credential(credential)
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.REJECTED
    assert credential.refused_since == report.checked_at
    assert credential.rejection_told_at is None
    assert "refused this key" in credential.status_message
    assert rechecks() == [("ok", "rejected")]
    event = AuditEvent.objects.get(action="credential.rechecked")
    assert (event.actor_label, event.target) == ("system", "openai")
    # The same again: nothing new is told, and it is the same refusal.
    told = timezone.now()
    ProviderCredential.objects.update(rejection_told_at=told)
    recheck_credential(credential)
    credential.refresh_from_db()
    assert [credential.refused_since, credential.rejection_told_at] == [report.checked_at, told]
    assert len(rechecks()) == 1
    # Daily, like any other.
    assert credential.next_check_at - timezone.now() > timedelta(hours=20)


def test_a_key_that_is_accepted_again(credential: ProviderCredential, fake: FakeProvider) -> None:
    now = timezone.now()
    ProviderCredential.objects.update(status="rejected", refused_since=now, rejection_told_at=now)
    fake.answers(200, LIST)
    recheck_credential(credential)
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.OK
    assert (credential.refused_since, credential.rejection_told_at) == (None, None)
    assert rechecks() == [("rejected", "ok")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ok", "unreachable"),
        ("untested", "unreachable"),
        ("unreachable", "unreachable"),
        # What could not be asked takes nothing back that is known.
        ("rejected", "rejected"),
        ("no_credit", "no_credit"),
        ("unreadable", "unreachable"),
    ],
)
def test_a_provider_that_cannot_be_reached(
    credential: ProviderCredential, fake: FakeProvider, before: str, after: str
) -> None:
    expires = timezone.now() + timedelta(days=30)
    ProviderCredential.objects.update(status=before, status_message="as it was", expires_at=expires)
    fake.answer = lambda request: httpx2.ReadTimeout("slow")
    recheck_credential(credential)
    credential.refresh_from_db()
    assert credential.status == after
    assert (credential.status_message == "as it was") is (after != "unreachable")
    assert credential.expires_at == expires
    assert timedelta(minutes=50) < credential.next_check_at - timezone.now() < timedelta(minutes=70)
    assert rechecks() == ([(before, after)] if before != after else [])


def test_a_list_does_not_give_credit_back(credential: ProviderCredential, fake: FakeProvider) -> None:
    ProviderCredential.objects.update(status="no_credit", status_message="Add credit.")
    fake.answers(200, LIST)
    recheck_credential(credential)
    credential.refresh_from_db()
    assert (credential.status, credential.status_message) == ("no_credit", "Add credit.")


def test_expiry_is_stored(organization: Organization, fake: FakeProvider) -> None:
    credential = store(organization, "openrouter")
    facts = {"usage": 1, "limit": None, "limit_remaining": None, "expires_at": "2027-12-31T23:59:59Z"}
    fake.answer = lambda request: httpx2.Response(
        200, json={"data": facts if request.url.path.endswith("/key") else [{"id": MODELS["openrouter"]}]}
    )
    recheck_credential(credential)
    credential.refresh_from_db()
    assert f"{credential.expires_at:%Y-%m-%dT%H:%M:%S}" == "2027-12-31T23:59:59"


def test_a_key_that_cannot_be_opened_is_told_and_nobody_is_asked(
    credential: ProviderCredential, fake: FakeProvider, settings: Settings
) -> None:
    settings.ENCRYPTION_SECRET = "0123456789abcdef" * 4
    report = recheck_credential(credential)
    credential.refresh_from_db()
    assert fake.sent == []
    assert credential.status == CredentialStatus.UNREADABLE
    assert [line.code for line in report.lines] == ["key_unreadable"]
    assert "can no longer be opened" in credential.status_message
    assert credential.refused_since is not None
    assert rechecks() == [("ok", "unreadable")]


def test_a_key_that_was_replaced_meanwhile_is_left_alone(
    organization: Organization, credential: ProviderCredential, fake: FakeProvider
) -> None:
    def replace_meanwhile(request: httpx2.Request) -> httpx2.Response:
        save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"][:-4] + "new1")
        return REFUSED_ANSWER

    fake.answer = replace_meanwhile
    assert recheck_credential(credential).is_refused
    credential.refresh_from_db()
    assert (credential.last4, credential.status, credential.report) == ("new1", CredentialStatus.UNTESTED, None)
    assert rechecks() == []


def test_a_key_that_was_removed_meanwhile(credential: ProviderCredential, fake: FakeProvider) -> None:
    def remove_meanwhile(request: httpx2.Request) -> httpx2.Response:
        ProviderCredential.objects.all().delete()
        return REFUSED_ANSWER

    fake.answer = remove_meanwhile
    recheck_credential(credential)
    assert not ProviderCredential.objects.exists()


def test_a_probe_is_booked(credential: ProviderCredential, fake: FakeProvider, rows: Callable[[], list[Any]]) -> None:
    fake.answers(200, LIST | {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    recheck_credential(credential, probe=True)
    assert [row.operation for row in rows()] == ["connection_test"]


# --- Which are due ---


def due(name: str, **fields: Any) -> ProviderCredential:
    past = timezone.now() - timedelta(minutes=1)
    return store(OrganizationFactory(name=name, slug=name), **{"next_check_at": past} | fields)


def test_only_what_is_due_is_asked_for(fake: FakeProvider) -> None:
    fake.answers(200, LIST)
    first, later = due("first"), due("later", next_check_at=timezone.now() + timedelta(minutes=1))
    assert recheck_due() == 1
    first.refresh_from_db()
    later.refresh_from_db()
    assert first.checked_at is not None
    assert later.checked_at is None
    assert recheck_due() == 0


def test_more_than_a_batch_and_an_end_in_time(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rechecking, "_BATCH", 2)
    fake.answers(200, LIST)
    for number in range(5):
        due(f"org-{number}")
    clock = iter(range(0, 1000, 400)).__next__
    # Looked at before each batch: 0 s and 400 s are in time, 800 s is not.
    assert recheck_due(seconds=600, clock=lambda: float(clock())) == 2
    tasks.recheck_keys()
    assert ProviderCredential.objects.filter(checked_at=None).count() == 0


def test_a_refused_one_is_looked_at_too(fake: FakeProvider) -> None:
    fake.answers(200, LIST)
    refused = due("refused", status="rejected", refused_since=timezone.now())
    assert recheck_due() == 1
    refused.refresh_from_db()
    assert refused.status == CredentialStatus.OK


def test_switched_off_means_untouched(fake: FakeProvider, settings: Settings) -> None:
    settings.BYOK_ENABLED = True
    credential = due("off")
    settings.BYOK_ENABLED = False
    assert recheck_due() == 0
    credential.refresh_from_db()
    assert credential.checked_at is None
    assert fake.sent == []


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_ask_once_and_hold_no_transaction(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("byok.wire._sync_pool", fake)
    for number in range(8):
        due(f"org-{number}")
    in_transaction: list[bool] = []
    both = threading.Barrier(2, timeout=10)

    def answer(request: httpx2.Request) -> httpx2.Response:
        in_transaction.append(connection.in_atomic_block)
        return httpx2.Response(200, json=LIST)

    fake.answer = answer

    def beat(_: int) -> int:
        try:
            both.wait()
            return recheck_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(beat, range(2))) == 8
    assert in_transaction == [False] * 8
