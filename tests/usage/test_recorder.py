"""The call path's writes: durable, and never an error for the caller."""

import json
import logging
import resource
import signal
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pytest_django import Settings

from leadagent.tenants.models import Organization
from tests.usage.factories import AT, finished, record, started, store
from tests.usage.one_connection import lead_over_test_connection, put_postgresql_away
from usage.ledger import ingest, replaying
from usage.models import AIUsage, UsageInbox
from usage.recording import durable, held, spool
from usage.recording.recorder import UNKNOWN, Expected, begin_if

pytestmark = pytest.mark.django_db


@pytest.fixture
def spool_file(settings: Settings) -> Path:
    return Path(settings.USAGE_SPOOL_DIR) / "usage.jsonl"


def test_events_wait_on_the_disk_while_postgresql_is_away(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = finished(organization)
    put_postgresql_away(monkeypatch)
    record(started(organization, id=event.id), event)
    assert len(spool_file.read_bytes().splitlines()) == 2
    lead_over_test_connection(monkeypatch)
    ingest.drain()
    assert AIUsage.objects.get().id == event.id
    assert not UsageInbox.objects.exists()
    assert list(spool_file.parent.iterdir()) == []


def test_a_replay_that_died_is_repeated_without_harm(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = finished(organization)
    put_postgresql_away(monkeypatch)
    record(event)
    with monkeypatch.context() as dying:
        dying.setattr(spool, "done", lambda taken: None)
        replaying.replay_spool()
    assert replaying.replay_spool() == 1, "the file is still there"
    ingest.drain()
    assert AIUsage.objects.count() == 1


def test_new_events_are_kept_while_old_ones_are_replayed(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_postgresql_away(monkeypatch)
    record(finished(organization))
    assert spool.take() is not None
    record(finished(organization))
    assert len(spool_file.read_bytes().splitlines()) == 1
    ingest.drain()
    ingest.drain()
    assert AIUsage.objects.count() == 2


def test_only_one_replays_at_a_time(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_postgresql_away(monkeypatch)
    record(finished(organization))
    with spool.only_replay() as is_mine:
        assert is_mine
        assert replaying.replay_spool() == 0
    assert replaying.replay_spool() == 1


def test_a_line_cut_by_a_crash_costs_only_itself(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_postgresql_away(monkeypatch)
    record(finished(organization))
    with spool_file.open("ab") as file:
        file.write(b'{"event_id": "0190')
    ingest.drain()
    assert AIUsage.objects.count() == 1
    assert "damaged line" in caplog.text


def test_an_entry_that_postgresql_refuses_does_not_hold_up_the_others(
    organization: Organization, spool_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = finished(organization), finished(organization)
    for event in (bad, good):
        entry = {"event_id": str(event.id), "kind": "finished", "payload": event.payload()}
        if event is bad:
            entry["payload"] = event.payload() | {"error_message": "a\x00b"}
        spool.append(entry)
    ingest.drain()
    assert AIUsage.objects.get().id == good.id
    assert str(bad.id) in caplog.text
    assert replaying.replay_spool() == 0
    # It is kept for a person to look at.
    kept = [json.loads(line) for path in spool_file.parent.iterdir() for line in path.read_text().splitlines()]
    assert [entry["event_id"] for entry in kept] == [str(bad.id)]


def test_what_a_full_spool_cannot_take_is_held_until_postgresql_is_back(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = finished(organization), finished(organization)
    put_postgresql_away(monkeypatch)
    record(first)
    settings.USAGE_SPOOL_MAX_BYTES = spool.spooled().bytes + 10
    record(second)
    assert held.held() == 1
    told = [entry.message for entry in caplog.records if entry.levelno == logging.ERROR]
    assert [str(second.id) in text for text in told] == [True, True]
    assert "full" in told[0]
    assert "memory only" in told[1]
    assert held.store_held() == 1, "neither takes it yet"
    lead_over_test_connection(monkeypatch)
    assert held.store_held() == 0
    ingest.drain()
    assert {row.id for row in AIUsage.objects.all()} == {first.id, second.id}


def test_what_is_held_goes_to_the_disk_once_that_has_room(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_postgresql_away(monkeypatch)
    settings.USAGE_SPOOL_MAX_BYTES = 0
    record(finished(organization), finished(organization))
    assert held.held() == 2
    settings.USAGE_SPOOL_MAX_BYTES = 100_000
    assert held.store_held() == 0
    assert replaying.replay_spool() == 2


def test_memory_is_bounded_too_and_a_loss_is_told(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_postgresql_away(monkeypatch)
    settings.USAGE_SPOOL_DIR = "/proc/nowhere"
    monkeypatch.setattr(held, "MAX_EVENTS", 2)
    events = [finished(organization) for _ in range(3)]
    record(*events)
    assert held.held() == 2
    assert "cannot be written" in caplog.text
    lost = [entry.message for entry in caplog.records if "is lost" in entry.message]
    assert [str(events[2].id) in text for text in lost] == [True]


def test_what_waits_on_the_disk_can_be_told(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spool.spooled() == spool.Spooled()
    put_postgresql_away(monkeypatch)
    record(finished(organization, at=AT), finished(organization, at=AT + timedelta(hours=1)))
    waiting = spool.spooled()
    assert waiting.bytes == spool_file.stat().st_size
    assert waiting.oldest == AT
    assert spool.take() is not None
    assert spool.spooled() == waiting, "what is being brought back is not there yet"


def test_a_large_spool_comes_back_in_pieces(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_BLOCK", 2)
    put_postgresql_away(monkeypatch)
    record(*(finished(organization) for _ in range(5)))
    taken = spool.take()
    assert taken is not None
    assert [len(block) for block in spool.entries(taken)] == [2, 2, 1]
    assert replaying.replay_spool() == 5


def test_any_other_failure_is_kept_too(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage.recording.durable.connection", lambda: 1 / 0)
    record(finished(organization))
    assert len(spool_file.read_bytes().splitlines()) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_outlives_the_callers_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    from tests.factories import OrganizationFactory

    monkeypatch.undo()
    organization = OrganizationFactory()
    with transaction.atomic():
        record(finished(organization))
        transaction.set_rollback(True)
    assert UsageInbox.objects.count() == 1
    assert store() != []


@pytest.mark.django_db(transaction=True)
def test_the_pool_follows_the_database_and_closes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with durable.connection() as one:
        assert one.autocommit
        assert one.execute("SHOW application_name").fetchone() == ("leadagent-usage",)
    durable.close()
    durable.close()
    with durable.connection() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_an_event_after_a_torn_line_is_not_swallowed_by_it(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a kill leaves half a line; what is written later was reported as safe."""
    put_postgresql_away(monkeypatch)
    record(finished(organization))
    with spool_file.open("ab") as file:
        file.write(b'{"event_id": "0190')
    later = finished(organization)
    record(later)
    lead_over_test_connection(monkeypatch)
    ingest.drain()
    assert AIUsage.objects.count() == 2
    assert AIUsage.objects.filter(id=later.id).exists()
    assert spool_file.with_suffix(".rejected").read_bytes() == b'{"event_id": "0190\n'


def test_a_line_that_is_no_event_blocks_nobody(organization: Organization, spool_file: Path) -> None:
    spool_file.parent.mkdir(parents=True, exist_ok=True)
    spool_file.write_bytes(b"7\n[]\n{}\n")
    assert replaying.replay_spool() == 0
    assert not spool_file.exists()
    assert spool_file.with_suffix(".rejected").read_bytes().splitlines() == [b"7", b"[]", b"{}"]


def test_a_disk_that_takes_half_a_line_keeps_none_of_it(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its half would be taken for a damaged event, and somebody would have to look at it."""
    put_postgresql_away(monkeypatch)
    record(finished(organization))
    full = spool_file.stat().st_size + 40
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignoring = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, before[1]))
    try:
        record(finished(organization))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignoring)
    assert len(spool_file.read_bytes().splitlines()) == 1
    assert held.store_held() == 0
    assert replaying.replay_spool() == 2
    assert not spool_file.with_suffix(".rejected").exists()


_SLUG = "SELECT slug FROM tenants_organization WHERE id = %s"


@pytest.mark.parametrize(("value", "begun"), [("acme", 1), ("another", 0)])
def test_a_call_begins_only_with_what_the_database_still_holds(
    organization: Organization, value: str, begun: int
) -> None:
    event = started(organization)
    assert begin_if(event, Expected(_SLUG, (organization.pk,), value)) == "acme"
    assert UsageInbox.objects.filter(event_id=event.id, kind="started").count() == begun


def test_a_row_that_is_gone_begins_nothing(organization: Organization) -> None:
    assert begin_if(started(organization), Expected(_SLUG, (0,), "acme")) is None
    assert not UsageInbox.objects.exists()


def test_while_postgresql_is_away_a_call_begins_with_what_was_read_before(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_postgresql_away(monkeypatch)
    event = started(organization)
    assert begin_if(event, Expected(_SLUG, (organization.pk,), "acme")) is UNKNOWN
    assert str(event.id) in spool_file.read_text()


@pytest.mark.parametrize(("value", "kept"), [("acme", True), ("another", False)])
def test_an_event_that_cannot_be_written_is_no_reason_not_to_look(
    organization: Organization, spool_file: Path, monkeypatch: pytest.MonkeyPatch, value: str, kept: bool
) -> None:
    monkeypatch.setattr("usage.recording.recorder.json", SimpleNamespace(dumps=lambda _: "{no json"))
    event = started(organization)
    assert begin_if(event, Expected(_SLUG, (organization.pk,), value)) == "acme"
    assert not UsageInbox.objects.exists()
    assert held.held() + spool_file.exists() == kept
