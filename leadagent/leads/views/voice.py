"""Emails and prompts: the organisation's voice, and which prompts are in force."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.sample_mail import send_test_mail
from leadagent.leads.emails.voice import FIELDS, VoiceConflict, save_voice, voice_of
from leadagent.leads.emails.voice_forms import VoiceForm
from leadagent.leads.inbox.rate_limit import is_too_often
from leadagent.leads.models import Language, StepName, Tone, Voice
from leadagent.leads.prompts.versions import prompt_in_force
from leadagent.leads.typed_again import NOT_TOLD_WHICH, SAVED_MEANWHILE, typed_again
from leadagent.tenants.access import organization_view
from leadagent.tenants.audit_trail.refusals import note_refusal
from leadagent.tenants.models import Role

# Examples per organisation and hour.
TESTS = 10


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def voice(request: HtmxHttpRequest) -> HttpResponse:
    """Show the voice and the prompts in force to members; admins may save the voice."""
    if request.method != "POST":
        return _page(request)
    if not request.membership.may(Role.ADMIN):
        note_refusal(request, request.organization, has=request.membership.role, needed=Role.ADMIN.value)
        raise PermissionDenied("Only an admin may change the voice.")
    form = VoiceForm(request.POST)
    if "version" in form.errors:
        stored = voice_of(request.organization)
        again = VoiceForm(initial=typed_again(form, version=stored.version))
        return _page(request, form=again, theirs=stored, theirs_title=NOT_TOLD_WHICH, status=422)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    values = {name: form.cleaned_data[name] for name in FIELDS}
    version = form.cleaned_data["version"]
    try:
        save_voice(request.organization, values, by=request.user, version=version, request=request)
    except VoiceConflict as conflict:
        again = VoiceForm(initial=typed_again(form, version=conflict.current.version))
        return _page(request, form=again, theirs=conflict.current, status=409)
    messages.success(request, "The voice is saved. The next email is written with it.")
    return redirect("leads:voice", request.organization.slug)


@organization_view(Role.ADMIN)
@require_POST
def test_mail(request: HtmxHttpRequest) -> HttpResponse:
    """Send an example to the admin's own address, as the mail server lets it go out."""
    if is_too_often(f"test-mail:{request.organization.pk}", limit=TESTS, seconds=3600):
        messages.warning(request, f"{TESTS} examples were sent within an hour. Try again later.")
    elif problem := send_test_mail(request.organization, request.user.email):
        messages.error(request, problem)
    else:
        messages.success(request, f"The mail server took an example to {request.user.email}.")
    return redirect("leads:voice", request.organization.slug)


def _page(
    request: HtmxHttpRequest,
    *,
    form: VoiceForm | None = None,
    theirs: Voice | None = None,
    theirs_title: str = SAVED_MEANWHILE,
    status: int = 200,
) -> HttpResponse:
    stored = voice_of(request.organization)
    may_save = request.membership.may(Role.ADMIN)
    if form is None and may_save:
        form = VoiceForm(initial={name: getattr(stored, name) for name in (*FIELDS, "version")})
    context = {
        "form": form,
        "voice": stored,
        "facts": _facts(stored),
        "theirs": theirs,
        "theirs_title": theirs_title,
        "their_facts": _facts(theirs) if theirs else [],
        "who": theirs.updated_by.display_name if theirs and theirs.updated_by else "Someone",
        "sent_from": settings.DEFAULT_FROM_EMAIL,
        "prompts": [_row(request, operation, may_open=may_save) for operation in StepName],
    }
    return render(request, "leads/emails_and_prompts.html", context, status=status)


def _facts(shown: Voice) -> list[tuple[str, str]]:
    return [
        ("Sender's name", shown.sender_name or f"{shown.organization.name} (the organisation's name)"),
        ("Answers go to", shown.reply_to or "The person who approves"),
        ("Language", str(Language(shown.language).label)),
        ("Tone", str(Tone(shown.tone).label)),
        ("Signature", shown.signature or "None: the model signs with the sender's name"),
        ("Notes", shown.notes or "None"),
    ]


def _row(request: HtmxHttpRequest, operation: StepName, *, may_open: bool) -> dict[str, str]:
    org = request.organization.slug
    return {
        "name": str(operation.label),
        "version": prompt_in_force(request.organization, operation).label,
        "url": reverse("leads:prompt", args=[org, operation.value]) if may_open else "",
    }
