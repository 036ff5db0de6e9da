"""Downloads that are prepared: written once, told once, taken over from a dead worker, fetched by members only."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory
from tests.usage.factories import AT, finished, store
from usage import tasks
from usage.calls import exports
from usage.calls.call_filter import CallFilter
from usage.calls.export_copy import ExportFormat, export_chunks
from usage.models import ExportState, UsageExport

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_directory(settings: Settings, tmp_path: Path) -> None:
    settings.EXPORT_DIR = str(tmp_path / "exports")


def requested(organization: Organization, **wanted: str) -> UsageExport:
    person = MembershipFactory(organization=organization, role=Role.VIEWER).user
    return exports.request_export(
        organization, CallFilter.from_values(wanted), ExportFormat.CSV, person=person, request=None
    )


def again(export: UsageExport) -> UsageExport:
    return UsageExport.objects.get(pk=export.pk)


def test_written_told_and_fetched(organization: Organization) -> None:
    store(*(finished(organization, model="kept") for _ in range(3)), finished(organization, model="left-out"))
    export = requested(organization, model="kept")
    assert (export.rows_expected, export.state) == (3, ExportState.WAITING)
    tasks.write_export(str(export.pk))
    done = again(export)
    assert (done.state, done.rows_written, done.share) == (ExportState.READY, 3, 100)
    expected = b"".join(export_chunks(organization, CallFilter(model="kept")))
    assert exports.file_of(done).read_bytes() == expected
    assert done.size == len(expected)
    (message,) = mail.outbox
    assert message.to == [export.requested_by.email if export.requested_by else ""]
    assert reverse("usage:exports", args=[organization.slug]) in message.body
    response = client_of(organization, Role.VIEWER).get(
        reverse("usage:export_file", args=[organization.slug, export.pk])
    )
    assert b"".join(cast("Any", response).streaming_content) == expected
    actions = AuditEvent.objects.filter(organization=organization).order_by("pk").values_list("action", flat=True)
    assert [action for action in actions if action.startswith("usage.")] == ["usage.export_requested", "usage.exported"]


def test_twice_is_once(organization: Organization) -> None:
    export = requested(organization)
    assert exports.write_export(export.pk) is True
    assert exports.write_export(export.pk) is False
    assert exports.tell_of_ready_exports() == 1
    assert exports.tell_of_ready_exports() == 0
    assert len(mail.outbox) == 1


def test_one_whose_worker_died_is_begun_again(organization: Organization) -> None:
    store(finished(organization))
    export = requested(organization)
    UsageExport.objects.update(state=ExportState.RUNNING, alive_at=timezone.now())
    assert exports.waiting_exports() == []
    assert exports.write_export(export.pk) is False
    UsageExport.objects.update(alive_at=timezone.now() - timedelta(minutes=6))
    assert exports.waiting_exports() == [export.pk]
    tasks.sweep_exports()
    assert (again(export).state, len(mail.outbox)) == (ExportState.READY, 1)


def test_what_cannot_be_written_is_given_up_and_said(organization: Organization, settings: Settings) -> None:
    Path(settings.EXPORT_DIR).write_text("a file where the directory should be")
    export = requested(organization)
    for _ in range(3):
        with pytest.raises(FileExistsError):
            exports.write_export(export.pk)
    assert again(export).state == ExportState.FAILED
    page = client_of(organization, Role.VIEWER).get(reverse("usage:exports", args=[organization.slug])).content.decode()
    assert "Failed" in page
    assert "Ask for it again" in page


def test_the_mail_is_tried_again(organization: Organization, settings: Settings) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    settings.EMAIL_BACKEND = "tests.usage.test_exports.RefusingBackend"
    assert exports.tell_of_ready_exports() == 0
    assert again(export).told_at is None
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert exports.tell_of_ready_exports() == 1


class RefusingBackend:
    def __init__(self, *args: object, **options: object) -> None: ...

    def send_messages(self, messages: object) -> int:
        raise OSError("no route")


def test_files_go_after_their_days(organization: Organization) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    path = exports.file_of(export)
    assert exports.drop_old_exports() == 0
    UsageExport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert exports.drop_old_exports() == 1
    assert not path.exists()
    assert not UsageExport.objects.exists()


def test_three_at_once_and_the_fourth_is_told(
    organization: Organization,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nudged: list[UUID] = []
    monkeypatch.setattr("usage.views.calls.nudge_export", nudged.append)
    store(finished(organization, at=AT))
    client = client_of(organization, Role.VIEWER)
    address = reverse("usage:exports", args=[organization.slug])
    for _ in range(3):
        assert client.post(address, {"format": "jsonl", "provider": "openai"}).status_code == 302
    refused = client.post(address, {"format": "csv"})
    assert refused.status_code == 409
    assert "3 downloads are being prepared already" in refused.content.decode()
    assert len(nudged) == 3
    assert list(UsageExport.objects.values_list("format", "wanted").distinct()) == [("jsonl", {"provider": "openai"})]
    # Another organisation is not held up by it.
    assert client_of(OrganizationFactory(), Role.VIEWER).get("/").status_code in {200, 302}


def test_a_file_of_another_organisation_is_not_there(organization: Organization) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    other = OrganizationFactory()
    stranger = client_of(other, Role.ADMIN)
    assert stranger.get(reverse("usage:export_file", args=[other.slug, export.pk])).status_code == 404
    assert stranger.get(reverse("usage:export_file", args=[organization.slug, export.pk])).status_code == 404


def test_a_file_that_is_gone_is_a_404(organization: Organization) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    exports.file_of(export).unlink()
    response = client_of(organization, Role.VIEWER).get(
        reverse("usage:export_file", args=[organization.slug, export.pk])
    )
    assert response.status_code == 404


def test_one_that_was_taken_for_lost_changes_nothing_any_more(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = requested(organization)
    write = exports._write

    def slow(export: UsageExport, unfinished: Path) -> int:
        size = write(export, unfinished)
        UsageExport.objects.update(attempts=2)
        return size

    monkeypatch.setattr("usage.calls.exports._write", slow)
    assert exports.write_export(export.pk) is False
    assert (again(export).state, again(export).attempts) == (ExportState.RUNNING, 2)
    assert list(exports.file_of(export).parent.iterdir()) == []


def test_one_at_a_time(organization: Organization) -> None:
    first, second = requested(organization), requested(organization)
    UsageExport.objects.filter(pk=first.pk).update(state=ExportState.RUNNING, alive_at=timezone.now())
    assert exports.write_export(second.pk) is False
    UsageExport.objects.filter(pk=first.pk).update(alive_at=timezone.now() - timedelta(minutes=6))
    assert exports.write_export(second.pk) is True


def test_one_whose_worker_dies_each_time_is_given_up(organization: Organization) -> None:
    export = requested(organization)
    UsageExport.objects.update(state=ExportState.RUNNING, attempts=3, alive_at=timezone.now() - timedelta(minutes=6))
    assert exports.waiting_exports() == []
    tasks.sweep_exports()
    assert again(export).state == ExportState.FAILED


def test_one_that_fails_does_not_hold_up_the_others(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = requested(organization), requested(organization)
    write = exports._write

    def failing(export: UsageExport, unfinished: Path) -> int:
        if export.pk == broken.pk:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(b"half")
            raise OSError("no space left")
        return write(export, unfinished)

    monkeypatch.setattr("usage.calls.exports._write", failing)
    tasks.sweep_exports()
    assert (again(broken).state, again(whole).state) == (ExportState.WAITING, ExportState.READY)
    assert [path.name for path in exports.file_of(whole).parent.iterdir()] == [f"{whole.pk}.csv"]
    assert len(mail.outbox) == 1


def test_files_are_for_nobody_else_and_go_with_their_organisation(organization: Organization) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    path = exports.file_of(export)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    UsageExport.objects.all().delete()
    exports.drop_old_exports()
    assert path.exists()
    days_ago = (timezone.now() - timedelta(days=4)).timestamp()
    os.utime(path, (days_ago, days_ago))
    exports.drop_old_exports()
    assert not path.exists()


def test_whoever_has_left_hears_nothing(organization: Organization) -> None:
    export = requested(organization)
    exports.write_export(export.pk)
    assert export.requested_by is not None
    export.requested_by.memberships.all().delete()
    assert exports.tell_of_ready_exports() == 0
    assert mail.outbox == []
