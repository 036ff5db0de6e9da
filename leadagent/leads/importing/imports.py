"""The life of an import: a file is taken, started once its columns are chosen, cancelled, found by the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.importing.csv_file import CsvFile, read_csv
from leadagent.leads.models import MOVING, ImportStatus, LeadImport
from leadagent.leads.text import one_line
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

# A file whose columns nobody chooses is somebody's data that nobody wants.
UNUSED_FOR = timedelta(days=7)


def take_file(organization: Organization, name: str, data: bytes, *, by: User) -> LeadImport:
    """Keep an uploaded file until its columns are chosen. Raises `UnreadableFile`."""
    file = read_csv(data, most_rows=settings.LEAD_IMPORT_MAX_ROWS)
    return LeadImport.objects.create(
        organization=organization,
        created_by=by,
        file_name=one_line(name, limit=200) or "unnamed file",
        content=file.text,
        encoding=file.encoding,
        delimiter=file.delimiter,
        rows_total=file.count(),
    )


def file_of(lead_import: LeadImport) -> CsvFile:
    return CsvFile(lead_import.content, lead_import.encoding, lead_import.delimiter)


def start_import(
    lead_import: LeadImport,
    columns: Mapping[str, int],
    *,
    starts_runs: bool,
    at_once: int,
    by: User,
    request: HttpRequest | None = None,
) -> bool:
    """Begin to take the rows in; False where that was begun or cancelled already."""
    with transaction.atomic():
        begun = LeadImport.objects.filter(pk=lead_import.pk, status=ImportStatus.MAPPING).update(
            columns=dict(columns),
            starts_runs=starts_runs,
            at_once=at_once,
            status=ImportStatus.READING,
            started_at=timezone.now(),
        )
        if begun:
            after = {
                "file": lead_import.file_name,
                "rows": lead_import.rows_total,
                "workflow": f"{at_once} at once" if starts_runs else "not started",
            }
            _record("import.started", lead_import, by=by, after=after, request=request)
    return bool(begun)


def cancel_import(lead_import: LeadImport, *, by: User, request: HttpRequest | None = None) -> bool:
    """Take no further row in and start no further run; what is there stays. False where it has ended."""
    with transaction.atomic():
        open_ones = LeadImport.objects.filter(pk=lead_import.pk, status__in=(ImportStatus.MAPPING, *MOVING))
        cancelled = open_ones.update(status=ImportStatus.CANCELLED, content="", finished_at=timezone.now())
        if cancelled:
            _record("import.cancelled", lead_import, by=by, after={"file": lead_import.file_name}, request=request)
    return bool(cancelled)


def drop_unused_files() -> int:
    """Delete the text of files whose columns nobody has chosen in `UNUSED_FOR`; how many. Safe to run twice."""
    old = LeadImport.objects.filter(status=ImportStatus.MAPPING, created_at__lt=timezone.now() - UNUSED_FOR)
    dropped = 0
    for pk in list(old.values_list("pk", flat=True)):
        with transaction.atomic():
            # Whoever has begun to import it meanwhile has it.
            if not old.filter(pk=pk).update(status=ImportStatus.EXPIRED, content="", finished_at=timezone.now()):
                continue
            row = LeadImport.objects.select_related("organization").defer("content").get(pk=pk)
            _record("import.expired", row, by=None, after={"file": row.file_name}, request=None)
            dropped += 1
    return dropped


def moving_imports() -> list[UUID]:
    """Ids of imports that a worker has something to do for."""
    return list(LeadImport.objects.filter(status__in=MOVING).order_by("created_at").values_list("pk", flat=True)[:50])


def _record(
    action: str, lead_import: LeadImport, *, by: User | None, after: dict[str, object], request: HttpRequest | None
) -> None:
    audit.record(
        action,
        organization=lead_import.organization,
        actor=by,
        target=f"import {lead_import.pk}",
        after=after,
        request=request,
    )
