"""Passages as pages show them: as what they mean, and found ones with what stands before and after them."""

import re
from dataclasses import dataclass

from django.db.models import F
from django.urls import reverse
from django.utils.safestring import SafeString

from leadagent.leads.knowledge import Passage
from leadagent.leads.rendering import report_html
from leadagent.tenants.models import Organization

# The headings that a passage begins with are shown above it, by name.
_OPENING_HEADINGS = re.compile(r"\A(?:\s*#{1,6} [^\n]*(?:\n|\Z))+")
_MARKS = re.compile(r"(?:^|(?<=\s))(?:#{1,6}|[-*|]+)(?:\s|$)")
# Characters on each side.
AROUND = 160


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage with its neighbours' words, cut at whole words, and where the page of its document shows it."""

    passage: Passage
    html: SafeString
    url: str
    before: str
    after: str


def hits_in_context(organization: Organization, passages: list[Passage]) -> list[Hit]:
    """One query for all of them."""
    documents = {passage.document_id for passage in passages}
    chunks = organization.chunks.filter(document__in=documents, version=F("document__searchable_version"))
    wanted = {passage.position + step for passage in passages for step in (-1, 1)}
    texts = {
        (document, position): text
        for document, position, text in chunks.filter(position__in=wanted).values_list(
            "document_id", "position", "text"
        )
    }
    return [
        Hit(
            passage,
            passage_html(passage.content),
            reverse("leads:knowledge_document", args=[organization.slug, passage.document_id])
            + f"?passage={passage.position}#passage-{passage.position}",
            _last_words(texts.get((passage.document_id, passage.position - 1), "")),
            _first_words(texts.get((passage.document_id, passage.position + 1), "")),
        )
        for passage in passages
    ]


def passage_html(text: str) -> SafeString:
    """A passage without the headings that it begins with, as safe HTML."""
    return report_html(_OPENING_HEADINGS.sub("", text) or text)


def _first_words(text: str) -> str:
    words = " ".join(_MARKS.sub("", text).split())
    return words if len(words) <= AROUND else words[:AROUND].rpartition(" ")[0] or words[:AROUND]


def _last_words(text: str) -> str:
    words = " ".join(_MARKS.sub("", text).split())
    return words if len(words) <= AROUND else words[-AROUND:].partition(" ")[2] or words[-AROUND:]
