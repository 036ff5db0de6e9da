"""What the organisation has written down about itself."""

from __future__ import annotations

import json

from byok.errors import AIError
from leadagent.leads.knowledge import find_passages
from leadagent.leads.models import WorkflowRun
from leadagent.leads.research.sources import Sources


def query_knowledge_base(run: WorkflowRun, question: str, sources: Sources, taken_over: list[str] | None) -> str:
    """The passages nearest to the question, as JSON. `taken_over` collects why the platform's AI searched instead."""
    try:
        found = find_passages(run.organization, question, lead=run.lead, run=run)
    except AIError as error:
        # The rest of the research is worth having; the report says what is missing.
        return f"The knowledge base was not searchable: {error.sentence} Say so in the report."
    if found.taken_over and taken_over is not None:
        taken_over.append(found.taken_over)
    note = f"\n{found.note} Say so in the report." if found.note else ""
    if not found.passages:
        return f"Nothing about this in the knowledge base.{note}"
    passages = [
        {
            "source": sources.add("knowledge", passage.title, ref=str(passage.document_id)),
            "title": passage.cited_as,
            "similarity": round(passage.similarity, 2),
            "text": passage.content,
        }
        for passage in found.passages
    ]
    return json.dumps(passages, ensure_ascii=False) + note
