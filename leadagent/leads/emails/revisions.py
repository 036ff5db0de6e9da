"""The history of a draft's text: nothing that was ever written is lost."""

from __future__ import annotations

from django.db.models import Max

from leadagent.leads.models import DraftRevision, EmailDraft, RevisionKind
from leadagent.tenants.models import User


def add_revision(
    draft: EmailDraft,
    kind: RevisionKind,
    *,
    subject: str,
    body: str,
    author: User | None = None,
    instruction: str = "",
    model: str = "",
    prompt_version: str = "",
    restored_from: int | None = None,
) -> DraftRevision:
    """Add a text to the draft's history. The caller holds the lead's lock, so that numbers have no gaps."""
    newest = DraftRevision.objects.filter(draft=draft).aggregate(newest=Max("number"))["newest"] or 0
    return DraftRevision.objects.create(
        draft=draft,
        number=newest + 1,
        kind=kind,
        subject=subject,
        body=body,
        author=author,
        instruction=instruction,
        model=model[:200],
        prompt_version=prompt_version,
        restored_from=restored_from,
    )
