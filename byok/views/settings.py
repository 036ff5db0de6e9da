"""The AI configuration page."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from byok.config import (
    ConfigConflict,
    EffectiveConfig,
    InvalidConfig,
    byok_allowed,
    get_ai_config,
    save_ai_config,
)
from byok.forms import AIConfigForm
from byok.models import PLATFORM_DEFAULT, CredentialStatus
from byok.providers import REGISTRY
from byok.stored_keys import remove_api_key
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently
from usage.analytics import get_monthly_usage_stats
from usage.quota import free_tier_of

# How a key's state is shown: component kind of the status line.
_KINDS = {
    CredentialStatus.UNTESTED: "idle",
    CredentialStatus.OK: "good",
    CredentialStatus.REJECTED: "bad",
    CredentialStatus.NO_CREDIT: "warn",
    CredentialStatus.UNREACHABLE: "warn",
    CredentialStatus.UNREADABLE: "bad",
}


@sensitive_post_parameters("api_key")
@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ai_settings(request: HtmxHttpRequest) -> HttpResponse:
    """Show what is set up, and save provider, key and models."""
    config = get_ai_config(request.organization)
    if not byok_allowed(request.organization):
        return _render(request, config, None)
    form = AIConfigForm(request.POST or None, config=config, provider=request.GET.get("provider", ""))
    if request.method == "POST" and not signed_in_recently(request):
        form.add_error(None, "It is some time since you signed in. Confirm who you are, then save again.")
    if request.method == "POST" and form.is_valid() and _save(request, form):
        messages.success(request, "The AI configuration is saved.")
        return redirect("byok:settings", request.organization.slug)
    return _render(request, config, form)


def _save(request: HtmxHttpRequest, form: AIConfigForm) -> bool:
    """Save the form; what cannot be saved is told at the field where it was given."""
    try:
        save_ai_config(request.organization, **form.values(), actor=request.user, request=request)
    except InvalidConfig as exc:
        form.add_error(exc.field, str(exc))
    except ConfigConflict:
        form.add_error(
            None,
            "Somebody else saved the configuration while this page was open. What they saved is shown under "
            "current setup; yours is still in the form. Save again to replace theirs (enter a new key again).",
        )
        # The next save is made in the knowledge of the current one.
        form.show_version(get_ai_config(request.organization).version)
    else:
        return True
    return False


def _render(request: HtmxHttpRequest, config: EffectiveConfig, form: AIConfigForm | None) -> HttpResponse:
    credential = config.credential
    context = {
        "config": config,
        "credential": credential,
        "credential_kind": _KINDS[CredentialStatus(credential.status)] if credential else "",
        "provider_label": REGISTRY[config.provider].label if config.provider in REGISTRY else "Platform AI",
        "on_platform": config.provider == PLATFORM_DEFAULT,
        "stats": get_monthly_usage_stats(request.organization),
        "free_tier": free_tier_of(request.organization.pk),
        "form": form,
        # A key outlives this session: who is here is asked first.
        "confirm_url": "" if signed_in_recently(request) else confirm_identity_url(request.path),
        "other_keys": [
            (REGISTRY[provider].label, row) for provider, row in config.credentials.items() if row is not credential
        ],
    }
    invalid = form is not None and form.is_bound
    return render_page(request, "byok/settings.html", context, partial="config_form", status=422 if invalid else 200)


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def remove_key(request: HtmxHttpRequest, provider: str) -> HttpResponse:
    """Ask, then remove a stored key for good."""
    credential = get_ai_config(request.organization).credentials.get(provider)
    if credential is None:
        raise Http404("No such key.")
    if not signed_in_recently(request):
        return redirect(confirm_identity_url(request.path))
    if request.method == "POST":
        remove_api_key(request.organization, provider, actor=request.user, request=request)
        messages.success(request, f"The {credential.get_provider_display()} key is removed.")
        return redirect("byok:settings", request.organization.slug)
    context = {
        "credential": credential,
        "settings_url": reverse("byok:settings", args=[request.organization.slug]),
        "remove_url": reverse("byok:remove_key", args=[request.organization.slug, provider]),
    }
    return render_page(request, "byok/remove_key.html", context)
