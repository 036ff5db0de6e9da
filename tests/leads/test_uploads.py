"""Uploaded files: each has its line until its text is stored, and none is kept."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.leads import tasks
from leadagent.leads.knowledge.documents import delete_document
from leadagent.leads.knowledge.file_reading import FileProblem, ReadFile
from leadagent.leads.knowledge.indexing import index_document
from leadagent.leads.knowledge.uploads import (
    CLAIM_LOST_AFTER,
    FORGET_AFTER,
    MAX_ATTEMPTS,
    read_upload,
    take_due_uploads,
    take_in,
)
from leadagent.leads.models import Document, DocumentStatus, Upload, UploadStatus
from leadagent.tenants.models import AuditEvent, Membership, Organization
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory
from tests.leads.made_files import docx, paragraph, pdf

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
PAGE = "/o/acme/knowledge/"


def file(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def taken(organization: Organization, name: str = "prices.txt", content: bytes = b"Ten dollars.") -> Upload:
    [upload] = take_in(organization, [file(name, content)])
    return upload


def page(client: Client) -> str:
    return client.get(PAGE).content.decode()


def test_several_files_at_once_each_on_its_own(
    member: Membership,
    signed_in: SignIn,
    nudges: Nudges,
    settings: Settings,
    provider: FakeProvider,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.KNOWLEDGE_FILE_MAX_MB = 1
    client = signed_in(member)
    files = [
        file("Price list.pdf", pdf("Ten dollars a month.")),
        # The content decides what it is, not the name.
        file("handbook.pdf", docx(paragraph("Holidays", heading=1), paragraph("August."))),
        file("broken.docx", docx(paragraph("x"))[:-300]),
        file("huge.txt", b"x" * (1024 * 1024 + 1)),
        file("empty.md", b""),
    ]

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"{PAGE}upload/", {"file": files})

    assert response.headers["Location"] == PAGE
    assert nudges.names == ["read_upload"] * 3, "what is refused at once is not read"
    shown = page(client)
    assert "every 2s" in shown
    assert shown.count("Waiting to be read") == 3
    assert "more than 1 MB" in shown
    assert "This file is empty." in shown

    for _, upload_id, _ in nudges.take():
        with django_capture_on_commit_callbacks(execute=True):
            tasks.read_upload(str(upload_id))

    rows = Document.objects.order_by("title").values_list("title", "kind", "file_name", "pages", "status", "created_by")
    assert list(rows) == [
        ("Price list", "pdf", "Price list.pdf", 1, "pending", member.user.pk),
        ("handbook", "docx", "handbook.pdf", None, "pending", member.user.pk),
    ]
    assert nudges.names == ["index_document"] * 2
    assert set(Upload.objects.values_list("name", "error_code")) == {
        ("broken.docx", "damaged"), ("huge.txt", "too_large"), ("empty.md", "empty"),
    }  # fmt: skip
    assert not Upload.objects.exclude(data=None).exists(), "no file is kept"
    assert "This file is damaged" in page(client)
    told = AuditEvent.objects.order_by("pk").values_list("action", "actor")
    assert list(told) == [("document.uploaded", member.user.pk)] + [("document.added", member.user.pk)] * 2


def test_a_file_without_text_can_be_dismissed_and_one_on_its_way_cannot(member: Membership, signed_in: SignIn) -> None:
    waiting, failed = taken(member.organization), taken(member.organization, content=b"")
    client = signed_in(member)
    assert f"{PAGE}uploads/{failed.pk}/dismiss/" in page(client)
    assert f"{PAGE}uploads/{waiting.pk}/dismiss/" not in page(client)

    for upload in (waiting, failed):
        client.post(f"{PAGE}uploads/{upload.pk}/dismiss/")

    assert list(Upload.objects.all()) == [waiting]


def test_a_file_replaces_a_document(
    member: Membership, signed_in: SignIn, nudges: Nudges, provider: FakeProvider
) -> None:
    document = DocumentFactory(organization=member.organization, title="Prices")
    index_document(document.pk)
    client = signed_in(member)
    form = client.get(f"{PAGE}{document.pk}/replace/").content.decode()
    assert f"{PAGE}{document.pk}/replace/file/" in form

    client.post(f"{PAGE}{document.pk}/replace/file/", {"file": [file("2027.pdf", pdf("Twenty dollars a month."))]})
    assert "Replaces “Prices”." in page(client)
    upload = Upload.objects.get()
    assert read_upload(upload.pk) == document.pk

    document.refresh_from_db()
    assert (document.title, document.content, document.version) == ("Prices", "Twenty dollars a month.", 2)
    assert (document.kind, document.file_name, document.status) == ("pdf", "2027.pdf", DocumentStatus.PENDING)
    assert Document.objects.count() == 1
    assert AuditEvent.objects.filter(action="document.replaced", target="Prices").exists()


def test_a_replacement_without_a_file_is_told_where_it_was_asked_for(member: Membership, signed_in: SignIn) -> None:
    document = DocumentFactory(organization=member.organization, title="Prices")
    where = f"{PAGE}{document.pk}/replace/"
    client = signed_in(member)
    # One file is one text: the page offers no second one that nobody would read.
    assert 'type="file"' in client.get(where).content.decode()
    assert "multiple" not in client.get(where).content.decode()

    answer = client.post(f"{where}file/")

    assert answer.status_code == 422
    assert "Replace the text of “Prices”" in answer.content.decode()
    assert "This field is required." in answer.content.decode()
    assert not Upload.objects.exists()


def test_its_document_is_deleted_meanwhile(organization: Organization) -> None:
    document = DocumentFactory(organization=organization)
    [upload] = take_in(organization, [file("a.txt", b"text")], replaces=document)
    delete_document(document)

    assert read_upload(upload.pk) is None
    assert not Document.objects.exists()


def test_nothing_chosen_or_too_many(member: Membership, signed_in: SignIn) -> None:
    client = signed_in(member)
    assert client.post(f"{PAGE}upload/", {}).status_code == 422
    answer = client.post(f"{PAGE}upload/", {"file": [file(f"{n}.txt", b"x") for n in range(21)]})
    assert answer.status_code == 422
    assert "up to 20 files" in answer.content.decode()
    assert not Upload.objects.exists()


def test_a_request_that_carries_too_much_is_not_read(member: Membership, signed_in: SignIn, settings: Settings) -> None:
    settings.UPLOAD_MAX_MB = 1
    answer = signed_in(member).post(f"{PAGE}upload/", {"file": [file("a.txt", b"x" * 1024 * 1024)]})
    assert answer.status_code in (400, 413)
    assert not Upload.objects.exists()


def test_whoever_looks_uploads_nothing(viewer: Membership, signed_in: SignIn) -> None:
    client = signed_in(viewer)
    failed = taken(viewer.organization, content=b"")
    assert "Upload files" not in page(client)
    assert "dismiss" not in page(client)
    assert client.post(f"{PAGE}upload/", {"file": [file("a.txt", b"x")]}).status_code == 403
    assert client.post(f"{PAGE}uploads/{failed.pk}/dismiss/").status_code == 403


def test_names_are_only_names(organization: Organization) -> None:
    names = ["../../etc/passwd", "C:\\docs\\Price\nlist.txt", "", "x" * 500 + ".txt"]
    rows = [taken(organization, name or "unnamed") for name in names]
    assert [row.name for row in rows[:2]] == ["passwd", "Price list.txt"]
    assert len(rows[3].name) <= 200


# --- Workers ---


def test_one_worker_reads_it_and_the_next_takes_up_what_a_dead_one_left(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, nudges: Nudges
) -> None:
    upload = taken(organization)

    def dies(_: bytes) -> ReadFile:
        raise SystemExit

    monkeypatch.setattr("leadagent.leads.knowledge.uploads.read_file", dies)
    with pytest.raises(SystemExit):
        read_upload(upload.pk)
    assert read_upload(upload.pk) is None
    assert take_due_uploads() == []
    monkeypatch.undo()

    with time_machine.travel(timezone.now() + CLAIM_LOST_AFTER + timedelta(seconds=1)):
        assert take_due_uploads() == [upload.pk]
        assert read_upload(upload.pk) == Document.objects.get().pk
        assert read_upload(upload.pk) is None
    assert not Upload.objects.exists()


def test_a_file_that_ends_its_readers_is_given_up(organization: Organization) -> None:
    upload = taken(organization)
    Upload.objects.update(attempts=MAX_ATTEMPTS)
    assert read_upload(upload.pk) is None
    upload.refresh_from_db()
    assert (upload.status, upload.error_code, upload.data) == (UploadStatus.FAILED, "too_much", None)


def test_a_late_result_is_dropped(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = taken(organization)

    def overtaken(_: bytes) -> ReadFile:
        Upload.objects.update(claimed_at=timezone.now() + timedelta(hours=1))
        return ReadFile("text", "late", None)

    monkeypatch.setattr("leadagent.leads.knowledge.uploads.read_file", overtaken)
    assert read_upload(upload.pk) is None
    assert not Document.objects.exists()

    def failing(_: bytes) -> ReadFile:
        Upload.objects.update(claimed_at=timezone.now() + timedelta(hours=2))
        raise FileProblem("damaged")

    Upload.objects.update(claimed_at=None)
    monkeypatch.setattr("leadagent.leads.knowledge.uploads.read_file", failing)
    read_upload(upload.pk)
    upload.refresh_from_db()
    assert upload.status == UploadStatus.READING


def test_old_lines_are_forgotten(organization: Organization) -> None:
    taken(organization, content=b"")
    waiting = taken(organization)
    Upload.objects.update(created_at=timezone.now() - FORGET_AFTER - timedelta(days=1))

    take_due_uploads()

    assert list(Upload.objects.all()) == [waiting]


def test_lists_do_not_load_the_files(member: Membership, signed_in: SignIn) -> None:
    taken(member.organization)
    client = signed_in(member)
    statements: list[str] = []

    def note(execute: Callable[..., object], sql: str, *rest: object) -> object:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        page(client)

    [listing] = [sql for sql in statements if 'FROM "leads_upload"' in sql]
    assert '"leads_upload"."data"' not in listing
