"""Doing one thing to the leads that are ticked: ask first, then do it to each that allows it, and say which did not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from leadagent.http import HtmxHttpRequest
from leadagent.leads.inbox.assignment import NotAssignable, assign_lead
from leadagent.leads.inbox.closing import close_lead
from leadagent.leads.inbox.lead_filter import LeadFilter
from leadagent.leads.models import OPEN, Lead
from leadagent.leads.running.workflow import RunConflict, start_run
from leadagent.leads.tasks import nudge_run
from leadagent.leads.views.assignment import chosen_person
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

LIMIT = 100


@dataclass(frozen=True, slots=True)
class _Act:
    """What is asked and told about one act.

    `do` says whether the lead was changed; it may raise `RunConflict` or `NotAssignable`.
    """

    title: str
    text: str
    confirm: str
    done: str
    do: Callable[[HtmxHttpRequest, Lead], bool]
    tone: str = "plain"


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HtmxHttpRequest) -> HttpResponse:
    """Ask about `act` for the leads named by `lead`; with `confirmed`, do it. `back` is the list's query."""
    if request.method != "POST":
        return _back(request)
    ids = list(dict.fromkeys(request.POST.getlist("lead")))
    if not ids:
        messages.warning(request, "Tick the leads first.")
        return _back(request)
    if len(ids) > LIMIT:
        messages.warning(request, f"Tick at most {LIMIT} leads at a time.")
        return _back(request)
    leads = _leads(request, ids)
    try:
        act = _act(request, _number(len(leads)))
    except NotAssignable as problem:
        messages.warning(request, str(problem))
        return _back(request)
    if not request.POST.get("confirmed"):
        return _ask(request, act, leads)
    done, refused = _do(request, act, leads)
    if done:
        messages.success(request, f"{_number(done)} {act.done}.")
    if refused:
        messages.warning(request, f"{_number(refused)} stayed as they were: a run is under way, or it is so already.")
    return _back(request)


def _act(request: HtmxHttpRequest, count: str) -> _Act:
    match request.POST.get("act"):
        case "assign":
            to = chosen_person(request)
            name = to.display_name if to else "nobody"
            return _Act(
                f"Assign {count} to {name}",
                f"They are then looked after by {name}." if to else "Nobody looks after them then.",
                f"Assign to {name}",
                f"assigned to {name}",
                lambda request, lead: assign_lead(lead, to, by=request.user, request=request),
            )
        case "run":
            return _Act(
                f"Start the research for {count}",
                "Each is researched, qualified and answered with a draft. Every run makes AI calls, which cost what "
                "your models cost. Leads with a run under way, or a reply that waits for approval, are left out.",
                "Start",
                "sent to research",
                _start,
            )
        case "close":
            return _Act(
                f"Close {count}",
                "A reply that waits for approval is discarded and never sent, a paused run ends. They can be opened "
                "again.",
                "Close",
                "closed",
                lambda request, lead: close_lead(lead, by=request.user, request=request),
                tone="danger",
            )
    raise Http404("No such act.")


def _start(request: HtmxHttpRequest, lead: Lead) -> bool:
    with transaction.atomic():
        # Held until the run is there: nobody's draft is thrown away by a tick.
        locked = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
        if locked.runs.main().filter(status__in=OPEN).exists():
            return False
        nudge_run(start_run(locked, by=request.user, request=request).pk)
    return True


def _do(request: HtmxHttpRequest, act: _Act, leads: list[Lead]) -> tuple[int, int]:
    """How many were changed, and how many were not. Each stands for itself."""
    done = 0
    for lead in leads:
        try:
            done += act.do(request, lead)
        except (RunConflict, NotAssignable):
            # Somebody was quicker: a run has begun, or the person has just left.
            continue
    return done, len(leads) - done


def _leads(request: HtmxHttpRequest, ids: list[str]) -> list[Lead]:
    try:
        wanted = {UUID(text) for text in ids}
    except ValueError:
        raise Http404("No such lead.") from None
    found = request.organization.leads.select_related("organization").defer("search").filter(pk__in=wanted)
    leads = list(found.order_by("-created_at", "-pk"))
    if len(leads) != len(wanted):
        raise Http404("No such lead.")
    return leads


def _ask(request: HtmxHttpRequest, act: _Act, leads: list[Lead]) -> HttpResponse:
    context: dict[str, Any] = {
        "act": act,
        "leads": leads,
        "fields": {name: request.POST.get(name, "") for name in ("act", "to", "back")},
        "bulk_url": reverse("leads:bulk", args=[request.organization.slug]),
        "back_url": _list_url(request),
    }
    return render(request, "leads/bulk.html", context)


def _list_url(request: HtmxHttpRequest) -> str:
    """The list as it was left: only what a filter can say is taken over from the form."""
    where = reverse("leads:list", args=[request.organization.slug])
    query = LeadFilter.from_values(QueryDict(request.POST.get("back", "")[:1000])).as_query()
    return f"{where}?{query}" if query else where


def _back(request: HtmxHttpRequest) -> HttpResponse:
    return redirect(_list_url(request))


def _number(count: int) -> str:
    return "1 lead" if count == 1 else f"{count} leads"
