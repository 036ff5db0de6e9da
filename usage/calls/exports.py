"""Downloads that are prepared in the background: asked for, written by a worker, told by email, dropped after days.

A file is written under another name and renamed when it is whole. A worker that dies leaves a
row that stops moving; the next round begins it again.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from leadagent.advisory_locks import AdvisoryLock
from leadagent.outgoing_mail import notice_mail
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.calls.call_filter import CallFilter, count_calls
from usage.calls.export_copy import ExportFormat, export_chunks
from usage.models import ExportState, UsageExport

logger = logging.getLogger(__name__)

# From so many calls on the background is suggested: that is a minute or so of download on a slow line.
SUGGESTED_FROM = 200_000
KEPT_FOR = timedelta(days=3)
AT_ONCE = 3
# Longer than any filter needs to find its first calls: progress is noted with what comes out.
_LOST_AFTER = timedelta(minutes=5)
_ATTEMPTS = 3
_NOTED_EVERY = timedelta(seconds=1)


class TooManyExports(Exception):
    """The organisation has as many under way as it may; the message is a sentence for the page."""


def request_export(
    organization: Organization,
    wanted: CallFilter,
    export_format: ExportFormat,
    *,
    person: User,
    request: HttpRequest | None = None,
) -> UsageExport:
    """Note that a download is wanted. Raises `TooManyExports`. The caller nudges a worker once this is committed."""
    # One request at a time per organisation: the limit holds however many ask at once.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    under_way = Q(state__in=[ExportState.WAITING, ExportState.RUNNING])
    if UsageExport.objects.filter(under_way, organization=organization).count() >= AT_ONCE:
        raise TooManyExports(f"{AT_ONCE} downloads are being prepared already. Wait until one of them is ready.")
    export = UsageExport.objects.create(
        organization=organization,
        requested_by=person,
        wanted=wanted.as_values(),
        format=export_format.value,
        rows_expected=count_calls(organization, wanted),
    )
    audit.record(
        "usage.export_requested",
        organization=organization,
        actor=person,
        target=wanted.as_query() or "everything",
        request=request,
    )
    return export


def file_of(export: UsageExport) -> Path:
    """Where the finished file lies. Its name is the id alone: nothing of it comes from outside."""
    return Path(settings.EXPORT_DIR) / f"{export.pk}.{ExportFormat(export.format).value}"


def write_export(export_id: UUID) -> bool:
    """Write the file of one export that waits, or that lost its process.

    False where there was nothing to do, where another one is being written (one at a time: workers have other
    work too), or where the export was taken for lost meanwhile. Raises what went wrong, after noting it.
    """
    if not _claim(export_id):
        return False
    export = UsageExport.objects.select_related("organization", "requested_by").get(pk=export_id)
    # Each later word is this attempt's: one that was taken for lost has none any more.
    mine = UsageExport.objects.filter(pk=export_id, state=ExportState.RUNNING, attempts=export.attempts)
    path = file_of(export)
    unfinished = path.with_suffix(f"{path.suffix}.{export.attempts}.part")
    try:
        size = _write(export, unfinished)
        if not mine.exists():
            return False
        unfinished.replace(path)
    except Exception:
        if export.attempts < _ATTEMPTS:
            mine.update(state=ExportState.WAITING)
        else:
            mine.update(state=ExportState.FAILED, finished_at=timezone.now())
        raise
    finally:
        # A full disk is not kept full.
        if unfinished.is_file():
            unfinished.unlink()
    finished = timezone.now()
    return bool(
        mine.update(
            state=ExportState.READY,
            size=size,
            rows_written=export.rows_written,
            finished_at=finished,
            expires_at=finished + KEPT_FOR,
        )
    )


def _claim(export_id: UUID) -> bool:
    now = timezone.now()
    with transaction.atomic():
        AdvisoryLock.EXPORTS.hold()
        is_busy = UsageExport.objects.filter(state=ExportState.RUNNING).exclude(_lost(now)).exists()
        return not is_busy and bool(
            UsageExport.objects.filter(_waits(now), pk=export_id).update(
                state=ExportState.RUNNING, alive_at=now, rows_written=0, attempts=F("attempts") + 1
            )
        )


def _lost(now: datetime) -> Q:
    return Q(state=ExportState.RUNNING, alive_at__lt=now - _LOST_AFTER)


def _waits(now: datetime) -> Q:
    return Q(state=ExportState.WAITING) | (_lost(now) & Q(attempts__lt=_ATTEMPTS))


def _write(export: UsageExport, unfinished: Path) -> int:
    """The file's size in bytes. `export.rows_written` is kept up to date, in the database about once a second."""
    noted = timezone.now()

    def note(rows: int) -> None:
        nonlocal noted
        export.rows_written = rows
        if (now := timezone.now()) - noted >= _NOTED_EVERY:
            noted = now
            progress.append(rows)

    # Written down between two pieces: the connection is busy while it copies.
    progress: list[int] = []
    unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Every tenant's calls: for nobody else on the machine.
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for chunk in export_chunks(
            export.organization, CallFilter.from_values(export.wanted), ExportFormat(export.format), on_rows=note
        ):
            file.write(chunk)
            if progress:
                _note_progress(export, progress.pop())
        return file.tell()


