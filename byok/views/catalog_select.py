"""Taking a model of the catalog into use: a question that says what changes, then the save."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from byok.catalog.cards import models_named, reference_of
from byok.catalog.selecting import PER_OPERATION, Purpose, changes_by, choosing_of, notes_on, values_with
from byok.checking.proving import prove_and_save
from byok.config.ai_config import EffectiveConfig, get_ai_config
from byok.config.saving import ConfigConflict
from byok.config.values import InvalidConfig
from byok.models import CatalogModel
from byok.provider_names import provider_label
from byok.providers import REGISTRY
from byok.views.catalog_place import place_before
from byok.views.page import SIGN_IN_AGAIN, settings_url, tell_saved
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently

# Asks first which operation it is to be.
ONE_OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was saved, and where to mend it."""

    text: str
    status: int = 422
    mend: str = ""
    mend_url: str = ""


@dataclass(frozen=True, slots=True)
class OperationChoice:
    """One operation to choose, and the model that it uses now."""

    purpose: Purpose
    now: str
    is_chosen: bool


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def catalog_select(request: HtmxHttpRequest) -> HttpResponseBase:
    """Ask whether the model `m` is to be used `for` a purpose, and save it by POST, as the settings page does."""
    posted = request.method == "POST"
    asked = request.POST if posted else request.GET
    back = place_before(request, asked.get("back", ""))
    if not posted and "m" not in asked:
        return redirect("byok:catalog", request.organization.slug)
    found = models_named(request.organization, [asked.get("m", "")])
    purpose = _purpose(asked.get("for", ""))
    if not found or (posted and purpose is None):
        raise Http404("There is no such model in the catalog, or nothing of that name to use it for.")
    model, config = found[0], get_ai_config(request.organization)
    if not signed_in_recently(request):
        confirm = confirm_identity_url(_address(request, model, purpose))
        if posted:
            stale = Problem(SIGN_IN_AGAIN, mend="Confirm who you are", mend_url=confirm)
            return _ask(request, config, model, purpose, back=back, problem=stale)
        return HttpResponseClientRedirect(confirm) if request.htmx else redirect(confirm)
    if not posted or purpose is None:
        return _ask(request, config, model, purpose, back=back)
    problem = _save(request, config, model, purpose)
    if problem is not None:
        # Asked again in the knowledge of what is stored now.
        return _ask(request, get_ai_config(request.organization), model, purpose, back=back, problem=problem)
    return HttpResponseClientRedirect(back) if request.htmx else redirect(back)


def _save(request: HtmxHttpRequest, config: EffectiveConfig, model: CatalogModel, purpose: Purpose) -> Problem | None:
    refusal = choosing_of(request.organization, config).refusal(model, purpose)
    if refusal:
        return Problem(refusal)
    if request.POST.get("version", "") != str(config.version):
        return _SAVED_MEANWHILE
    try:
        saved = prove_and_save(
            request.organization, values_with(config, model, purpose), actor=request.user, request=request
        )
    except InvalidConfig as invalid:
        return Problem(str(invalid), mend="Open the AI settings", mend_url=settings_url(request))
    except ConfigConflict:
        return _SAVED_MEANWHILE
    tell_saved(request, saved, f"{model.name} is now used {purpose.words}.")
    return None


_SAVED_MEANWHILE = Problem(
    "Somebody saved the AI configuration meanwhile. Below is what your choice would change now.", status=409
)


def _ask(
    request: HtmxHttpRequest,
    config: EffectiveConfig,
    model: CatalogModel,
    purpose: Purpose | None,
    *,
    back: str,
    problem: Problem | None = None,
) -> HttpResponse:
    """The question, as a page or alone for the dialog. `purpose` None: which operation is a part of it."""
    choosing = choosing_of(request.organization, config)
    refusal = choosing.refusal(model, purpose or PER_OPERATION[0])
    problem = problem or (
        Problem(refusal, mend="Open the AI settings", mend_url=settings_url(request)) if refusal else None
    )
    # None where there is nothing to save: refused, or the operation is still to be chosen.
    chosen = None if refusal else purpose
    context = {
        "model": model,
        "reference": reference_of(model),
        "provider_label": provider_label(model.route),
        "purpose": purpose,
        "words": purpose.words if purpose else "for one operation",
        "operations": _operations(config, model) if purpose is None and not refusal else [],
        "changes": changes_by(request.organization, config, values_with(config, model, chosen)) if chosen else [],
        "notes": notes_on(config, model, chosen) if chosen else [],
        "may_save": not refusal,
        "problem": problem.text if problem else "",
        "mend": problem.mend if problem else "",
        "mend_url": problem.mend_url if problem else "",
        "version": config.version,
        "select_url": reverse("byok:catalog_select", args=[request.organization.slug]),
        "back": back,
        "in_dialog": bool(request.htmx),
    }
    status = problem.status if problem else 200
    return render_page(request, "byok/catalog/select.html", context, partial="question", status=status)


def _operations(config: EffectiveConfig, model: CatalogModel) -> list[OperationChoice]:
    return [
        OperationChoice(purpose, now, is_chosen=REGISTRY[model.route].model_id(now) == model.model_id)
        for purpose in PER_OPERATION
        for now in [config.chat_model_for(purpose.value)]
    ]


def _purpose(text: str) -> Purpose | None:
    return Purpose(text) if text in list(Purpose) else None


def _address(request: HtmxHttpRequest, model: CatalogModel, purpose: Purpose | None) -> str:
    where = reverse("byok:catalog_select", args=[request.organization.slug])
    return f"{where}?{urlencode({'for': purpose.value if purpose else ONE_OPERATION, 'm': reference_of(model)})}"
