"""Leads from a CSV file: how it is read, what becomes of each row, and how their workflow is paced."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.leads import tasks
from leadagent.leads.importing import pacing, reading
from leadagent.leads.importing.csv_file import CsvFile, UnreadableFile, guess_columns, read_csv
from leadagent.leads.importing.imports import cancel_import, drop_unused_files, moving_imports, start_import, take_file
from leadagent.leads.models import (
    ImportRow,
    ImportStatus,
    Lead,
    LeadImport,
    LeadSource,
    LeadStatus,
    RowOutcome,
    RunStatus,
    WorkflowRun,
)
from leadagent.leads.running.leases import fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.leads.running.workflow import cancel_run, resume_run, start_run
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.factories import OrganizationFactory, UserFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import LeadFactory, claimed

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
COLUMNS = {"email": 0, "message": 1}


def lines(count: int, *, start: int = 0) -> bytes:
    rows = "".join(f"p{n}@gears.example,Question {n}\n" for n in range(start, start + count))
    return f"email,message\n{rows}".encode()


def imported(organization: Organization, data: bytes, *, starts_runs: bool = False, at_once: int = 3) -> LeadImport:
    by = UserFactory()
    row = take_file(organization, "leads.csv", data, by=by)
    assert start_import(row, COLUMNS, starts_runs=starts_runs, at_once=at_once, by=by)
    return row


def read_all(row: LeadImport) -> LeadImport:
    while reading.read_batch(row.pk):
        pass
    row.refresh_from_db()
    return row


def outcomes(row: LeadImport) -> list[tuple[int, str, str]]:
    return list(row.rows.values_list("line", "outcome", "reason"))


# --- The file ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encoding_and_delimiter_are_found_out(encoding: str, delimiter: str) -> None:
    text = f'email{delimiter}message\r\nzoë@x.test{delimiter}"Größe, Maß; 5 | 6"\r\n'
    file = read_csv(text.encode(encoding), most_rows=10)
    assert file.delimiter == delimiter
    assert file.header == ["email", "message"]
    assert [row.cells for row in file.rows()] == [["zoë@x.test", "Größe, Maß; 5 | 6"]]


def test_lines_are_those_of_the_file_whatever_is_in_the_cells() -> None:
    text = '\n\nemail,message\n\na@x.test,"two\nlines"\n ,\nb@x.test,one\n'
    file = CsvFile(text, "utf-8", ",")
    assert file.header == ["email", "message"]
    assert [(row.line, row.cells[0]) for row in file.rows()] == [(5, "a@x.test"), (8, "b@x.test")]
    assert file.count() == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"email,message\n", "no rows"),
        (b"PK\x03\x04\x00\x00", "no CSV file"),
        (b"\xff\xfe\x00", "says that it is Unicode"),
        (lines(11), "11 rows, and 10 are allowed"),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableFile, match=why):
        read_csv(data, most_rows=10)


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Name,E-Mail,Company name,Phone,Message", "name,email,company,phone,message"),
        ("Nachricht,Firma,Ansprechpartner,Telefon,mail", "message,company,name,phone,email"),
        ("Company name,Contact name,Email address", "company,name,email"),
    ],
)
def test_columns_are_guessed_by_their_names(header: str, fields: str) -> None:
    assert guess_columns(header.split(",")) == {name: at for at, name in enumerate(fields.split(","))}


def test_what_nobody_can_guess_is_left_open() -> None:
    assert guess_columns(["x", "y"]) == {}


# --- The rows ---


def test_every_row_has_one_outcome_with_its_line_and_reason(organization: Organization) -> None:
    LeadFactory(organization=organization, email="Known@x.test", message="Hello")
    LeadFactory(email="theirs@x.test", message="Hello")
    data = (
        b"email,message\n"
        b"a@x.test,Hello\n"
        b"not an address,Hello\n"
        b"known@X.test,Hello\n"
        b"known@x.test,Something else\n"
        b"A@x.test,Hello\n"
        b"b@x.test,\n"
        b"theirs@x.test,Hello\n"
        b"only-one-cell\n"
    )

    row = read_all(imported(organization, data))

    known = "The same message of this sender is a lead already."
    assert outcomes(row) == [
        (2, "added", ""),
        (3, "bad", "Email: Enter a valid email address."),
        (4, "duplicate", known),
        (5, "added", ""),
        (6, "duplicate", known),
        (7, "bad", "Message: This field is required."),
        (8, "added", ""),
        (9, "bad", "Email: Enter a valid email address."),
    ]
    assert (row.status, row.content, row.next_row) == (ImportStatus.DONE, "", 8)
    added = organization.leads.filter(source=LeadSource.IMPORT)
    assert sorted(added.values_list("name", "email", "status")) == [
        ("a", "a@x.test", LeadStatus.NEW),
        ("known", "known@x.test", LeadStatus.NEW),
        ("theirs", "theirs@x.test", LeadStatus.NEW),
    ]
    assert not WorkflowRun.objects.exists()
    assert AuditEvent.objects.get(action="import.read").after == {
        "file": "leads.csv",
        "added": 3,
        "duplicate": 2,
        "bad": 3,
    }


def test_a_worker_that_dies_in_mid_batch_leaves_nothing_and_nothing_comes_twice(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)
    row = imported(organization, lines(10))
    assert reading.read_batch(row.pk)
    create = ImportRow.objects.bulk_create

    def dies(rows: list[ImportRow]) -> Any:
        create(rows[:2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ImportRow.objects, "bulk_create", dies)
        with pytest.raises(KeyboardInterrupt):
            reading.read_batch(row.pk)
    assert organization.leads.count() == row.rows.count() == 4

    row = read_all(row)
    assert organization.leads.count() == row.rows.count() == 10
    assert [line for line, _, _ in outcomes(row)] == list(range(2, 12))
    with pytest.raises(IntegrityError), transaction.atomic():
        ImportRow.objects.create(lead_import=row, line=2, outcome=RowOutcome.BAD)


def test_a_cancelled_import_takes_nothing_more_in(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)
    row = imported(organization, lines(10))
    reading.read_batch(row.pk)
    assert cancel_import(row, by=UserFactory())
    assert not reading.read_batch(row.pk)
    row.refresh_from_db()
    assert (row.status, row.content, organization.leads.count()) == (ImportStatus.CANCELLED, "", 4)
    assert not cancel_import(row, by=UserFactory())
    assert AuditEvent.objects.filter(action="import.cancelled").count() == 1


def test_an_import_is_started_once(organization: Organization) -> None:
    row = imported(organization, lines(1))
    assert not start_import(row, COLUMNS, starts_runs=True, at_once=1, by=UserFactory())
    assert AuditEvent.objects.filter(action="import.started").count() == 1


# --- The pace ---


def active(organization: Organization) -> int:
    return organization.workflow_runs.filter(status__in=("queued", "running", "waiting")).count()


def test_so_many_leads_are_worked_on_at_a_time(organization: Organization) -> None:
    row = read_all(imported(organization, lines(5), starts_runs=True, at_once=2))
    assert row.status == ImportStatus.RUNNING

    first = pacing.start_next_runs(row.pk)
    assert (len(first.started), first.goes_on, active(organization)) == (2, True, 2)
    assert pacing.start_next_runs(row.pk) == pacing.Pace([], True)
    cancel_run(WorkflowRun.objects.get(pk=first.started[0]))
    assert len(pacing.start_next_runs(row.pk).started) == 1
    for run in organization.workflow_runs.filter(status=RunStatus.QUEUED):
        cancel_run(run)
    last = pacing.start_next_runs(row.pk)
    assert (len(last.started), last.goes_on) == (2, False)
    row.refresh_from_db()
    assert row.status == ImportStatus.DONE
    assert organization.workflow_runs.values("lead").distinct().count() == 5


@pytest.mark.parametrize(
    "failure",
    [
        StepFailure("budget_exhausted", "The budget is spent.", permanent=True, needs_admin=True),
        StepFailure("invalid_key", "The key is refused.", permanent=True, needs_admin=True),
        StepFailure("rate_limited", "Too many requests.", permanent=False, retry_after=30),
    ],
)
def test_a_run_that_has_to_wait_holds_up_the_others(
    organization: Organization, failure: StepFailure, member: Membership, signed_in: SignIn
) -> None:
    row = read_all(imported(organization, lines(5), starts_runs=True, at_once=3))
    [first, *_] = pacing.start_next_runs(row.pk).started
    run = WorkflowRun.objects.get(pk=first)
    fail_step(claimed(run), failure)
    for other in organization.workflow_runs.exclude(pk=first):
        cancel_run(other)

    assert pacing.start_next_runs(row.pk) == pacing.Pace([], True)
    page = signed_in(member).get(f"/o/acme/imports/{row.pk}/").content.decode()
    assert "No further lead is started for now." in page
    assert failure.sentence in page
    if failure.permanent:
        resume_run(run)
    else:
        cancel_run(run)
    assert len(pacing.start_next_runs(row.pk).started) == 2


def test_a_lead_that_somebody_has_started_meanwhile_is_left_alone(organization: Organization) -> None:
    row = read_all(imported(organization, lines(2), starts_runs=True))
    lead = organization.leads.first()
    assert lead is not None
    start_run(lead)
    organization.leads.exclude(pk=lead.pk).delete()
    assert pacing.start_next_runs(row.pk) == pacing.Pace([], False)
    assert WorkflowRun.objects.count() == 1


def test_a_cancelled_import_starts_nothing_more(organization: Organization) -> None:
    row = read_all(imported(organization, lines(5), starts_runs=True, at_once=1))
    pacing.start_next_runs(row.pk)
    cancel_import(row, by=UserFactory())
    assert pacing.start_next_runs(row.pk) == pacing.Pace([], False)
    assert WorkflowRun.objects.count() == 1


def test_the_task_reads_paces_and_comes_back(
    organization: Organization, nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = imported(organization, lines(4), starts_runs=True, at_once=2)
    assert moving_imports() == [row.pk]
    with django_capture_on_commit_callbacks(execute=True):
        tasks.advance_import(str(row.pk))
    told = nudges.take()
    assert [name for name, _, _ in told] == ["advance_import", "advance_run", "advance_run"]
    assert told[0] == ("advance_import", row.pk, tasks.IMPORT_PACE)
    tasks.sweep_runs()
    assert nudges.take() == [("advance_import", row.pk, timedelta(0))]


# --- The pages ---


def test_a_member_uploads_chooses_columns_and_follows(
    organization: Organization,
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = signed_in(member)
    assert 'href="/o/acme/leads/import/"' in client.get("/o/acme/leads/").content.decode()
    assert client.get("/o/acme/leads/import/").status_code == 200
    data = b"Mail;Text;Who\nann@x.test;We need gears;Ann\nnobody;=1+1;\n"
    answer = client.post("/o/acme/leads/import/", {"file": SimpleUploadedFile("leads.csv", data)})
    row = LeadImport.objects.get()
    address = f"/o/acme/imports/{row.pk}/"
    assert answer["Location"] == address
    page = client.get(address).content.decode()
    assert "2 rows, UTF-8, separated by semicolon" in page
    assert "We need gears" in page
    assert '<option value="0" selected>Mail</option>' in page
    assert '<option value="1" selected>Text</option>' in page
    assert not organization.leads.exists()

    missing = client.post(address, {"column_email": "0", "at_once": "3"})
    assert missing.status_code == 422
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address, {"column_email": "0", "column_message": "1", "column_name": "2", "at_once": "3"})
    assert nudges.take() == [("advance_import", row.pk, timedelta(0))]
    assert 'hx-trigger="every 2s"' in client.get(address).content.decode()
    read_all(row)
    partial = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in partial
    page = client.get(address).content.decode()
    assert "hx-trigger" not in page.partition('id="import-state"')[2][:200]
    assert "Email: Enter a valid email address." in page
    download = client.get(f"{address}rows.csv")
    rows = list(csv.reader(io.StringIO(b"".join(download.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]
    assert rows[1:] == [["3", "Not usable", "Email: Enter a valid email address.", "nobody", "'=1+1", ""]]
    [lead] = organization.leads.all()
    assert (lead.name, lead.email, lead.message) == ("Ann", "ann@x.test", "We need gears")


def test_a_file_that_is_too_large_or_no_csv_is_told(
    organization: Organization, member: Membership, signed_in: SignIn, settings: Settings
) -> None:
    client = signed_in(member)
    settings.LEAD_IMPORT_MAX_BYTES = 1024 * 1024
    for data, why in ((b"x" * (1024 * 1024 + 1), "larger than 1 MB"), (b"PK\x00", "no CSV file")):
        answer = client.post("/o/acme/leads/import/", {"file": SimpleUploadedFile("leads.csv", data)})
        assert answer.status_code == 422
        assert why in answer.content.decode()
    assert not LeadImport.objects.exists()


def test_viewers_import_nothing_and_others_see_nothing(
    organization: Organization, viewer: Membership, member: Membership, signed_in: SignIn
) -> None:
    theirs = imported(OrganizationFactory(), lines(1))
    assert signed_in(viewer).get("/o/acme/leads/import/").status_code == 403
    client = signed_in(member)
    for what in ("", "rows.csv"):
        assert client.get(f"/o/acme/imports/{theirs.pk}/{what}").status_code == 404
    assert client.post(f"/o/acme/imports/{theirs.pk}/cancel/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.status == ImportStatus.READING


# --- Files that nobody uses ---


def uploaded(organization: Organization, *, days_ago: float, status: ImportStatus = ImportStatus.MAPPING) -> LeadImport:
    row = take_file(organization, "leads.csv", lines(2), by=UserFactory())
    at = timezone.now() - timedelta(days=days_ago)
    LeadImport.objects.filter(pk=row.pk).update(created_at=at, status=status)
    row.refresh_from_db()
    return row


def test_a_file_that_nobody_used_in_a_week_is_removed_and_the_page_says_so(
    organization: Organization, member: Membership, signed_in: SignIn
) -> None:
    old, new = uploaded(organization, days_ago=7.1), uploaded(organization, days_ago=6.9)
    busy = uploaded(organization, days_ago=8, status=ImportStatus.READING)

    assert drop_unused_files() == 1
    assert drop_unused_files() == 0

    for row in (old, new, busy):
        row.refresh_from_db()
    assert (old.status, old.content) == (ImportStatus.EXPIRED, "")
    assert old.finished_at is not None
    assert new.content
    assert busy.content
    event = AuditEvent.objects.get(action="import.expired")
    assert (event.actor, event.organization, event.after) == (None, organization, {"file": "leads.csv"})
    page = signed_in(member).get(f"/o/acme/imports/{old.pk}/").content.decode()
    assert "This file was removed after 7 days." in page
    assert 'href="/o/acme/leads/import/"' in page
    assert "Taken in" not in page


def test_a_removed_file_can_neither_be_started_nor_cancelled(organization: Organization) -> None:
    row = uploaded(organization, days_ago=8)
    drop_unused_files()

    assert not start_import(row, COLUMNS, starts_runs=False, at_once=3, by=UserFactory())
    assert not cancel_import(row, by=UserFactory())
    assert Lead.objects.count() == 0
