"""Documents as pages show them: words, kinds and addresses, no markup."""

from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q
from django.urls import reverse

from byok.calls.platform_fallback import operations_to_grant
from leadagent.http import HtmxHttpRequest
from leadagent.keyset import BadCursor, beyond, read_cursor
from leadagent.leads.models import ChunkVector, Document, DocumentStatus, UploadStatus
from leadagent.tenants.models import Organization, Role

_KINDS = {
    DocumentStatus.PENDING: "busy",
    DocumentStatus.READY: "good",
    DocumentStatus.WAITING: "warn",
    DocumentStatus.FAILED: "bad",
}
_STOPPED = (DocumentStatus.WAITING, DocumentStatus.FAILED)


class StatusFilter(NamedTuple):
    """A chip above the list."""

    label: str
    statuses: tuple[DocumentStatus, ...]


STATUS_FILTERS = {
    "ready": StatusFilter("Ready", (DocumentStatus.READY,)),
    "preparing": StatusFilter("Being prepared", (DocumentStatus.PENDING,)),
    "stopped": StatusFilter("Needs attention", _STOPPED),
}


def document_row(
    request: HtmxHttpRequest, document: Document, grantable: frozenset[str] = frozenset(), prepared: str = ""
) -> dict[str, Any]:
    """A document in the list and at the head of its page.

    `grantable` are the failures after which a person may let the platform's AI prepare it; `prepared`
    says how far it is.
    """
    org = request.organization.slug
    status = DocumentStatus(document.status)
    may_write = request.membership.may(Role.MEMBER)
    is_stopped = status in _STOPPED
    former = document.searchable_version
    detail = document.error_sentence if is_stopped or document.next_attempt_at else prepared
    if not detail and document.platform_reason:
        detail = f"Prepared with the platform's AI, because {document.platform_reason}."
    if status != DocumentStatus.READY and former:
        detail = f"{detail} Version {former} is found until this is done.".strip()
    acts = ("rename", "replace", "delete") if may_write else ()
    return {
        "title": document.title,
        "source": document.file_name or document.get_kind_display(),
        "created_at": document.created_at,
        "updated_at": document.updated_at,
        "version": document.version,
        "url": reverse("leads:knowledge_document", args=[org, document.pk]),
        "kind": _KINDS[status],
        "word": status.label,
        "detail": detail,
        "again_url": reverse("leads:knowledge_again", args=[org, document.pk]) if may_write and is_stopped else "",
        "offers_platform": may_write and is_stopped and document.error_code in grantable,
        "rename_url": "",
        "replace_url": "",
        "delete_url": "",
    } | {f"{act}_url": reverse(f"leads:knowledge_{act}", args=[org, document.pk]) for act in acts}


def grantable_failures(organization: Organization, documents: list[Document]) -> frozenset[str]:
    """After which of the documents' failures a person is to decide whether the platform's AI prepares them."""
    codes = {document.error_code for document in documents if document.status in _STOPPED}
    return frozenset(code for code in codes if operations_to_grant(organization, "embedding", code))


def below(cursor: str) -> Q:
    """What comes after the cursor of a document, newest first; everything where it is empty or not one of ours."""
    try:
        return beyond("created_at", read_cursor(cursor, UUID))
    except BadCursor:
        return Q()


def passages_prepared(organization: Organization, documents: list[Document]) -> dict[UUID, str]:
    """How far those are that are being prepared, as "12 of 40 passages."."""
    moving = [document.pk for document in documents if document.status == DocumentStatus.PENDING]
    if not moving:
        return {}
    counted = (
        organization.chunks.filter(document__in=moving, version=F("document__version"))
        .values_list("document_id")
        .annotate(done=Count("pk", filter=Exists(ChunkVector.objects.filter(chunk=OuterRef("pk")))), total=Count("pk"))
    )
    return {document: f"{done:,} of {total:,} passages." for document, done, total in counted}


def upload_rows(request: HtmxHttpRequest) -> list[dict[str, Any]]:
    """Files on their way, and those that gave no text, oldest first."""
    org = request.organization.slug
    may_write = request.membership.may(Role.MEMBER)
    files = request.organization.uploads.defer("data").select_related("replaces").order_by("created_at", "pk")
    return [
        {
            "name": file.name,
            "size": file.size,
            "kind": "bad" if file.status == UploadStatus.FAILED else "busy",
            "word": file.get_status_display(),
            "detail": file.error_sentence or (f"Replaces “{file.replaces.title}”." if file.replaces else ""),
            "is_moving": file.status != UploadStatus.FAILED,
            "dismiss_url": reverse("leads:knowledge_dismiss", args=[org, file.pk])
            if may_write and file.status == UploadStatus.FAILED
            else "",
        }
        for file in files[:100]
    ]