def _note_progress(export: UsageExport, rows: int) -> None:
    """By a connection of its own: the one that copies cannot do anything else meanwhile."""
    from usage.recording import durable

    with durable.connection() as other:
        other.execute(
            "UPDATE usage_usageexport SET rows_written = %s, alive_at = now() WHERE id = %s AND attempts = %s",
            (rows, export.pk, export.attempts),
        )


def tell_of_ready_exports() -> int:
    """Email whoever asked that the file is there; returns how many mails went out. Safe to run twice.

    The row is marked first and unmarked where the mail server refused: at most once, tried again by the next round.
    """
    sent = 0
    # Whoever has left the organisation hears no more of it.
    ready = UsageExport.objects.filter(
        state=ExportState.READY,
        told_at=None,
        requested_by__is_active=True,
        requested_by__memberships__organization=F("organization"),
    )
    for export in ready.select_related("organization", "requested_by"):
        if not UsageExport.objects.filter(pk=export.pk, told_at=None).update(told_at=timezone.now()):
            continue
        if _mail(export):
            sent += 1
        else:
            UsageExport.objects.filter(pk=export.pk).update(told_at=None)
    return sent


def give_up_lost_exports() -> int:
    """Note that those failed which lost their process at the last attempt too; returns how many."""
    now = timezone.now()
    return UsageExport.objects.filter(_lost(now), attempts__gte=_ATTEMPTS).update(
        state=ExportState.FAILED, finished_at=now
    )


def drop_old_exports() -> int:
    """Remove the files whose days are over, and rows of files that never came to be; returns how many.

    Files without a row go too: those of an organisation that was deleted, and what a killed worker left.
    """
    now = timezone.now()
    old = UsageExport.objects.filter(
        Q(expires_at__lte=now) | Q(state=ExportState.FAILED, finished_at__lte=now - KEPT_FOR)
    )
    dropped = 0
    for export in old:
        file_of(export).unlink(missing_ok=True)
        export.delete()
        dropped += 1
    kept = {f"{row.pk}.{row.format}" for row in UsageExport.objects.only("pk", "format")}
    for path in Path(settings.EXPORT_DIR).glob("*-*-*-*-*.*"):
        if path.name not in kept and path.stat().st_mtime < (now - KEPT_FOR).timestamp():
            path.unlink(missing_ok=True)
    return dropped


def waiting_exports() -> list[UUID]:
    """Which ones a worker should write, in turn: those that wait, and those whose process was lost."""
    waiting = UsageExport.objects.filter(_waits(timezone.now())).order_by("requested_at")
    return list(waiting.values_list("pk", flat=True))


def _mail(export: UsageExport) -> bool:
    organization, person = export.organization, export.requested_by
    assert person is not None
    link = settings.PUBLIC_URL + reverse("usage:exports", args=[organization.slug])
    context = {"organization": organization, "export": export, "link": link}
    mail = notice_mail(
        "usage/email/export_ready",
        context,
        subject=f"Usage of {organization.name} is ready to download",
        to=[person.email],
        matter=f"usage-export-{export.pk}",
    )
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        logger.warning("the email on export %s was not sent: %s", export.pk, type(error).__name__)
        return False
    return True
