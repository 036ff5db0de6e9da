"""The AI configuration page: showing what is set up, changing the form's provider, saving."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from byok.catalog.recommendations import recommended_values
from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.proving import KeyNotProved, field_of_model, prove_and_save
from byok.config.ai_config import EffectiveConfig, byok_allowed, get_ai_config
from byok.config.conflict import conflict_with
from byok.config.forms import AIConfigForm
from byok.config.saving import ConfigConflict
from byok.config.values import InvalidConfig
from byok.views.guards import NOT_ENABLED, where_own_keys_are_enabled
from byok.views.key_guess import provider_of_key
from byok.views.page import (
    SIGN_IN_AGAIN,
    TestOutcome,
    form_of,
    render_settings,
    render_switched_off,
    settings_url,
    tell_saved,
)
from leadagent.http import HtmxHttpRequest
from leadagent.logs import is_key_shaped
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.recent_sign_in import signed_in_recently
from usage.alerting.cost_alert import cost_alert_of


@sensitive_post_parameters("api_key")
@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ai_settings(request: HtmxHttpRequest) -> HttpResponse:
    """Show what is set up, and save provider, key, models and settings."""
    if request.method != "POST":
        if not byok_allowed(request.organization):
            return render_switched_off(request)
        config = get_ai_config(request.organization)
        form = form_of(request, config, provider=request.GET.get("provider", ""))
        if "recommended" in request.GET:
            form.initial.update(recommended_values(form.picked))
        return render_settings(request, form)
    if not byok_allowed(request.organization):
        raise PermissionDenied(NOT_ENABLED)
    config = get_ai_config(request.organization)
    form = form_of(request, config, request.POST)
    if not signed_in_recently(request):
        form.add_error(None, SIGN_IN_AGAIN)
    if not form.is_valid():
        return render_settings(request, form, outcome=_other_providers_key(request, form), status=422)
    return _save(request, form, config)


@sensitive_post_parameters("api_key")
@organization_view(Role.ADMIN)
@never_cache
@where_own_keys_are_enabled
@require_POST
def change_form(request: HtmxHttpRequest) -> HttpResponse:
    """The form for the provider that was picked in it, or with the recommended models. Nothing is saved.

    Without htmx this is `?provider=` or `?recommended=` of the page itself.
    """
    config = get_ai_config(request.organization)
    typed = {
        name: value
        for name, value in request.POST.items()
        # A key in another field is as little sent back as one in its own.
        if isinstance(value, str) and name != "api_key" and not is_key_shaped(value)
    }
    form = form_of(request, config, provider=typed.get("provider", ""), typed=typed)
    if "recommended" in typed:
        form.initial.update(recommended_values(form.picked))
    return render_settings(request, form)


@sensitive_variables("values")
def _save(request: HtmxHttpRequest, form: AIConfigForm, config: EffectiveConfig) -> HttpResponse:
    """Save a valid form; what cannot be saved is told at the field where it was given, and nothing is lost."""
    values = form.values()
    try:
        if form.cleaned_data["version"] != config.version:
            # Nobody is asked about a key that cannot be saved anyway.
            raise ConfigConflict
        if form.cleaned_data.get("api_key"):
            count_key_test(request.organization, who=f"user:{request.user.pk}")
        saved = prove_and_save(
            request.organization,
            values,
            save_untested=bool(form.cleaned_data.get("save_untested")),
            actor=request.user,
            request=request,
        )
    except InvalidConfig as invalid:
        form.place_error(invalid.field, str(invalid), value=invalid.value)
        return render_settings(request, form, status=422)
    except KeyTestsExhausted as exhausted:
        form.add_error("api_key", str(exhausted))
        outcome = TestOutcome(retry_after=exhausted.retry_after)
        return render_settings(request, form, outcome=outcome, status=429)
    except KeyNotProved as failed:
        outcome = _not_kept(form, failed)
        form.add_error("api_key", "This key is not saved: see what the test found.")
        for line in failed.report.refused_models():
            field = field_of_model(line.model, line.check, values)
            form.place_error(field, f"{line.text} {line.next_step}".strip(), value=line.model)
        return render_settings(request, form, outcome=outcome, status=422)
    except ConfigConflict:
        return _show_both_sides(request, form, values)
    with_new_key = bool(form.cleaned_data.get("api_key"))
    tell_saved(request, saved, "The AI configuration is saved.", with_new_key=with_new_key)
    if request.htmx:
        return HttpResponseClientRedirect(settings_url(request))
    return redirect("byok:settings", request.organization.slug)


def _not_kept(form: AIConfigForm, failed: KeyNotProved) -> TestOutcome:
    return TestOutcome(
        report=failed.report,
        key_in_force=form.stored_key,
        may_save_untested=failed.may_save_untested,
        was_saving=True,
    )


def _other_providers_key(request: HtmxHttpRequest, form: AIConfigForm) -> TestOutcome | None:
    """An offer to change the provider, where the key is another's. With scripts the key field makes it."""
    if "api_key" not in form.errors or request.htmx:
        return None
    other = provider_of_key(str(form.data.get("api_key", "")).strip())
    return TestOutcome(other_provider=other) if other and other != form.picked else None


@sensitive_variables("values")
def _show_both_sides(request: HtmxHttpRequest, form: AIConfigForm, values: dict[str, Any]) -> HttpResponse:
    theirs = get_ai_config(request.organization)
    conflict = conflict_with(request.organization, theirs, cost_alert_of(request.organization), values)
    # The next save is made in the knowledge of the current one.
    form.show_version(theirs.version)
    return render_settings(request, form, conflict=conflict, status=409)
