"""The AI settings page as every view of it renders it: whole, or the form alone for htmx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from byok.catalog.offered_models import Kind, ModelOption, count_models, find_models, search_models
from byok.catalog.recommendations import recommended_models
from byok.checking.proving import Saved
from byok.checking.reports import ConnectionReport
from byok.config.ai_config import EffectiveConfig, byok_allowed, get_ai_config
from byok.config.conflict import Conflict
from byok.config.current_setup import current_setup_of
from byok.config.forms import AIConfigForm
from byok.models import PLATFORM_DEFAULT
from byok.provider_names import embedding_providers, provider_label
from byok.providers import REGISTRY
from byok.views.key_guess import key_prefixes
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.models import Organization
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently
from usage.alerting.cost_alert import cost_alert_of
from usage.analytics import get_total_cost_by_period
from usage.spending.quota import FreeTier, free_tier_of
from usage.utc_days import current_month

TEMPLATE = "byok/settings.html"
SIGN_IN_AGAIN = "It is some time since you signed in. Confirm who you are, then try again."


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What the area below the key says after a test: a report, or why there is none. Holds no key.

    `other_provider`: whose key it looks like, where that is another one than the chosen.
    `key_in_force`: masked text of the stored key that is still used, where a new one was not kept.
    `is_stored_key`: the field was empty, and the stored key was tested.
    """

    report: ConnectionReport | None = None
    refusal: str = ""
    other_provider: str = ""
    key_in_force: str = ""
    may_save_untested: bool = False
    was_saving: bool = False
    is_stored_key: bool = False
    status: int = 200
    retry_after: int = 0

    @property
    def other_provider_label(self) -> str:
        return provider_label(self.other_provider)


def form_of(request: HtmxHttpRequest, config: EffectiveConfig, data: Any = None, **more: Any) -> AIConfigForm:
    """The form on this organisation's configuration, bound where `data` is given."""
    return AIConfigForm(
        data,
        config=config,
        cost_alert=cost_alert_of(request.organization),
        **more,
    )


def render_settings(
    request: HtmxHttpRequest,
    form: AIConfigForm,
    *,
    outcome: TestOutcome | None = None,
    conflict: Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    """The whole page, or the form alone where htmx asked."""
    context = form_context(request, form, outcome=outcome, conflict=conflict)
    if not request.htmx or request.htmx.history_restore_request:
        context |= _around_the_form(request, form.config)
    response = render_page(request, TEMPLATE, context, partial="config_form", status=status)
    if outcome is not None and outcome.retry_after:
        response.headers["Retry-After"] = str(outcome.retry_after)
    return response


def render_switched_off(request: HtmxHttpRequest) -> HttpResponse:
    """The page without its form: own keys are not enabled here, and what is stored is only shown."""
    config = get_ai_config(request.organization)
    return render_page(request, TEMPLATE, _around_the_form(request, config))


def form_context(
    request: HtmxHttpRequest,
    form: AIConfigForm,
    *,
    outcome: TestOutcome | None = None,
    conflict: Conflict | None = None,
) -> dict[str, Any]:
    """What the form's part of the template needs."""
    posted: Mapping[str, Any] = form.data if form.is_bound else {}
    free_tier = free_tier_of(request.organization.pk)
    return {
        "form": form,
        "outcome": outcome,
        "conflict": conflict,
        # Without htmx the whole page came anew, and a key is never sent back to a browser.
        "key_was_dropped": bool(posted.get("api_key")) and not request.htmx,
        "key_prefixes": key_prefixes(),
        "providers": [(entry.id, entry.label) for entry in REGISTRY.values()],
        "free_tier": free_tier,
        "provider_notes": _provider_notes(free_tier),
        "embedding_providers": embedding_providers(),
        "can_connect": form.entry is not None and form.entry.connects,
        **(_models_context(request.organization, form) if form.entry else {}),
        # A key outlives this session: who is here is asked first.
        "confirm_url": "" if signed_in_recently(request) else confirm_identity_url(settings_url(request)),
    }


def _models_context(organization: Organization, form: AIConfigForm) -> dict[str, Any]:
    def known(kind: Kind, provider: str, *names: str) -> dict[str, ModelOption]:
        values = {name: str(form[name].value() or "") for name in names}
        found = find_models(provider, kind, values.values(), organization=organization)
        return {name: found[value] for name, value in values.items() if value in found}

    embedding_provider = str(form["embedding_provider"].value() or "")
    further = form.further_fields
    chat = known("chat", form.picked, "chat_model", *(field.name for field in (*form.model_fields, *further)))
    return {
        "recommended": recommended_models(form.picked),
        "chat_option": chat.get("chat_model"),
        "operation_models": [(field, chat.get(field.name)) for field in form.model_fields],
        "further_models": [(field, chat.get(field.name)) for field in further],
        "has_further_models": any(field.value() or field.errors for field in further),
        "embedding_option": known("embedding", embedding_provider, "embedding_model").get("embedding_model"),
        # For browsers without JavaScript.
        "chat_options": search_models(form.picked, "chat", organization=organization),
        "embedding_options": search_models(embedding_provider, "embedding", organization=organization),
    }


def _provider_notes(free_tier: FreeTier) -> list[tuple[str, str]]:
    """What tells the choices apart, by the value of the choice."""
    notes, counts = [], count_models("chat")
    for entry in REGISTRY.values():
        embeddings = "embeddings too" if entry.offers_embeddings else "no embeddings"
        notes.append((entry.id, f"{counts.get(entry.id, 0)} chat models, {embeddings}"))
    return [*notes, (PLATFORM_DEFAULT, f"{free_tier.limit} requests a month, no key needed")]


def tell_saved(request: HtmxHttpRequest, saved: Saved, text: str, *, with_new_key: bool = False) -> None:
    """`text` as a toast, and a second one where the provider could not confirm what was saved."""
    messages.success(request, text)
    report = saved.report
    if report is None or report.is_proved:
        return
    if with_new_key:
        doubt = "The key is saved without a test. It is looked at again by itself within the day."
    elif report.is_refused:
        doubt = f"The stored key no longer works: {report.summary}"
    else:
        doubt = f"The models could not be tested with the stored key: {report.summary}"
    messages.warning(request, doubt)


def settings_url(request: HtmxHttpRequest) -> str:
    return reverse("byok:settings", args=[request.organization.slug])


def _around_the_form(request: HtmxHttpRequest, config: EffectiveConfig) -> dict[str, Any]:
    return {
        "setup": current_setup_of(request.organization, config),
        "help_entries": list(REGISTRY.values()),
        "own_keys_enabled": byok_allowed(request.organization),
        "totals": get_total_cost_by_period(request.organization, *current_month()),
        "free_tier": free_tier_of(request.organization.pk),
    }
