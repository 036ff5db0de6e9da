"""What the page of a lead shows about its draft, beside the text itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from leadagent.leads.emails.fact_check import Stretch, not_found, stretches
from leadagent.leads.emails.rewriting import newest_rewrite
from leadagent.leads.emails.voice import sender_name, voice_of
from leadagent.leads.models import Chunk, DraftStatus, EmailDraft, WorkflowRun, found_by_research

# The tool whose answers are passages of the organisation's own documents.
_KNOWLEDGE_TOOL = "query_knowledge_base"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Doubts:
    """What the email says and nobody told the model: the text with its marks, and how many there are by kind."""

    text: list[Stretch]
    said: list[Stretch]
    count: int


def doubts_about(draft: EmailDraft, run: WorkflowRun) -> Doubts | None:
    """The facts of the stored text that stand neither in the lead's message, the report nor the knowledge passages.

    None where all were found. Two queries.
    """
    text = f"{draft.subject}\n\n{draft.body}"
    found = not_found(text, _sources(run))
    if not found:
        return None
    parts = stretches(text, found)
    marked = list(dict.fromkeys(part for part in parts if part.kind))
    return Doubts(parts, marked[:_SHOWN], len(marked))


def draft_acts(draft: EmailDraft, *, is_rewriting: bool) -> tuple[str, ...]:
    """What a member may do with the draft now, by the names of its addresses."""
    if draft.status == DraftStatus.SCHEDULED:
        return ("unschedule", "discard")
    if not draft.is_editable:
        return ()
    if is_rewriting:
        return ("rewrite_cancel", "discard")
    return ("save", "approve", "schedule", "rewrite", "restore", "discard")


def panel_of(draft: EmailDraft, run: WorkflowRun) -> dict[str, Any]:
    """The context of `leads/draft_panel.html` beside the form and the actions."""
    open_to_decide = draft.status in (DraftStatus.DRAFT, DraftStatus.SEND_FAILED, DraftStatus.SCHEDULED)
    voice = voice_of(run.organization)
    return {
        "doubts": doubts_about(draft, run) if open_to_decide else None,
        "rewrite": newest_rewrite(draft),
        "revisions": draft.revisions.count(),
        "answers_to": voice.reply_to,
        "deliveries": list(draft.deliveries.all()),
    }


def _sources(run: WorkflowRun) -> Iterable[str]:
    lead, voice = run.lead, voice_of(run.organization)
    yield from (lead.name, lead.email, lead.company, lead.phone, lead.message)
    yield from (run.organization.name, sender_name(voice), voice.signature, voice.reply_to, voice.notes)
    result = found_by_research(run.steps.all())
    yield str(result.get("report", ""))
    for call in result.get("tool_calls", []):
        if call.get("tool") == _KNOWLEDGE_TOOL:
            yield str(call.get("answer", ""))
    # Whole, where the report cites one: an answer of the tool is kept shortened.
    cited = [_id(source.get("ref")) for source in result.get("sources", []) if source.get("kind") == "knowledge"]
    yield from Chunk.objects.filter(
        organization_id=run.organization_id, document_id__in=filter(None, cited)
    ).values_list("text", flat=True)


def _id(ref: object) -> UUID | None:
    try:
        return UUID(str(ref))
    except ValueError:
        return None
