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
from byok.errors import AIError
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads import indexing
from leadagent.leads.forms import DocumentForm, SearchForm
from leadagent.leads.knowledge import Passage, add_document_to_knowledge_base, search_knowledge_base
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
        nudge_document(document.pk)
    messages.success(request, f"“{document.title}” is added and being prepared for search.")
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.MEMBER)
@require_POST
def search(request: HtmxHttpRequest) -> HttpResponse:
    """The passages nearest in meaning. By POST: each search is a paid call to the AI provider."""
    form = SearchForm(request.POST)
    if not form.is_valid():
        return _page(request, search=form, status=422)
    try:
        passages = search_knowledge_base(request.organization, form.cleaned_data["query"], top=5)
    except AIError as error:
        return _page(request, search=form, problem=error.sentence, status=409)
    return _page(request, search=form, passages=passages)


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
    """Prepare a document once more, after a failure or with another embedding model."""
    found = _document(request, document_id)
    with transaction.atomic():
        if indexing.ask_again(found):
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
        audit.record("document.deleted", organization=request.organization, target=found.title, request=request)
        found.delete()
    messages.success(request, f"“{found.title}” is deleted.")
    return redirect("leads:knowledge", request.organization.slug)


def _document(request: HtmxHttpRequest, document_id: UUID) -> Document:
    return get_object_or_404(request.organization.documents.defer("content"), pk=document_id)


def _page(
    request: HtmxHttpRequest,
    *,
    form: DocumentForm | None = None,
    search: SearchForm | None = None,
    passages: list[Passage] | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    org = request.organization.slug
    found = list(request.organization.documents.defer("content").order_by("-created_at", "-pk")[:SHOWN])
    model, unavailable = _embedding_model(request)
    may_write = request.membership.may(Role.MEMBER)
    context = {
        "rows": [_row(request, document, model) for document in found],
        "is_moving": any(document.status == DocumentStatus.PENDING for document in found),
        "form": (form or DocumentForm()) if may_write and not unavailable else None,
        "search": (search or SearchForm()) if may_write and found and not unavailable else None,
        "passages": passages,
        "problem": problem,
        "unavailable": unavailable,
        "mend_url": reverse("byok:settings", args=[org]) if request.membership.may(Role.ADMIN) else "",
        "page_url": reverse("leads:knowledge", args=[org]),
        "add_url": reverse("leads:knowledge_add", args=[org]),
        "search_url": reverse("leads:knowledge_search", args=[org]),
    }
    return render_page(request, "leads/knowledge.html", context, partial="documents", status=status)


def _embedding_model(request: HtmxHttpRequest) -> tuple[str, str]:
    """The name of the embedding model, and the sentence why there is none; one of the two is empty."""
    try:
        return resolver.get_model_for_tenant(request.organization, "embedding", operation="embedding").model_id, ""
    except AIError as error:
        return "", error.sentence


def _row(request: HtmxHttpRequest, document: Document, model: str) -> dict[str, Any]:
    """A document as the pages show it. `model` is the embedding model that searches now, empty without one."""
    org = request.organization.slug
    status = DocumentStatus(document.status)
    outdated = bool(model) and status == DocumentStatus.READY and document.embedding_model != model
    may_write = request.membership.may(Role.MEMBER)
    may_retry = may_write and (outdated or status == DocumentStatus.FAILED)
    return {
        "title": document.title,
        "created_at": document.created_at,
        "url": reverse("leads:knowledge_document", args=[org, document.pk]),
        "kind": "warn" if outdated else _KINDS[status],
        "word": "Not searchable" if outdated else status.label,
        "error": OUTDATED if outdated else document.error_sentence,
        "dialog_id": f"delete-{document.pk}",
        "delete_url": reverse("leads:knowledge_delete", args=[org, document.pk]) if may_write else "",
        "again_url": reverse("leads:knowledge_again", args=[org, document.pk]) if may_retry else "",
    }
