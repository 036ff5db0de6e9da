"""Which of an organisation's leads are meant, and in what order: by the page, its address and the API alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlencode

from django.contrib.postgres.search import SearchQuery
from django.db.models import F, QuerySet, Value
from django.utils import timezone

from leadagent.leads.models import Category, Lead, LeadSource, LeadStatus
from leadagent.leads.models.lead import without_accents
from leadagent.tenants.models import Organization, User

ME, NOBODY = "me", "nobody"
# No verdict yet.
NO_CATEGORY = "none"
DAYS = (1, 7, 30, 90)
QUERY_LIMIT = 200
# More words than these narrow nothing down any further.
_MOST_WORDS, _LONGEST_WORD = 8, 60
# What an id of a person may look like: as long as the column's numbers are.
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    ACTIVITY = "activity"


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """What to show; everything that is left empty shows all.

    `q` are words of which each must begin one in the lead; `assigned` is `ME`, `NOBODY` or a person's number;
    `category` a verdict or `NO_CATEGORY`; `days` so many days back from now.
    """

    q: str = ""
    status: str = ""
    category: str = ""
    assigned: str = ""
    source: str = ""
    days: str = ""
    sort: str = Sort.NEWEST.value

    @classmethod
    def from_values(cls, values: Mapping[str, str]) -> LeadFilter:
        """The filter that an address names. What is no value of ours is left out: a page still shows something."""
        read = {field.name: values.get(field.name, "") for field in fields(cls)}
        known = {
            "status": set(LeadStatus.values),
            "category": {*Category.values, NO_CATEGORY},
            "source": set(LeadSource.values),
            "days": {str(days) for days in DAYS},
            "sort": {sort.value for sort in Sort},
        }
        kept = {name: value for name, value in read.items() if name not in known or value in known[name]}
        kept["q"] = " ".join(read["q"].replace("\0", " ").split())[:QUERY_LIMIT].rstrip()
        if read["assigned"] not in {ME, NOBODY} and not _NUMBER.fullmatch(read["assigned"]):
            kept.pop("assigned")
        return cls(**kept)

    @property
    def is_set(self) -> bool:
        """Whether fewer than all leads are shown."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != "sort")

    def as_values(self) -> dict[str, str]:
        """What is not as it is by itself, for an address."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    def as_query(self, **changes: str) -> str:
        """The query of an address that shows this, with `changes`; without a question mark."""
        values = {name: value for name, value in (self.as_values() | changes).items() if value}
        if values.get("sort") == Sort.NEWEST.value:
            del values["sort"]
        return urlencode(values)


def leads_of(organization: Organization, wanted: LeadFilter, *, me: User | None) -> QuerySet[Lead]:
    """The organisation's leads that the filter shows, in no order. `me` is who asks; a token is nobody."""
    leads = Lead.objects.filter(organization=organization)
    if wanted.q:
        query = prefix_query(wanted.q)
        if query is None:
            return leads.none()
        leads = leads.filter(search=query)
    if wanted.status:
        leads = leads.filter(status=wanted.status)
    if wanted.category:
        leads = leads.filter(category="" if wanted.category == NO_CATEGORY else wanted.category)
    if wanted.source:
        leads = leads.filter(source=wanted.source)
    if wanted.days:
        leads = leads.filter(created_at__gte=timezone.now() - timedelta(days=int(wanted.days)))
    if wanted.assigned == NOBODY:
        leads = leads.filter(assigned_to=None)
    elif wanted.assigned == ME:
        leads = leads.filter(assigned_to=me) if me else leads.none()
    elif wanted.assigned:
        leads = leads.filter(assigned_to_id=int(wanted.assigned))
    return leads


def prefix_query(text: str) -> SearchQuery | None:
    """The words of `text`, each of which must begin a word of the lead, whatever its accents; None without any.

    Words end where `Lead.search` ends them: at everything that is neither letter nor digit.
    """
    # An accent may come as a character of its own, which would end the word.
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))[:_MOST_WORDS]
    if not words:
        return None
    quoted = " & ".join(f"'{word[:_LONGEST_WORD]}':*" for word in words)
    return SearchQuery(without_accents(Value(quoted)), config="simple", search_type="raw")


ORDERS = {
    Sort.NEWEST: (F("created_at").desc(), F("pk").desc()),
    Sort.OLDEST: (F("created_at").asc(), F("pk").asc()),
    Sort.ACTIVITY: (F("last_activity_at").desc(), F("pk").desc()),
}
