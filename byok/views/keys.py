"""Acts on one key: testing it, looking at it again, removing it, bringing the replaced one back."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from byok.checking import rechecking
from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.proving import check_chosen, note_test
from byok.config.ai_config import get_ai_config
from byok.config.current_setup import current_setup_of, is_key_named, name_key
from byok.config.forms import AIConfigForm
from byok.config.values import InvalidConfig, check_api_key
from byok.encryption import KeyUnreadable, decrypt_api_key
from byok.keys.stored import NothingToUndo, consequences_of_removal, remove_api_key, undo_replacement
from byok.models import ProviderCredential
from byok.provider_names import provider_label
from byok.providers import REGISTRY, Provider
from byok.views.guards import where_own_keys_are_enabled
from byok.views.key_guess import provider_of_key
from byok.views.page import (
    SIGN_IN_AGAIN,
    TestOutcome,
    form_context,
    form_of,
    render_settings,
    settings_url,
)
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently


@sensitive_post_parameters("api_key")
@organization_view(Role.ADMIN)
@never_cache
@where_own_keys_are_enabled
@require_POST
def test_key(request: HtmxHttpRequest) -> HttpResponse:
    """Test the form's key, or with an empty field the stored one, on the form's models. Nothing is saved.

    htmx gets the result alone, so that the typed key stays in its field; without it the whole page comes.
    """
    config = get_ai_config(request.organization)
    form = form_of(request, config, request.POST)
    outcome = _test(request, form)
    if not request.htmx:
        return render_settings(request, form, outcome=outcome, status=outcome.status)
    context = form_context(request, form, outcome=outcome)
    response = render_page(request, "byok/settings.html", context, partial="test_result", status=outcome.status)
    if outcome.retry_after:
        response.headers["Retry-After"] = str(outcome.retry_after)
    return response


def _test(request: HtmxHttpRequest, form: AIConfigForm) -> TestOutcome:
    if not signed_in_recently(request):
        return TestOutcome(refusal=SIGN_IN_AGAIN, status=422)
    if form.entry is None:
        return TestOutcome(refusal="The platform's AI needs no key of yours.", status=422)
    typed = str(request.POST.get("api_key", "")).strip()
    stored = form.config.credentials.get(form.entry.id)
    api_key = _key_to_test(request, form.entry, typed, stored)
    if isinstance(api_key, TestOutcome):
        return api_key
    form.is_valid()
    try:
        report = check_chosen(
            request.organization, form.values_to_test(), api_key=api_key, probe="probe" in request.POST
        )
    except InvalidConfig as invalid:
        return TestOutcome(refusal=str(invalid), status=422)
    note_test(request.organization, report, last4=api_key[-4:], actor=request.user, request=request)
    in_force = stored.masked if typed and stored is not None and report.is_refused else ""
    unasked = bool(typed) and not report.is_refused and not report.is_proved
    return TestOutcome(report=report, key_in_force=in_force, may_save_untested=unasked, is_stored_key=not typed)


def _key_to_test(
    request: HtmxHttpRequest, entry: Provider, typed: str, stored: ProviderCredential | None
) -> str | TestOutcome:
    """The key that was typed, or else the stored one, opened (`note_test` leaves the trace); or why there is none."""
    if not typed and stored is None:
        return TestOutcome(refusal=f"Enter your {entry.label} key first.", status=422)
    try:
        if typed:
            check_api_key(entry.id, typed)
        count_key_test(request.organization, who=f"user:{request.user.pk}")
        if typed or stored is None:
            return typed
        return decrypt_api_key(stored.sealed_key, binding=stored.binding)
    except InvalidConfig as invalid:
        # With scripts the key field offers it already.
        other = "" if request.htmx else provider_of_key(typed)
        return TestOutcome(refusal=str(invalid), other_provider=other if other != entry.id else "", status=422)
    except KeyTestsExhausted as exhausted:
        return TestOutcome(refusal=str(exhausted), status=429, retry_after=exhausted.retry_after)
    except KeyUnreadable:
        return TestOutcome(refusal="The stored key can no longer be opened. Enter it again.", status=422)


@organization_view(Role.ADMIN)
@never_cache
@where_own_keys_are_enabled
@require_POST
def recheck_key(request: HtmxHttpRequest, provider: str) -> HttpResponse:
    """Look at a stored key again, now. htmx gets the current setup's card, a form its page."""
    credential = _stored(request, provider)
    if provider not in REGISTRY:
        raise Http404("Nobody can be asked about this key.")
    if not signed_in_recently(request):
        if not request.htmx:
            return redirect(confirm_identity_url(settings_url(request)))
        messages.warning(request, SIGN_IN_AGAIN)
        return _current_setup(request)
    try:
        count_key_test(request.organization, who=f"user:{request.user.pk}")
    except KeyTestsExhausted as exhausted:
        messages.error(request, str(exhausted))
    else:
        report = rechecking.recheck_credential(credential)
        note_test(request.organization, report, last4=credential.last4, actor=request.user, request=request)
        messages.success(request, f"The {provider_label(provider)} key was looked at again.")
    return _current_setup(request) if request.htmx else redirect("byok:settings", request.organization.slug)


