"""Uploaded files: taken in by the web process as they are, read by a worker, kept by nobody."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from leadagent.leads.knowledge.documents import add_document_to_knowledge_base, replace_document
from leadagent.leads.knowledge.file_reading import WALL_SECONDS, FileProblem, ReadFile, read_file
from leadagent.leads.models import Document, DocumentKind, Upload, UploadStatus
from leadagent.leads.text import clean, one_line
from leadagent.leads.work_queue import is_free, take_unheard
from leadagent.tenants import audit

if TYPE_CHECKING:
    from leadagent.tenants.models import Organization, User

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 20
MAX_ATTEMPTS = 2
CLAIM_LOST_AFTER = timedelta(seconds=2 * WALL_SECONDS)
# After these days nobody will ask any more why a file gave no text.
FORGET_AFTER = timedelta(days=7)


def take_in(
    organization: Organization,
    files: Sequence[UploadedFile[Any]],
    *,
    replaces: Document | None = None,
    created_by: User | None = None,
) -> list[Upload]:
    """Store files for a worker to read. One that is too large or empty is refused on its own line; the others go on."""
    return [_take_in(organization, file, replaces, created_by) for file in files]


def _take_in(
    organization: Organization, file: UploadedFile[Any], replaces: Document | None, created_by: User | None
) -> Upload:
    size = file.size or 0
    upload = Upload(
        organization=organization,
        replaces=replaces,
        # Browsers of old send a whole path.
        name=one_line(PurePath((file.name or "").replace("\\", "/")).name, limit=200) or "Unnamed file",
        size=size,
        created_by=created_by,
    )
    most = settings.KNOWLEDGE_FILE_MAX_MB
    if size > most * 1024 * 1024:
        _refuse(upload, "too_large", f"This file has more than {most} MB. Save it as text or PDF, or split it.")
    elif size == 0:
        _refuse(upload, "empty", "This file is empty.")
    else:
        upload.data = file.read()
    upload.save(force_insert=True)
    return upload


def read_upload(upload_id: UUID) -> UUID | None:
    """Make the file's text a document, or the next version of one; its id, or None where there is nothing to prepare.

    Of any number of callers one does the work. A file without text keeps its line, with the reason.
    """
    now = timezone.now()
    if not _due().filter(pk=upload_id).update(claimed_at=now, attempts=F("attempts") + 1, status=UploadStatus.READING):
        return None
    upload = Upload.objects.select_related("organization", "replaces", "created_by").get(pk=upload_id)
    try:
        if upload.attempts > MAX_ATTEMPTS:
            # Whoever read it was lost each time.
            raise FileProblem("too_much")
        read = read_file(bytes(upload.data or b""))
        if not clean(read.text):
            raise FileProblem("empty")
    except FileProblem as problem:
        _refuse(upload, problem.code, problem.sentence)
        held = Upload.objects.filter(pk=upload.pk, claimed_at=upload.claimed_at)
        held.update(
            status=upload.status,
            error_code=upload.error_code,
            error_sentence=upload.error_sentence,
            data=None,
            claimed_at=None,
        )
        return None
    return _store(upload, read)


def dismiss_upload(upload: Upload) -> bool:
    """Take the line of a file away that gave no text; False for one that is still on its way."""
    return bool(Upload.objects.filter(pk=upload.pk, status=UploadStatus.FAILED).delete()[0])


def take_due_uploads(*, limit: int = 50) -> list[UUID]:
    """Ids of files that wait and whose nudge seems lost; they count as nudged from now on.

    Lines of files that gave no text are forgotten after a week.
    """
    Upload.objects.filter(status=UploadStatus.FAILED, created_at__lt=timezone.now() - FORGET_AFTER).delete()
    return take_unheard(_due(), limit=limit)


def _due() -> QuerySet[Upload]:
    free = is_free(timezone.now(), lost_after=CLAIM_LOST_AFTER)
    return Upload.objects.filter(free).exclude(status=UploadStatus.FAILED)


def _refuse(upload: Upload, code: str, sentence: str) -> None:
    upload.status, upload.error_code, upload.error_sentence, upload.data = UploadStatus.FAILED, code, sentence, None


@transaction.atomic
def _store(upload: Upload, read: ReadFile) -> UUID | None:
    if not Upload.objects.filter(pk=upload.pk, claimed_at=upload.claimed_at).delete()[0]:
        # Another worker has it, or its document was deleted.
        return None
    kind = DocumentKind(read.kind)
    if upload.replaces is not None:
        document = upload.replaces
        changed = replace_document(document, read.text, kind=kind, file_name=upload.name, pages=read.pages)
        if changed:
            _record("document.replaced", upload, document)
        return document.pk if changed else None
    document = add_document_to_knowledge_base(
        upload.organization,
        PurePath(upload.name).stem,
        read.text,
        kind=kind,
        file_name=upload.name,
        pages=read.pages,
        created_by=upload.created_by,
    )
    _record("document.added", upload, document)
    return document.pk


def _record(action: str, upload: Upload, document: Document) -> None:
    audit.record(
        action,
        organization=upload.organization,
        actor=upload.created_by,
        target=document.title,
        after={"document": str(document.pk), "file": upload.name},
    )
