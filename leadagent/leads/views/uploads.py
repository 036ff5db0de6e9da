"""Files for the knowledge base. What is in them is looked at by a worker, not here."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.knowledge.forms import ReplaceFileForm, UploadForm
from leadagent.leads.knowledge.uploads import dismiss_upload, take_in
from leadagent.leads.models import Document, UploadStatus
from leadagent.leads.tasks import nudge_upload
from leadagent.leads.views.documents import replace_page
from leadagent.leads.views.knowledge import knowledge_page
from leadagent.tenants import audit
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
def upload(request: HtmxHttpRequest) -> HttpResponse:
    """Take files in; each has its line on the page until its text is stored."""
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return knowledge_page(request, upload=form, status=422)
    return _take_in(request, form.cleaned_data["file"], None)


@organization_view(Role.MEMBER)
@require_POST
def replace(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Take a file in whose text becomes the document's next version."""
    found = get_object_or_404(request.organization.documents, pk=document_id)
    form = ReplaceFileForm(request.POST, request.FILES)
    if not form.is_valid():
        return replace_page(request, found, upload=form, status=422)
    return _take_in(request, [form.cleaned_data["file"]], found)


@organization_view(Role.MEMBER)
@require_POST
def dismiss(request: HtmxHttpRequest, upload_id: UUID) -> HttpResponse:
    """Take the line of a file away that gave no text."""
    dismiss_upload(get_object_or_404(request.organization.uploads.defer("data"), pk=upload_id))
    return redirect("leads:knowledge", request.organization.slug)


def _take_in(request: HtmxHttpRequest, files: "Sequence[UploadedFile[Any]]", replaces: Document | None) -> HttpResponse:
    with transaction.atomic():
        taken = take_in(request.organization, files, replaces=replaces, created_by=request.user)
        for row in taken:
            if row.status != UploadStatus.FAILED:
                nudge_upload(row.pk)
        audit.record(
            "document.uploaded",
            organization=request.organization,
            target=replaces.title if replaces else "knowledge base",
            after={"files": [row.name for row in taken]},
            request=request,
        )
    return redirect("leads:knowledge", request.organization.slug)
