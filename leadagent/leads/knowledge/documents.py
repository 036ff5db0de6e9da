"""The documents of a knowledge base: add, rename, replace, delete. Making them searchable is `indexing`'s work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from leadagent.leads.models import Document, DocumentKind, DocumentStatus
from leadagent.leads.text import clean, one_line

if TYPE_CHECKING:
    from leadagent.tenants.models import Organization, User

# In characters: what can be typed into a form, and what a file may hold.
CONTENT_LIMIT = 200_000
FILE_TEXT_LIMIT = 1_000_000
TITLE_LIMIT = 200


class DocumentConflict(Exception):
    """Somebody has replaced the text first. `current` is the document as it is now."""

    def __init__(self, current: Document) -> None:
        super().__init__("The text was replaced in the meantime.")
        self.current = current


def add_document_to_knowledge_base(
    organization: Organization,
    title: str,
    content: str,
    *,
    kind: DocumentKind = DocumentKind.PASTED,
    file_name: str = "",
    pages: int | None = None,
    created_by: User | None = None,
) -> Document:
    """Store a text; it can be found once `indexing.index_document` has run."""
    return Document.objects.create(
        organization=organization,
        title=one_line(title, limit=TITLE_LIMIT),
        content=clean(content)[:FILE_TEXT_LIMIT],
        kind=kind,
        file_name=one_line(file_name, limit=200),
        pages=pages,
        created_by=created_by,
    )


def rename_document(document: Document, title: str) -> None:
    """Give it another title. Passages keep the vectors that were made with the former one."""
    document.title = one_line(title, limit=TITLE_LIMIT)
    document.save(update_fields=["title"])


@transaction.atomic
def replace_document(
    document: Document,
    content: str,
    *,
    kind: DocumentKind = DocumentKind.PASTED,
    file_name: str = "",
    pages: int | None = None,
    seen: int | None = None,
) -> bool:
    """Make `content` the next version; until that is prepared, the former one is found. False where it is the same.

    Raises `DocumentConflict` where the newest version is not the one that was `seen` (None: whatever it is).
    """
    content = clean(content)[:FILE_TEXT_LIMIT]
    current = Document.objects.select_for_update().get(pk=document.pk)
    if seen is not None and current.version != seen:
        raise DocumentConflict(current)
    if current.content == content:
        return False
    Document.objects.filter(pk=document.pk).update(
        content=content,
        kind=kind,
        file_name=one_line(file_name, limit=200),
        pages=pages,
        version=F("version") + 1,
        updated_at=timezone.now(),
        status=DocumentStatus.PENDING,
        error_code="",
        error_sentence="",
        platform_granted=False,
        platform_reason="",
        attempts=0,
        # Whoever prepares the former version has lost its claim.
        claimed_at=None,
        next_attempt_at=None,
        nudged_at=None,
    )
    return True


@transaction.atomic
def delete_document(document: Document) -> bool:
    """Delete it with its passages and vectors; False where somebody else just has."""
    # The row first: a worker that stores vectors takes its locks in the same order.
    held = Document.objects.select_for_update().filter(pk=document.pk).first()
    return held is not None and bool(held.delete()[0])
