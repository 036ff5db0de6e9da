"""The list of leads: searched, filtered, page by page. Its address carries all of that; nothing is kept elsewhere."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.keyset import BadCursor
from leadagent.leads.inbox.assignment import assignees_of
from leadagent.leads.inbox.lead_filter import DAYS, ME, NO_CATEGORY, NOBODY, QUERY_LIMIT, LeadFilter, Sort
from leadagent.leads.inbox.lead_pages import count_up_to, lead_page
from leadagent.leads.models import Category, Lead, LeadSource, LeadStatus
from leadagent.leads.running.progress import category_pill, lead_pill
from leadagent.leads.views.bulk import LIMIT
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role, User

# What waits for a person is counted beside its chip, no further than this.
COUNTED = 100
_COUNTED_STATUSES = (LeadStatus.REVIEW, LeadStatus.ATTENTION)
_SORTS = {Sort.NEWEST: "Newest first", Sort.OLDEST: "Oldest first", Sort.ACTIVITY: "Last activity"}
_DAYS = {1: "Last 24 hours", 7: "Last 7 days", 30: "Last 30 days", 90: "Last 90 days"}
# So many people are offered as chips; the others are found by their leads' pages and the API.
_PEOPLE = 30


@organization_view(Role.VIEWER)
@require_safe
def lead_list(request: HtmxHttpRequest) -> HttpResponse:
    """Leads, newest first if nothing else is asked for; `after` continues below the last one seen.

    htmx gets the rows alone, or with `lead-results` as its target all that a search changes.
    """
    org = request.organization.slug
    wanted = LeadFilter.from_values(request.GET)
    cursor = request.GET.get("after", "")
    try:
        page = lead_page(request.organization, wanted, me=request.user, cursor=cursor)
    except BadCursor:
        cursor = ""
        page = lead_page(request.organization, wanted, me=request.user)
    may_act = request.membership.may(Role.MEMBER)
    is_search = request.htmx.target == "lead-results"
    next_url = f"?{wanted.as_query(after=page.next_cursor)}" if page.next_cursor else ""
    context: dict[str, Any] = {
        "rows": [_row(org, lead) for lead in page.leads],
        "wanted": wanted,
        "by_activity": wanted.sort == Sort.ACTIVITY,
        "next_url": next_url,
        "may_act": may_act,
        "columns": 6,
    }
    if not request.htmx or is_search or request.htmx.history_restore_request:
        people = list(assignees_of(request.organization)[:_PEOPLE])
        context |= {
            "list_url": reverse("leads:list", args=[org]),
            "bulk_url": reverse("leads:bulk", args=[org]) if may_act else "",
            "bulk_limit": LIMIT,
            "back": urlencode(wanted.as_values()),
            "people": people,
            "me": ME,
            "is_first_page": not cursor,
            # All of them are in view.
            "exact_count": len(page.leads) if not cursor and not page.next_cursor else None,
            "query_limit": QUERY_LIMIT,
            "statuses": _status_chips(request, wanted),
            "chips": _chips(wanted, people, request.user),
            "clear_query": LeadFilter(sort=wanted.sort).as_query(),
            "form_url": request.build_absolute_uri(reverse("leads:intake", args=[org])),
            "add_url": reverse("leads:new", args=[org]) if may_act else "",
        }
    return render_page(request, "leads/list.html", context, partial="results" if is_search else "rows")


def _row(org: str, lead: Lead) -> dict[str, Any]:
    return {
        "lead": lead,
        "url": reverse("leads:detail", args=[org, lead.pk]),
        "status": lead_pill(lead),
        "category": category_pill(lead.category),
    }


def _status_chips(request: HtmxHttpRequest, wanted: LeadFilter) -> list[dict[str, Any]]:
    """One chip per status; those that wait for a person with their number, which stops counting soon."""
    chips = _group(wanted, "status", {"": "All", **dict(LeadStatus.choices)})
    for chip in chips:
        if chip["value"] in _COUNTED_STATUSES:
            count = count_up_to(request.organization, LeadFilter(status=chip["value"]), most=COUNTED)
            chip["count"] = f"{COUNTED - 1}+" if count >= COUNTED else str(count)
    return chips


def _chips(wanted: LeadFilter, people: list[User], me: User) -> list[dict[str, Any]]:
    """The groups of chips below the statuses, each with its links."""
    names = {str(person.pk): person.display_name for person in people if person != me}
    groups: dict[str, tuple[str, dict[str, str]]] = {
        "category": ("Verdict", {"": "Any", **dict(Category.choices), NO_CATEGORY: "None yet"}),
        "assigned": ("Assigned to", {"": "Anyone", ME: "Me", NOBODY: "Nobody", **names}),
        "source": ("Came by", {"": "Any way", **dict(LeadSource.choices)}),
        "days": ("Received", {"": "Any time", **{str(days): _DAYS[days] for days in DAYS}}),
        "sort": ("Order", {sort.value: label for sort, label in _SORTS.items()}),
    }
    return [{"label": label, "links": _group(wanted, name, values)} for name, (label, values) in groups.items()]


def _group(wanted: LeadFilter, name: str, values: dict[str, str]) -> list[dict[str, Any]]:
    chosen = getattr(wanted, name)
    return [
        {
            "value": value,
            "label": str(label),
            "url": f"?{wanted.as_query(**{name: value})}",
            "is_chosen": value == chosen,
        }
        for value, label in values.items()
    ]
