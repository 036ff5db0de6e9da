"""The knowledge base: what is in it, add, search, delete."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from byok import resolver
from byok.config import get_ai_config
from byok.errors import AIError
from byok.fallback import Ask, No, bare_model_name, operations_to_grant, platform_instead
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads import indexing
from leadagent.leads.forms import DocumentForm, SearchForm
from leadagent.leads.knowledge import Found, add_document_to_knowledge_base, find_passages
from leadagent.leads.models import Document, DocumentStatus
from leadagent.leads.tasks import nudge_document
from leadagent.tenants import audit
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

SHOWN = 100
OUTDATED = "It was prepared with another embedding model than the one in use now. Prepare it again to find it."
_KINDS = {DocumentStatus.PENDING: "busy", DocumentStatus.READY: "good", DocumentStatus.FAILED: "bad"}


@organization_view(Role.VIEWER)
@require_safe
def documents(request: HtmxHttpRequest) -> HttpResponse:
    """What is in the knowledge base."""
    return _page(request)


@organization_view(Role.MEMBER)
@require_POST
def add(request: HtmxHttpRequest) -> HttpResponse:
    """Add a text; a worker prepares it for search."""
    form = DocumentForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    with transaction.atomic():
        document = add_document_to_knowledge_base(
            request.organization, form.cleaned_data["title"], form.cleaned_data["content"], created_by=request.user
        )
        _record(request, "document.added", document.pk, document.title)
        nudge_document(document.pk)
    messages.success(request, f"“{document.title}” is added and being prepared for search.")
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.MEMBER)
@require_POST
def search(request: HtmxHttpRequest) -> HttpResponse:
    """The passages nearest in meaning. By POST: each search is a paid call to the AI provider.

    `on_platform` is the button that lets the platform's AI do this one search.
    """
    form = SearchForm(request.POST)
    if not form.is_valid():
        return _page(request, search=form, status=422)
    granted = "on_platform" in request.POST
    try:
        found = find_passages(request.organization, form.cleaned_data["query"], top=5, granted=granted)
    except AIError as error:
        asks = isinstance(platform_instead(request.organization, "embedding", error), Ask) and not granted
        return _page(request, search=form, problem=error.sentence, offers_platform=asks, status=409)
    if granted and found.taken_over:
        _note_grant(request, "knowledge base search")
    return _page(request, search=form, found=found)


@organization_view(Role.VIEWER)
@require_safe
def document(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """The text of one document."""
    found = _document(request, document_id)
    return render_page(
        request,
        "leads/document.html",
        {"document": _row(request, found, found.embedding_model), "content": found.content},
    )


@organization_view(Role.MEMBER)
@require_POST
def again(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Prepare a document once more, after a failure or with another embedding model.

    `on_platform` is the button that lets the platform's AI do it, should the own key fail.
    """
    found = _document(request, document_id)
    granted = "on_platform" in request.POST and bool(_grantable(request, [found]))
    with transaction.atomic():
        if indexing.ask_again(found, on_platform=granted):
            _record(request, "document.prepared_again", found.pk, found.title)
            if granted:
                _note_grant(request, f"document {found.pk}")
            nudge_document(found.pk)
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Ask, then delete a document with everything made from it."""
    found = _document(request, document_id)
    if request.method != "POST":
        return render_page(
            request, "leads/document_delete.html", {"document": _row(request, found, found.embedding_model)}
        )
    with transaction.atomic():
        # Of two who delete at once, one has deleted it.
        if found.delete()[0]:
            _record(request, "document.deleted", document_id, found.title)
    messages.success(request, f"“{found.title}” is deleted.")
    return redirect("leads:knowledge", request.organization.slug)


def _grantable(request: HtmxHttpRequest, documents: list[Document]) -> frozenset[str]:
    """After which of the documents' failures a person is to decide whether the platform's AI prepares them."""
    codes = {document.error_code for document in documents if document.status == DocumentStatus.FAILED}
    return frozenset(code for code in codes if operations_to_grant(request.organization, "embedding", code))


def _record(request: HtmxHttpRequest, action: str, document_id: UUID, title: str) -> None:
    audit.record(
        action,
        organization=request.organization,
        target=title,
        after={"document": str(document_id)},
        request=request,
    )


def _note_grant(request: HtmxHttpRequest, target: str) -> None:
    audit.record(
        "fallback.granted",
        organization=request.organization,
        target=target,
        after={"operations": ["embedding"]},
        request=request,
    )


def _document(request: HtmxHttpRequest, document_id: UUID) -> Document:
    return get_object_or_404(request.organization.documents.defer("content"), pk=document_id)


def _page(
    request: HtmxHttpRequest,
    *,
    form: DocumentForm | None = None,
    search: SearchForm | None = None,
    found: Found | None = None,
    problem: str = "",
    offers_platform: bool = False,
    status: int = 200,
) -> HttpResponse:
    org = request.organization.slug
    stored = list(request.organization.documents.defer("content").order_by("-created_at", "-pk")[:SHOWN])
    model, unavailable = _embedding_model(request)
    grantable = _grantable(request, stored)
    may_write = request.membership.may(Role.MEMBER)
    context = {
        "rows": [_row(request, document, model, grantable) for document in stored],
        "is_moving": any(document.status == DocumentStatus.PENDING for document in stored),
        "form": (form or DocumentForm()) if may_write and not unavailable else None,
        "search": (search or SearchForm()) if may_write and stored and not unavailable else None,
        "found": found,
        "problem": problem,
        "offers_platform": offers_platform,
        "unavailable": unavailable,
        "mend_url": reverse("byok:settings", args=[org]) if request.membership.may(Role.ADMIN) else "",
        "page_url": reverse("leads:knowledge", args=[org]),
        "add_url": reverse("leads:knowledge_add", args=[org]),
        "search_url": reverse("leads:knowledge_search", args=[org]),
    }
    return render_page(request, "leads/knowledge.html", context, partial="documents", status=status)


def _embedding_model(request: HtmxHttpRequest) -> tuple[str, str]:
    """The bare name of the embedding model, and the sentence why there is none; one of the two is empty."""
    try:
        model = resolver.get_model_for_tenant(request.organization, "embedding", operation="embedding")
    except AIError as error:
        decision = platform_instead(request.organization, "embedding", error)
        if isinstance(decision, No):
            return "", decision.sentence
        # The platform's AI stands in, or may: with the same model.
        return bare_model_name(get_ai_config(request.organization).embedding_model), ""
    return bare_model_name(model.model_id), ""


def _row(
    request: HtmxHttpRequest, document: Document, model: str, grantable: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """A document as the pages show it.

    `model` is the embedding model that searches now, empty without one; `grantable` are the
    failures after which a person may let the platform's AI prepare it.
    """
    org = request.organization.slug
    status = DocumentStatus(document.status)
    outdated = bool(model) and status == DocumentStatus.READY and document.embedding_model != model
    may_write = request.membership.may(Role.MEMBER)
    may_retry = may_write and (outdated or status == DocumentStatus.FAILED)
    taken_over = f"Prepared with the platform's AI, because {document.platform_reason}."
    return {
        "title": document.title,
        "created_at": document.created_at,
        "url": reverse("leads:knowledge_document", args=[org, document.pk]),
        "kind": "warn" if outdated else _KINDS[status],
        "word": "Not searchable" if outdated else status.label,
        "detail": OUTDATED if outdated else document.error_sentence or (taken_over if document.platform_reason else ""),
        "dialog_id": f"delete-{document.pk}",
        "delete_url": reverse("leads:knowledge_delete", args=[org, document.pk]) if may_write else "",
        "again_url": reverse("leads:knowledge_again", args=[org, document.pk]) if may_retry else "",
        "offers_platform": may_write and status == DocumentStatus.FAILED and document.error_code in grantable,
    }
