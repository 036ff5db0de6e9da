"""What this organisation already knows of the company: its other leads, and what people have noted about them."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Prefetch, Q, Value

from leadagent.leads.models import Lead, LeadNote
from leadagent.leads.models.lead import without_accents
from leadagent.leads.research.domains import MAIL_HOSTS
from leadagent.leads.research.sources import Sources
from leadagent.leads.text import one_line
from leadagent.tenants.models import Organization

_MOST = 10
_MOST_NOTES, _LONGEST_NOTE = 3, 400


def crm_search(organization: Organization, lead: Lead, asked: str, sources: Sources) -> str:
    """Other leads of the organisation whose company or address matches, as JSON. Two queries at most.

    Accents make no difference, as in the search of the list.
    """
    asked = one_line(asked, limit=100)
    if not asked:
        return "Name a company or a domain."
    by_name = Q(plain_company__icontains=without_accents(Value(asked)))
    domain = asked.rpartition("@")[2].lower()
    by_domain = Q(email__iendswith=f"@{domain}") if "." in domain and domain not in MAIL_HOSTS else Q(pk=None)
    notes = Prefetch("notes", LeadNote.objects.filter(organization=organization).order_by("-created_at", "-pk"))
    others = organization.leads.exclude(pk=lead.pk).alias(plain_company=without_accents("company"))
    others = others.filter(by_name | by_domain).newest_first().prefetch_related(notes)
    found = [_told(other, sources) for other in others[:_MOST]]
    return json.dumps(found, ensure_ascii=False) if found else f"No other lead matches {asked!r}."


def _told(other: Lead, sources: Sources) -> dict[str, Any]:
    return {
        "source": sources.add("crm", f"Lead of {other.created_at:%Y-%m-%d}: {other}", ref=str(other.pk)),
        "name": other.name,
        "company": other.company,
        "email": other.email,
        "date": f"{other.created_at:%Y-%m-%d}",
        "status": other.status,
        "category": other.category or None,
        "message": other.message[:400],
        "notes": [note.text[:_LONGEST_NOTE] for note in list(other.notes.all())[:_MOST_NOTES]],
    }
