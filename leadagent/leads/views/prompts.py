"""The editor of a prompt: save a new version, look at what would be sent, compare and go back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.voice_forms import PromptChoiceForm, PromptForm
from leadagent.leads.models import Lead, PromptVersion, StepName
from leadagent.leads.prompts.defaults import DEFAULT_PROMPTS
from leadagent.leads.prompts.preview import Preview, preview
from leadagent.leads.prompts.versions import Prompt, PromptConflict, choose_prompt, prompt_in_force, save_prompt
from leadagent.leads.text_diff import compare
from leadagent.leads.typed_again import NOT_TOLD_WHICH, SAVED_MEANWHILE, typed_again
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

# Leads that one may try a prompt on, and versions listed.
_LEADS = 20
_VERSIONS = 100


@organization_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def prompt(request: HtmxHttpRequest, operation: str) -> HttpResponse:
    """Show the text in force with its history; save another one as a new version.

    `preview` is the button that shows what would be sent, and saves nothing.
    """
    name = _operation(operation)
    if request.method != "POST":
        return _page(request, name)
    form = PromptForm(name, request.POST)
    if "seen" in form.errors:
        stored = prompt_in_force(request.organization, name)
        again = PromptForm(name, initial=typed_again(form, seen=stored.revision))
        return _page(request, name, form=again, theirs=stored, theirs_title=NOT_TOLD_WHICH, status=422)
    if not form.is_valid():
        return _page(request, name, form=form, status=422)
    if "preview" in request.POST:
        seen = preview(request.organization, name, form.cleaned_data["text"], _lead(request))
        return _page(request, name, form=form, shown=seen)
    try:
        made = save_prompt(
            request.organization,
            name,
            form.cleaned_data["text"],
            note=form.cleaned_data["note"],
            by=request.user,
            seen=form.cleaned_data["seen"],
            request=request,
        )
    except PromptConflict as conflict:
        again = PromptForm(name, initial=typed_again(form, seen=conflict.current.revision))
        return _page(request, name, form=again, theirs=conflict.current, status=409)
    if made is None:
        messages.info(request, "This text is in force already: nothing was saved.")
        # What was noted about it stays in its field.
        return _page(request, name, form=form)
    messages.success(request, f"Version {made.number} is saved and in force. The next step is done with it.")
    return redirect("leads:prompt", request.organization.slug, name)


@organization_view(Role.ADMIN)
@require_POST
def choose(request: HtmxHttpRequest, operation: str) -> HttpResponse:
    """Put an earlier version, or the default, in force again."""
    name, form = _operation(operation), PromptChoiceForm(request.POST)
    if not form.is_valid():
        raise Http404("No such version.")
    number, seen = form.cleaned_data["number"], form.cleaned_data["seen"]
    try:
        chosen = choose_prompt(request.organization, name, number, by=request.user, seen=seen, request=request)
    except PromptVersion.DoesNotExist:
        raise Http404("No such version.") from None
    except PromptConflict as conflict:
        return _page(request, name, theirs=conflict.current, status=409)
    messages.success(request, f"“{chosen.label}” is in force.")
    return redirect("leads:prompt", request.organization.slug, name)


@organization_view(Role.ADMIN)
@require_safe
def version(request: HtmxHttpRequest, operation: str, number: int) -> HttpResponse:
    """One version, beside the default, another one (`against`), or the one before it."""
    name = _operation(operation)
    versions = _versions(request, name)
    found = get_object_or_404(versions.select_related("created_by"), number=number)
    against = request.GET.get("against", "")
    other = versions.filter(number=int(against)).first() if against.isdecimal() and len(against) < 9 else None
    if other is None and against != "default":
        other = versions.filter(number__lt=number).order_by("-number").first()
    current = prompt_in_force(request.organization, name)
    context = {
        "operation": name.label,
        "version": found,
        "other": f"own v{other.number}" if other else f"default v{DEFAULT_PROMPTS[name].number}",
        "pieces": compare(other.text if other else DEFAULT_PROMPTS[name].text, found.text),
        "numbers": versions.exclude(number=number).order_by("-number").values_list("number", flat=True)[:_VERSIONS],
        "against": str(other.number) if other else "default",
        "is_in_force": current.is_own and current.number == number,
        "current": current,
        "back_url": reverse("leads:prompt", args=[request.organization.slug, name]),
        "choose_url": reverse("leads:prompt_choose", args=[request.organization.slug, name]),
    }
    return render(request, "leads/prompt_version.html", context)


def _page(
    request: HtmxHttpRequest,
    operation: StepName,
    *,
    form: PromptForm | None = None,
    shown: Preview | None = None,
    theirs: Prompt | None = None,
    theirs_title: str = SAVED_MEANWHILE,
    status: int = 200,
) -> HttpResponse:
    org, current = request.organization.slug, prompt_in_force(request.organization, operation)
    default = DEFAULT_PROMPTS[operation]
    versions = _versions(request, operation).select_related("created_by").order_by("-number")[:_VERSIONS]
    context: dict[str, Any] = {
        "operation": operation.label,
        "current": current,
        "form": form or PromptForm(operation, initial={"text": current.text, "seen": current.revision}),
        "shown": shown,
        "theirs": theirs,
        "theirs_title": theirs_title,
        "who": theirs.changed_by.display_name if theirs and theirs.changed_by else "Someone",
        "default": default,
        "placeholders": list(default.placeholders.items()),
        "leads": request.organization.leads.newest_first()[:_LEADS],
        "lead_id": request.POST.get("lead", ""),
        "versions": [
            {
                "version": row,
                "is_in_force": current.is_own and current.number == row.number,
                "url": reverse("leads:prompt_version", args=[org, operation, row.number]),
            }
            for row in versions
        ],
        "choose_url": reverse("leads:prompt_choose", args=[org, operation]),
        "page_url": reverse("leads:prompt", args=[org, operation]),
    }
    return render(request, "leads/prompt.html", context, status=status)


def _operation(name: str) -> StepName:
    if name not in StepName:
        raise Http404("No such prompt.")
    return StepName(name)


def _versions(request: HtmxHttpRequest, operation: StepName) -> Any:
    return PromptVersion.objects.filter(organization=request.organization, operation=operation)


def _lead(request: HtmxHttpRequest) -> Lead | None:
    """The lead that was picked; None for the example, and for what is no lead of this organisation."""
    try:
        return request.organization.leads.filter(pk=UUID(request.POST.get("lead", ""))).first()
    except ValueError:
        return None
