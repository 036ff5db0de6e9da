"""One document: its text and passages, rename, replace, prepare again, delete."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads.knowledge.document_rows import document_row, grantable_failures
from leadagent.leads.knowledge.documents import DocumentConflict, delete_document, rename_document, replace_document
from leadagent.leads.knowledge.forms import RenameForm, ReplaceFileForm, ReplaceForm
from leadagent.leads.knowledge.indexing import ask_again
from leadagent.leads.knowledge.passage_context import passage_html
from leadagent.leads.models import Document
from leadagent.leads.tasks import nudge_document
from leadagent.leads.typed_again import NOT_TOLD_WHICH, typed_again
from leadagent.tenants import audit
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

PASSAGES = 50
_REPLACED_MEANWHILE = (
    "Somebody replaced this text in the meantime; what is stored now is shown below the form. Yours is in the form and "
    "not saved yet: replacing the text now drops theirs."
)
_READ_AGAIN = f"{NOT_TOLD_WHICH} Yours is in the form and not saved yet; what is stored now is shown below it."


@organization_view(Role.VIEWER)
@require_safe
def document(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """The text of one document, and the passages that it is found by."""
    found = get_object_or_404(request.organization.documents.select_related("created_by"), pk=document_id)
    address = reverse("leads:knowledge_document", args=[request.organization.slug, found.pk])
    chunks = found.chunks.filter(version=found.searchable_version).order_by("position")
    # A link from a search shows its passage with a few before it.
    start = _number(request.GET.get("from")) or max(0, _number(request.GET.get("passage")) - 3)
    page = list(chunks[start : start + PASSAGES + 1])
    context = {
        "document": document_row(request, found, grantable_failures(request.organization, [found])),
        "stored": found,
        "characters": len(found.content),
        "passage_count": chunks.count(),
        "passages": [
            {"position": chunk.position, "headings": chunk.headings, "html": passage_html(chunk.text)}
            for chunk in page[:PASSAGES]
        ],
        "begins_later": start > 0,
        "next_url": f"{address}?from={start + PASSAGES}" if len(page) > PASSAGES else "",
    }
    return render_page(request, "leads/document.html", context, partial="passages" if "from" in request.GET else "")


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Give it another title."""
    found = _document(request, document_id)
    form = RenameForm(request.POST or None, initial={"title": found.title})
    if request.method != "POST" or not form.is_valid():
        context = {"document": document_row(request, found), "form": form}
        return render_page(request, "leads/document_rename.html", context, status=422 if form.errors else 200)
    before = found.title
    with transaction.atomic():
        rename_document(found, form.cleaned_data["title"])
        if found.title != before:
            record(request, "document.renamed", found, former_title=before)
    return redirect("leads:knowledge_document", request.organization.slug, found.pk)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def replace(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Give it another text: the next version of the same document."""
    found = get_object_or_404(request.organization.documents, pk=document_id)
    if request.method != "POST":
        return replace_page(request, found)
    form = ReplaceForm(request.POST)
    if "version" in form.errors:
        again = ReplaceForm(initial=typed_again(form, version=found.version))
        return replace_page(request, found, form=again, problem=_READ_AGAIN, status=422)
    if not form.is_valid():
        return replace_page(request, found, form=form, status=422)
    try:
        with transaction.atomic():
            if replace_document(found, form.cleaned_data["content"], seen=form.cleaned_data["version"]):
                record(request, "document.replaced", found)
                nudge_document(found.pk)
                messages.success(request, "The new text is being prepared. The former one is found until then.")
    except DocumentConflict as conflict:
        again = ReplaceForm(initial=typed_again(form, version=conflict.current.version))
        return replace_page(request, conflict.current, form=again, problem=_REPLACED_MEANWHILE, status=409)
    return redirect("leads:knowledge_document", request.organization.slug, found.pk)


def replace_page(
    request: HtmxHttpRequest,
    found: Document,
    *,
    form: ReplaceForm | None = None,
    upload: ReplaceFileForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """Both ways to give a document another text, with what became of a form on the page and why."""
    context = {
        "document": document_row(request, found),
        "stored": found,
        "form": form or ReplaceForm(initial={"content": found.content, "version": found.version}),
        "upload": upload or ReplaceFileForm(),
        "problem": problem,
    }
    return render_page(request, "leads/document_replace.html", context, status=status)


@organization_view(Role.MEMBER)
@require_POST
def again(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Prepare a document once more that failed or waits.

    `on_platform` is the button that lets the platform's AI do it, should the own key fail.
    """
    found = _document(request, document_id)
    granted = "on_platform" in request.POST and bool(grantable_failures(request.organization, [found]))
    with transaction.atomic():
        if ask_again(found, on_platform=granted):
            record(request, "document.prepared_again", found)
            if granted:
                note_grant(request, f"document {found.pk}")
            nudge_document(found.pk)
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HtmxHttpRequest, document_id: UUID) -> HttpResponse:
    """Ask, then delete a document with everything made from it."""
    found = _document(request, document_id)
    if request.method != "POST":
        return render_page(request, "leads/document_delete.html", {"document": document_row(request, found)})
    with transaction.atomic():
        # Of two who delete at once, one has deleted it.
        if delete_document(found):
            record(request, "document.deleted", found)
    messages.success(request, f"“{found.title}” is deleted.")
    return redirect("leads:knowledge", request.organization.slug)


def _number(text: str | None) -> int:
    """What an address names; 0 for anything that is no place in a document."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 0


def record(request: HtmxHttpRequest, action: str, document: Document, **more: str) -> None:
    audit.record(
        action,
        organization=request.organization,
        target=document.title,
        after={"document": str(document.pk), **more},
        request=request,
    )


def note_grant(request: HtmxHttpRequest, target: str) -> None:
    audit.record(
        "fallback.granted",
        organization=request.organization,
        target=target,
        after={"operations": ["embedding"]},
        request=request,
    )


def _document(request: HtmxHttpRequest, document_id: UUID) -> Document:
    return get_object_or_404(request.organization.documents.defer("content"), pk=document_id)
