"""Taking the rows of a file in: in batches, each once, however often a worker dies over it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone

from leadagent.leads.importing.csv_file import CsvFile, Row
from leadagent.leads.inbox.forms import LeadForm
from leadagent.leads.inbox.intake import FIELDS
from leadagent.leads.models import (
    ImportRow,
    ImportStatus,
    Lead,
    LeadImport,
    LeadSource,
    RowOutcome,
)
from leadagent.tenants import audit
from leadagent.tenants.models import Organization

BATCH = 200
_KNOWN = "The same message of this sender is a lead already."


def read_batch(import_id: UUID) -> bool:
    """Take the next rows in; whether more wait. Of any number of callers one reads, and the others see that.

    A batch is one transaction: a worker that dies leaves nothing of it, and the next one begins there.
    """
    with transaction.atomic():
        mine = LeadImport.objects.select_for_update(skip_locked=True, of=("self",)).select_related("organization")
        row = mine.filter(pk=import_id, status=ImportStatus.READING).first()
        if row is None:
            return False
        file = CsvFile(row.content, row.encoding, row.delimiter)
        rows = list(islice(file.rows(start=row.next_row), BATCH))
        _take_in(row, rows)
        row.next_row += len(rows)
        if row.next_row >= row.rows_total or not rows:
            _finish_reading(row)
        row.save(update_fields=["next_row", "status", "content", "finished_at"])
        return row.status == ImportStatus.READING


def _take_in(lead_import: LeadImport, rows: list[Row]) -> None:
    values: dict[int, Mapping[str, str]] = {}
    outcomes: list[ImportRow] = []
    for row in rows:
        form = LeadForm(_fields(row, lead_import.columns))
        if row.problem or not form.is_valid():
            outcomes.append(_not_added(lead_import, row, RowOutcome.BAD, row.problem or _first_error(form)))
        else:
            values[row.line] = {name: form.cleaned_data[name] for name in FIELDS}
    known = _known(lead_import.organization, {fields["email"].lower() for fields in values.values()})
    leads: list[Lead] = []
    for row in rows:
        fields = values.get(row.line)
        if fields is None:
            continue
        key = (fields["email"].lower(), fields["message"])
        if key in known:
            outcomes.append(_not_added(lead_import, row, RowOutcome.DUPLICATE, _KNOWN))
            continue
        known.add(key)
        lead = Lead(organization=lead_import.organization, source=LeadSource.IMPORT, **fields)
        leads.append(lead)
        outcomes.append(ImportRow(lead_import=lead_import, line=row.line, outcome=RowOutcome.ADDED, lead=lead))
    Lead.objects.bulk_create(leads)
    ImportRow.objects.bulk_create(outcomes)


def _fields(row: Row, columns: Mapping[str, int]) -> dict[str, str]:
    """The cells by the fields that they are for. Who has no name is called by the first part of the address."""
    fields = {name: row.cells[at] if at < len(row.cells) else "" for name, at in columns.items()}
    if not fields.get("name"):
        fields["name"] = fields.get("email", "").partition("@")[0]
    return fields


def _first_error(form: LeadForm) -> str:
    field, errors = next(iter(form.errors.items()))
    return f"{field.capitalize()}: {errors[0]}"


def _not_added(lead_import: LeadImport, row: Row, outcome: RowOutcome, reason: str) -> ImportRow:
    cells = [cell[:1000] for cell in row.cells]
    return ImportRow(lead_import=lead_import, line=row.line, outcome=outcome, reason=reason, cells=cells)


def _known(organization: Organization, emails: set[str]) -> set[tuple[str, str]]:
    """(address, message) of the leads of these senders that are there already. One query."""
    found = organization.leads.annotate(sender=Lower("email")).filter(sender__in=emails)
    return {(email.lower(), message) for email, message in found.values_list("email", "message")}


def _finish_reading(lead_import: LeadImport) -> None:
    """The file's text is dropped; its leads are worked on if that was wished."""
    lead_import.content = ""
    has_leads = lead_import.rows.filter(outcome=RowOutcome.ADDED).exists()
    lead_import.status = ImportStatus.RUNNING if lead_import.starts_runs and has_leads else ImportStatus.DONE
    if lead_import.status == ImportStatus.DONE:
        lead_import.finished_at = timezone.now()
    counts = {outcome.value: lead_import.rows.filter(outcome=outcome).count() for outcome in RowOutcome}
    audit.record(
        "import.read",
        organization=lead_import.organization,
        actor=lead_import.created_by,
        target=f"import {lead_import.pk}",
        after={"file": lead_import.file_name, **counts},
    )