def _current_setup(request: HtmxHttpRequest) -> HttpResponse:
    setup = current_setup_of(request.organization, get_ai_config(request.organization))
    context = {"setup": setup, "own_keys_enabled": True}
    return render_page(request, "byok/settings.html", context, partial="setup_answer")


@organization_view(Role.ADMIN)
@never_cache
@where_own_keys_are_enabled
@require_http_methods(["GET", "HEAD", "POST"])
def remove_key(request: HtmxHttpRequest, provider: str) -> HttpResponse:
    """Ask, then remove a stored key for good."""
    credential = _stored(request, provider)
    if answer := _before_the_act(request, credential):
        return answer
    if request.method == "POST":
        remove_api_key(request.organization, provider, actor=request.user, request=request)
        messages.success(request, f"The {provider_label(provider)} key is removed.")
        return redirect("byok:settings", request.organization.slug)
    context = {
        "credential": credential,
        "hidden": name_key(credential),
        "consequences": consequences_of_removal(request.organization, provider),
        "settings_url": settings_url(request),
    }
    return render_page(request, "byok/remove_key.html", context)


@organization_view(Role.ADMIN)
@never_cache
@where_own_keys_are_enabled
@require_http_methods(["GET", "HEAD", "POST"])
def bring_key_back(request: HtmxHttpRequest, provider: str) -> HttpResponse:
    """Ask, then put the replaced key back in the place of the one that replaced it."""
    credential = _stored(request, provider)
    if answer := _before_the_act(request, credential):
        return answer
    if request.method == "POST":
        try:
            back = undo_replacement(request.organization, provider, actor=request.user, request=request)
        except NothingToUndo:
            messages.error(request, "There is no replaced key to bring back: its 24 hours are over.")
        except KeyUnreadable:
            messages.error(request, "The replaced key can no longer be opened. Enter it again to use it.")
        else:
            messages.success(request, f"The {provider_label(provider)} key …{back.last4} is in use again.")
        return redirect("byok:settings", request.organization.slug)
    setup = current_setup_of(request.organization, get_ai_config(request.organization))
    stored = next((key for key in setup.keys if key.row.pk == credential.pk), None)
    if stored is None or stored.replaced is None:
        raise Http404("Nothing to bring back.")
    return render_page(request, "byok/bring_key_back.html", {"key": stored, "settings_url": settings_url(request)})


def _before_the_act(request: HtmxHttpRequest, credential: ProviderCredential) -> HttpResponse | None:
    """The answer to somebody who has to confirm who they are, or who confirmed something about another key."""
    if not signed_in_recently(request):
        return redirect(confirm_identity_url(request.path))
    if request.method == "POST" and not is_key_named(credential, request.POST):
        return _another_key_by_now(request, credential.provider)
    return None


def _another_key_by_now(request: HtmxHttpRequest, provider: str) -> HttpResponse:
    """What was confirmed was about a key that is no longer there: nobody has said so about the one that is."""
    messages.error(
        request,
        f"Somebody saved another {provider_label(provider)} key while you were asked. It is untouched: look at it, "
        "then decide again.",
    )
    return redirect("byok:settings", request.organization.slug)


def _stored(request: HtmxHttpRequest, provider: str) -> ProviderCredential:
    credential = get_ai_config(request.organization).credentials.get(provider)
    if credential is None:
        raise Http404("No such key.")
    return credential
