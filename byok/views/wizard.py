"""The onboarding wizard after the organisation has its name: whose AI, the key, the models, done.

What has been answered is what is stored: every step can be opened, left and come back to, and
nothing of it lives in the session. Until a key is saved the platform's AI is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from byok.catalog.offered_models import find_model
from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.proving import KeyNotProved, prove_and_save
from byok.checking.reports import ConnectionReport, LineState
from byok.config.ai_config import EffectiveConfig, byok_allowed, get_ai_config
from byok.config.onboarding_forms import OTHER, ChoiceForm, KeyForm, ModelsForm
from byok.config.provider_setup import setup_for
from byok.config.saving import KEEP, ConfigConflict
from byok.config.values import InvalidConfig
from byok.models import PLATFORM_DEFAULT, ProviderCredential
from byok.provider_names import provider_label
from byok.providers import REGISTRY, Provider
from byok.views.key_guess import key_prefixes, provider_of_key
from byok.views.page import SIGN_IN_AGAIN
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.onboarding import wizard_steps
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently
from usage.spending.quota import free_tier_of

_CONFLICT = (
    "Somebody else saved the configuration while this page was open. Theirs is kept; answer again to replace it."
)


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def onboarding_ai(request: HtmxHttpRequest) -> HttpResponse:
    """Whose AI works for the organisation: the platform's, or a provider with an own key."""
    config = get_ai_config(request.organization)
    allowed = byok_allowed(request.organization)
    free_tier = free_tier_of(request.organization.pk)
    decided = config.version > 0
    form = ChoiceForm(_posted(request), initial={"choice": config.provider} if decided else None)
    if request.method == "POST" and not allowed:
        return redirect("byok:onboarding_done", request.organization.slug)
    if request.method == "POST" and form.is_valid():
        choice = form.cleaned_data["choice"]
        if choice != PLATFORM_DEFAULT:
            return redirect("byok:onboarding_key", request.organization.slug, choice)
        if config.provider == PLATFORM_DEFAULT:
            # In force already, without anything stored.
            return redirect("byok:onboarding_done", request.organization.slug)
        if not signed_in_recently(request):
            return redirect(confirm_identity_url(request.path))
        values = {"provider": PLATFORM_DEFAULT, "usage_tracking": config.usage_tracking, "version": config.version}
        problem = _save(request, values)
        if problem is None:
            return redirect("byok:onboarding_done", request.organization.slug)
        form.add_error(None, problem[1])
    context = {
        "form": form,
        "chosen": form["choice"].value() or "",
        "allowed": allowed,
        "providers": list(REGISTRY.values()),
        "platform": PLATFORM_DEFAULT,
        "free_tier": free_tier,
        "free_words": f"{free_tier.limit} requests a month free",
        "steps": wizard_steps("ai", without=() if allowed else ("key", "models")),
    }
    return render_page(request, "onboarding/ai.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("api_key")
@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def onboarding_key(request: HtmxHttpRequest, provider: str) -> HttpResponseBase:
    """The key, tested before it is kept. One that is refused stays on this step, with the sentence at the field."""
    entry = REGISTRY.get(provider)
    if entry is None:
        raise Http404("No such provider.")
    if not byok_allowed(request.organization):
        return redirect("byok:onboarding_ai", request.organization.slug)
    config = get_ai_config(request.organization)
    credential = config.credentials.get(provider)
    form = KeyForm(_posted(request), entry=entry, has_stored=credential is not None)
    report = None
    if request.method == "POST" and not signed_in_recently(request):
        form.add_error(None, SIGN_IN_AGAIN)
    elif request.method == "POST" and form.is_valid():
        report, is_saved = _save_key(request, form, config, entry)
        if is_saved:
            return _go_on(request, "byok:onboarding_models")
    elif request.method != "POST" and not signed_in_recently(request):
        # A key outlives this session: who is here is asked first, while nothing is typed in yet.
        return redirect(confirm_identity_url(request.path))
    context = {
        "form": form,
        "entry": entry,
        "about": entry.about,
        "credential": credential,
        # One main button: connecting is it, where it can be, until there is a key.
        "connect_first": entry.connects and credential is None,
        "report": report,
        # The first sentence stands at the field already; the others are shown as well.
        "is_mixed": report is not None and sum(line.state is LineState.FAILED for line in report.lines) > 1,
        "key_prefixes": key_prefixes(),
        "may_save_untested": report is not None and not report.is_refused,
        "confirm_url": "" if signed_in_recently(request) else confirm_identity_url(request.path),
        "steps": wizard_steps("key"),
    }
    other = provider_of_key(str(form.data.get("api_key", "")).strip()) if form.is_bound else ""
    if other and other != provider:
        context["other"] = REGISTRY[other]
    status = 422 if form.is_bound else 200
    return render_page(request, "onboarding/key.html", context, partial="step", status=status)


@sensitive_variables("values")
def _save_key(
    request: HtmxHttpRequest, form: KeyForm, config: EffectiveConfig, entry: Provider
) -> tuple[ConnectionReport | None, bool]:
    """Test and save; what stands in the way goes to the form. The report of the test, and whether it is saved."""
    api_key = form.cleaned_data["api_key"]
    values = setup_for(config, entry.id) | {"api_key": api_key or KEEP}
    if api_key:
        try:
            count_key_test(request.organization, who=f"user:{request.user.pk}")
        except KeyTestsExhausted as refused:
            form.add_error(None, str(refused))
            return None, False
    elif config.provider == entry.id:
        # The stored key is the one in use: nothing to save.
        return None, True
    try:
        problem = _save(request, values, save_untested=form.cleaned_data["save_untested"])
    except KeyNotProved as refused_key:
        form.add_error("api_key", refused_key.report.summary)
        return refused_key.report, False
    if problem is not None:
        field, sentence = problem
        form.add_error("api_key" if field == "api_key" else None, sentence)
    return None, problem is None


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def onboarding_models(request: HtmxHttpRequest) -> HttpResponseBase:
    """The chat model and the embedding model, the recommended ones first."""
    config = get_ai_config(request.organization)
    entry, credential = REGISTRY.get(config.provider), config.credential
    if entry is None:
        return redirect("byok:onboarding_ai", request.organization.slug)
    if credential is None:
        return redirect("byok:onboarding_key", request.organization.slug, entry.id)
    form = ModelsForm(_posted(request), config=config, entry=entry)
    if request.method == "POST" and form.is_valid():
        problems = _save_models(request, config, form)
        if not problems:
            return _go_on(request, "byok:onboarding_done")
        for field, sentence in problems.items():
            form.add_error(_field_of(form, field), sentence)
        # The next answer is given in the knowledge of what is stored now.
        form.show_version(get_ai_config(request.organization).version)
    context = {
        "form": form,
        "entry": entry,
        "credential": credential,
        "report": _stored_report(credential),
        "chosen": form["chat_choice"].value(),
        "other_option": find_model(
            entry.id, "chat", str(form["chat_model"].value() or ""), organization=request.organization
        ),
        "steps": wizard_steps("models"),
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "onboarding/models.html", context, partial="step", status=status)


def _save_models(request: HtmxHttpRequest, config: EffectiveConfig, form: ModelsForm) -> dict[str, str]:
    """Ask the provider about other models than the stored ones, then save. By field: what stood in the way."""
    values = setup_for(config, config.provider)
    chosen = values | form.values()
    if chosen == values:
        return {}
    try:
        count_key_test(request.organization, who=f"user:{request.user.pk}")
    except KeyTestsExhausted as error:
        return {"": str(error)}
    problem = _save(request, chosen)
    return dict([problem]) if problem else {}


@organization_view(Role.ADMIN)
@never_cache
@require_safe
def onboarding_done(request: HtmxHttpRequest) -> HttpResponse:
    """What is set up now, and what to do next."""
    config = get_ai_config(request.organization)
    entry = REGISTRY.get(config.provider)
    context = {
        "config": config,
        "entry": entry,
        "credential": config.credential,
        "embedding_label": provider_label(config.embedding_provider) if config.embedding_provider else "",
        "allowed": byok_allowed(request.organization),
        "free_tier": free_tier_of(request.organization.pk),
        "steps": wizard_steps("done", without=() if entry else ("key", "models")),
    }
    return render_page(request, "onboarding/done.html", context)


def _posted(request: HtmxHttpRequest) -> QueryDict | None:
    """What was sent, even if it is nothing: a form that was sent empty is to say so."""
    return request.POST if request.method == "POST" else None


def _save(
    request: HtmxHttpRequest, values: Mapping[str, Any], *, save_untested: bool = False
) -> tuple[str, str] | None:
    """Save; the field and the sentence of what stood in the way, or None. Raises `KeyNotProved`."""
    try:
        prove_and_save(request.organization, values, save_untested=save_untested, actor=request.user, request=request)
    except InvalidConfig as error:
        return error.field, str(error)
    except ConfigConflict:
        return "", _CONFLICT
    return None


def _field_of(form: ModelsForm, field: str) -> str | None:
    """Where the models form shows a complaint about a field of the configuration."""
    if field in {"embedding_provider", "embedding_model"}:
        return "embedding"
    if field == "chat_model" and form.cleaned_data.get("chat_choice") != OTHER:
        return "chat_choice"
    return field if field in form.fields else None


def _stored_report(credential: ProviderCredential) -> ConnectionReport | None:
    return ConnectionReport.from_json(credential.report) if credential.report else None


def _go_on(request: HtmxHttpRequest, name: str) -> HttpResponseBase:
    """To the next step, for htmx as a page of its own: the address is the step's."""
    url = reverse(name, args=[request.organization.slug])
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
