"""Storing, replacing, bringing back and removing keys."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.config.saving import save_ai_config
from byok.config.values import check_api_key
from byok.encryption import KeyUnreadable, decrypt_api_key, key_id_of
from byok.keys import credentials
from byok.keys.stored import (
    NothingToUndo,
    consequences_of_removal,
    drop_expired_superseded_keys,
    remove_api_key,
    store_key,
    undo_replacement,
)
from byok.models import CredentialStatus, ProviderCredential, SupersededKey
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.keys import KEYS
from tests.byok.stored_key import opened
from tests.factories import OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db

OLD, NEW, NEWER = KEYS["openai"], "sk-proj-NEWnewNEWnewNEWnewNEW1111", "sk-proj-NEWERnewerNEWERnewer2222"


def store(organization: Organization, key: str, report: ConnectionReport | None = None) -> ProviderCredential:
    return store_key(organization, "openai", key, prefix=check_api_key("openai", key), report=report)


def report_of(*lines: ReportLine, expires_at: datetime | None = None) -> ConnectionReport:
    return ConnectionReport("openai", timezone.now(), lines, expires_at)


def test_a_stored_key_names_its_secret_and_shows_four_characters(organization: Organization) -> None:
    row = store(organization, OLD)
    assert row.key_id == key_id_of(row.sealed_key) != ""
    assert (row.prefix, row.last4, row.status) == ("sk-proj-", "wxyz", CredentialStatus.UNTESTED)
    assert opened(organization) == OLD


def test_the_report_of_its_test_becomes_the_keys_state(organization: Organization) -> None:
    expires = datetime(2027, 1, 1, tzinfo=UTC)
    lines = (
        ReportLine("key", "Key", LineState.OK, "OpenAI takes the key."),
        ReportLine("credit", "Credit", LineState.FAILED, "No credit is left.", "Add credit.", "no_credit"),
    )
    row = store(organization, OLD, report_of(*lines, expires_at=expires))
    row.refresh_from_db()
    assert row.status == CredentialStatus.NO_CREDIT
    assert row.status_message == "No credit is left. Add credit."
    assert row.expires_at == expires
    assert row.next_check_at > timezone.now() + timedelta(hours=23)
    assert row.report is not None
    assert ConnectionReport.from_json(row.report).lines == list(lines)


def test_a_replaced_key_comes_back_within_a_day(organization: Organization) -> None:
    first = store(organization, OLD)
    ProviderCredential.objects.filter(pk=first.pk).update(status=CredentialStatus.OK)
    replaced = store(organization, NEW)
    assert replaced.pk == first.pk
    assert opened(organization) == NEW
    kept = SupersededKey.objects.get()
    assert (kept.last4, kept.status) == ("wxyz", CredentialStatus.OK)
    assert kept.undo_until - kept.superseded_at == timedelta(hours=24)
    back = undo_replacement(organization, "openai", actor=(person := UserFactory()))
    assert opened(organization) == OLD
    assert (back.last4, back.prefix, back.status) == ("wxyz", "sk-proj-", CredentialStatus.OK)
    assert not SupersededKey.objects.exists()
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor, event.target) == ("credential.replacement_undone", person, "openai")
    assert (event.before, event.after) == (
        {"last4": "1111", "status": "untested"},
        {"last4": "wxyz", "status": "ok"},
    )


def test_undo_is_once_and_for_a_day(organization: Organization) -> None:
    with pytest.raises(NothingToUndo):
        undo_replacement(organization, "openai")
    store(organization, OLD)
    with pytest.raises(NothingToUndo):
        undo_replacement(organization, "openai")
    store(organization, NEW)
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        with pytest.raises(NothingToUndo):
            undo_replacement(organization, "openai")
        assert opened(organization) == NEW
        assert drop_expired_superseded_keys() == 1
        assert drop_expired_superseded_keys() == 0
    assert opened(organization) == NEW


def test_only_the_last_key_before_comes_back(organization: Organization) -> None:
    for key in (OLD, NEW, NEWER):
        store(organization, key)
    undo_replacement(organization, "openai")
    assert opened(organization) == NEW
    with pytest.raises(NothingToUndo):
        undo_replacement(organization, "openai")


def test_saving_the_same_key_again_keeps_the_one_before(organization: Organization) -> None:
    store(organization, OLD)
    store(organization, NEW)
    store(organization, NEW)
    undo_replacement(organization, "openai")
    assert opened(organization) == OLD


def test_a_kept_key_does_not_open_as_the_rows_key(organization: Organization) -> None:
    row = store(organization, OLD)
    store(organization, NEW)
    kept = SupersededKey.objects.get()
    assert decrypt_api_key(kept.sealed_key, binding=kept.binding) == OLD
    with pytest.raises(KeyUnreadable):
        decrypt_api_key(kept.sealed_key, binding=row.binding)


def test_a_key_that_does_not_open_is_replaced_and_cannot_come_back(organization: Organization) -> None:
    row = store(organization, OLD)
    ProviderCredential.objects.filter(pk=row.pk).update(sealed_key="v1:00000000:damaged:damaged")
    store(organization, NEW)
    assert opened(organization) == NEW
    with pytest.raises(NothingToUndo):
        undo_replacement(organization, "openai")


def test_what_became_of_the_other_key_is_not_noted_on_the_one_that_came_back(organization: Organization) -> None:
    store(organization, OLD)
    replaced = credentials.KnownCredential.of(store(organization, NEW))
    back = undo_replacement(organization, "openai")
    assert back.saved_at != replaced.saved_at


def test_removing_drops_the_kept_key_too_and_no_other_tenants(organization: Organization) -> None:
    other = OrganizationFactory()
    for place in (organization, other):
        store(place, OLD)
        store(place, NEW)
    remove_api_key(organization, "openai")
    assert [row.organization for row in ProviderCredential.objects.all()] == [other]
    assert SupersededKey.objects.count() == 1
    with pytest.raises(NothingToUndo):
        undo_replacement(organization, "openai")
    assert AuditEvent.objects.filter(action="credential.removed").count() == 1


def test_what_stops_working_is_told_before_a_key_is_removed(organization: Organization) -> None:
    assert consequences_of_removal(organization, "openai") == []
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=OLD)
    told = " ".join(consequences_of_removal(organization, "openai"))
    assert "Research, qualification and email drafts stop" in told
    assert "knowledge base" in told
    assert "undone" not in told
    store(organization, NEW)
    assert "no longer be undone" in " ".join(consequences_of_removal(organization, "openai"))
    assert consequences_of_removal(organization, "anthropic") == []
    assert consequences_of_removal(organization, "nowhere") == []


def test_the_audit_log_holds_no_key(organization: Organization) -> None:
    store(organization, OLD)
    store(organization, NEW)
    undo_replacement(organization, "openai")
    remove_api_key(organization, "openai")
    for event in AuditEvent.objects.all():
        text = f"{event.target}{event.before}{event.after}"
        assert OLD not in text
        assert NEW not in text
        assert "v1:" not in text
