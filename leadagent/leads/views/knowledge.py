"""The knowledge page: what is in it, add, search."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from byok import resolver
from byok.calls.platform_fallback import Ask, No, platform_instead
from byok.errors import AIError
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.keyset import cursor_of
from leadagent.leads.knowledge import Found, add_document_to_knowledge_base, find_passages
from leadagent.leads.knowledge.document_rows import (
    STATUS_FILTERS,
    below,
    document_row,
    grantable_failures,
    passages_prepared,
    upload_rows,
)
from leadagent.leads.knowledge.forms import DocumentForm, SearchForm, UploadForm
from leadagent.leads.knowledge.model_change import progress_of
from leadagent.leads.knowledge.passage_context import hits_in_context
from leadagent.leads.knowledge.reembedding_panel import reembedding_panel
from leadagent.leads.models import DocumentStatus
from leadagent.leads.tasks import nudge_document
from leadagent.leads.views.documents import note_grant, record
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

SHOWN = 50
PASSAGES = 5


@organization_view(Role.VIEWER)
@require_safe
def documents(request: HtmxHttpRequest) -> HttpResponse:
    """What is in the knowledge base."""
    return knowledge_page(request)


@organization_view(Role.MEMBER)
@require_POST
def add(request: HtmxHttpRequest) -> HttpResponse:
    """Add a text; a worker prepares it for search."""
    form = DocumentForm(request.POST)
    if not form.is_valid():
        return knowledge_page(request, form=form, status=422)
    with transaction.atomic():
        document = add_document_to_knowledge_base(
            request.organization, form.cleaned_data["title"], form.cleaned_data["content"], created_by=request.user
        )
        record(request, "document.added", document)
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
        return knowledge_page(request, search=form, status=422)
    granted = "on_platform" in request.POST
    try:
        found = find_passages(
            request.organization, form.cleaned_data["query"], top=PASSAGES, within=form.within(), granted=granted
        )
    except AIError as error:
        asks = isinstance(platform_instead(request.organization, "embedding", error), Ask) and not granted
        return knowledge_page(request, search=form, problem=error.sentence, offers_platform=asks, status=409)
    if granted and found.taken_over:
        note_grant(request, "knowledge base search")
    return knowledge_page(request, search=form, found=found)


def knowledge_page(
    request: HtmxHttpRequest,
    *,
    form: DocumentForm | None = None,
    search: SearchForm | None = None,
    upload: UploadForm | None = None,
    found: Found | None = None,
    problem: str = "",
    offers_platform: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The whole page, with what became of a form on it."""
    org = request.organization.slug
    may_write = request.membership.may(Role.MEMBER)
    unavailable = _why_unavailable(request)
    context: dict[str, Any] = {
        "form": (form or DocumentForm()) if may_write else None,
        "upload": (upload or UploadForm()) if may_write else None,
        "upload_url": reverse("leads:knowledge_upload", args=[org]),
        "file_limit": settings.KNOWLEDGE_FILE_MAX_MB,
        "search": (search or SearchForm()) if may_write and not unavailable else None,
        "found": found,
        "hits": hits_in_context(request.organization, found.passages) if found else [],
        "problem": problem,
        "offers_platform": offers_platform,
        "unavailable": unavailable,
        "mend_url": reverse("byok:settings", args=[org]) if request.membership.may(Role.ADMIN) else "",
        "page_url": reverse("leads:knowledge", args=[org]),
        "add_url": reverse("leads:knowledge_add", args=[org]),
        "search_url": reverse("leads:knowledge_search", args=[org]),
        "reembedding": reembedding_panel(request, progress_of(request.organization)),
    }
    context |= _documents(request)
    return render_page(
        request,
        "leads/knowledge.html",
        context,
        partial="rows" if request.GET.get("after") else "documents",
        status=status,
    )


def _documents(request: HtmxHttpRequest) -> dict[str, Any]:
    """Documents, newest first, of the status that the address names; `after` continues below the last one seen."""
    status = request.GET.get("status", "")
    stored = request.organization.documents.defer("content").order_by("-created_at", "-pk")
    shown = stored.filter(status__in=STATUS_FILTERS[status].statuses) if status in STATUS_FILTERS else stored
    page = list(shown.filter(below(request.GET.get("after", "")))[: SHOWN + 1])
    rows = page[:SHOWN]
    grantable = grantable_failures(request.organization, rows)
    passages = passages_prepared(request.organization, rows)
    uploads = upload_rows(request)
    is_moving = any(row["is_moving"] for row in uploads) or stored.filter(status=DocumentStatus.PENDING).exists()
    following = {"status": status, "after": cursor_of(rows[-1].created_at, rows[-1].pk)} if rows else {}
    return {
        "rows": [document_row(request, document, grantable, passages.get(document.pk, "")) for document in rows],
        "uploads": uploads,
        "is_any": bool(rows) or stored.exists(),
        "is_moving": is_moving and not request.GET.get("after"),
        "status": status,
        "statuses": [(name, choice.label) for name, choice in STATUS_FILTERS.items()],
        "next_url": f"?{urlencode(following)}" if len(page) > SHOWN else "",
    }


def _why_unavailable(request: HtmxHttpRequest) -> str:
    """The sentence why there is no embedding model; empty where there is one, or the platform's may stand in."""
    try:
        resolver.get_model_for_tenant(request.organization, "embedding", operation="embedding")
    except AIError as error:
        decision = platform_instead(request.organization, "embedding", error)
        return decision.sentence if isinstance(decision, No) else ""
    return ""
