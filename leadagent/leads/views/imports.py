"""Importing leads: upload a file, choose its columns, follow it, cancel it, get what was not taken in."""

from collections import Counter
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads.importing.csv_file import DELIMITERS, UnreadableFile, guess_columns
from leadagent.leads.importing.forms import ColumnsForm, ImportFileForm
from leadagent.leads.importing.imports import UNUSED_FOR, cancel_import, file_of, start_import, take_file
from leadagent.leads.importing.pacing import held_up_by, runs_of
from leadagent.leads.models import ACTIVE, ImportStatus, LeadImport, RowOutcome
from leadagent.leads.tasks import nudge_import
from leadagent.tenants.access import organization_view
from leadagent.tenants.csv_rows import csv_response
from leadagent.tenants.models import Role

PREVIEW_ROWS = 5
SHOWN_ROWS = 50


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HtmxHttpRequest) -> HttpResponse:
    """Upload a file; earlier imports are listed below."""
    form = ImportFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            taken = take_file(request.organization, file.name, file.read(), by=request.user)
            return redirect("leads:import", request.organization.slug, taken.pk)
        except UnreadableFile as problem:
            form.add_error("file", str(problem))
    context = {
        "form": form,
        "most_rows": settings.LEAD_IMPORT_MAX_ROWS,
        "most_megabytes": settings.LEAD_IMPORT_MAX_BYTES // (1024 * 1024),
        "imports": request.organization.lead_imports.defer("content").order_by("-created_at")[:20],
    }
    return render(request, "leads/import_new.html", context, status=422 if form.errors else 200)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HtmxHttpRequest, import_id: UUID) -> HttpResponse:
    """Choose the columns, then follow how the rows come in."""
    lead_import = _import(request, import_id)
    if lead_import.status == ImportStatus.MAPPING:
        return _mapping(request, lead_import)
    return render_page(request, "leads/import.html", _progress(request, lead_import), partial="state")


@organization_view(Role.MEMBER)
@require_POST
def cancel(request: HtmxHttpRequest, import_id: UUID) -> HttpResponse:
    """Stop where it is; leads that are there stay."""
    lead_import = _import(request, import_id)
    if not cancel_import(lead_import, by=request.user, request=request):
        messages.warning(request, "This import has already ended.")
    return redirect("leads:import", request.organization.slug, lead_import.pk)


@organization_view(Role.MEMBER)
@require_safe
def rejected(request: HtmxHttpRequest, import_id: UUID) -> StreamingHttpResponse:
    """The rows that were not taken in, with their lines and reasons, as CSV."""
    lead_import = _import(request, import_id)
    rows = lead_import.rows.exclude(outcome=RowOutcome.ADDED)
    lines = ([row.line, row.get_outcome_display(), row.reason, *row.cells] for row in rows.iterator())
    return csv_response("rows-not-imported.csv", ["line", "outcome", "reason", "cells as in the file"], lines)


def _mapping(request: HtmxHttpRequest, lead_import: LeadImport) -> HttpResponse:
    file = file_of(lead_import)
    header = file.header
    form = ColumnsForm(request.POST or None, header=header, guess=guess_columns(header))
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            begun = start_import(
                lead_import,
                form.columns,
                starts_runs=form.cleaned_data["starts_runs"],
                at_once=form.cleaned_data["at_once"],
                by=request.user,
                request=request,
            )
            if begun:
                nudge_import(lead_import.pk)
        return redirect("leads:import", request.organization.slug, lead_import.pk)
    context = {
        "form": form,
        "lead_import": lead_import,
        "header": header,
        "kept_for": UNUSED_FOR.days,
        "preview": list(islice(file.rows(), PREVIEW_ROWS)),
        "encoding": file.encoding_label,
        "delimiter": DELIMITERS[file.delimiter],
        "cancel_url": reverse("leads:import_cancel", args=[request.organization.slug, lead_import.pk]),
    }
    return render(request, "leads/import_columns.html", context, status=422 if form.errors else 200)


def _progress(request: HtmxHttpRequest, lead_import: LeadImport) -> dict[str, Any]:
    counts = Counter(dict(lead_import.rows.values_list("outcome").annotate(count=Count("pk")).order_by()))
    runs = runs_of(lead_import) if lead_import.starts_runs else None
    held = held_up_by(lead_import) if lead_import.status == ImportStatus.RUNNING else None
    org = request.organization.slug
    rejected_rows = list(lead_import.rows.exclude(outcome=RowOutcome.ADDED)[: SHOWN_ROWS + 1])
    return {
        "lead_import": lead_import,
        "removed": f"This file was removed after {UNUSED_FOR.days} days.",
        "read": min(lead_import.next_row, lead_import.rows_total),
        "added": counts[RowOutcome.ADDED],
        "duplicates": counts[RowOutcome.DUPLICATE],
        "bad": counts[RowOutcome.BAD],
        "started": lead_import.rows.filter(run_started_at__isnull=False).count() if runs is not None else 0,
        "under_way": runs.filter(status__in=ACTIVE).count() if runs is not None else 0,
        "held": held,
        "rows": rejected_rows[:SHOWN_ROWS],
        "has_more": len(rejected_rows) > SHOWN_ROWS,
        "page_url": reverse("leads:import", args=[org, lead_import.pk]),
        "rejected_url": reverse("leads:import_rejected", args=[org, lead_import.pk]) if rejected_rows else "",
        "cancel_url": reverse("leads:import_cancel", args=[org, lead_import.pk]) if lead_import.is_moving else "",
    }


def _import(request: HtmxHttpRequest, import_id: UUID) -> LeadImport:
    return get_object_or_404(request.organization.lead_imports, pk=import_id)
