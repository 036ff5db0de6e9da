"""One-click connect with OpenRouter: off to its page, back with a code, and the code becomes the stored key."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.proving import KeyNotProved, prove_and_save
from byok.checking.reports import ConnectionReport
from byok.config.ai_config import byok_allowed, get_ai_config
from byok.config.provider_setup import setup_for
from byok.config.saving import ConfigConflict
from byok.config.values import InvalidConfig
from byok.connecting.attempts import Attempt, begin_attempt, find_attempt, use_attempt
from byok.connecting.openrouter import MAX_CODE, OPENROUTER, auth_url, challenge_of, exchange_code
from byok.errors import AIError
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the connection was not made, and what to do. `report`: how the new key's test went, if it came that far."""

    title: str
    text: str
    status: int = 422
    report: ConnectionReport | None = None


_NOT_YOURS = Problem(
    "This connection cannot be finished here",
    "It is more than ten minutes old, was finished already, or was started by another person, in another "
    "browser or for another organisation. Nothing was changed.",
    # As for anything else that is not there for this person.
    status=404,
)
_DENIED = Problem(
    "OpenRouter was not connected",
    "OpenRouter sent you back without a code: the connection was declined there, or you are not signed in. "
    "Nothing was changed.",
)


@organization_view(Role.ADMIN)
@never_cache
@require_safe
def connect_start(request: HtmxHttpRequest) -> HttpResponse:
    """Note an attempt in the session and lead to OpenRouter.

    A link, not a form: browsers apply `form-action 'self'` to where a posted form is redirected, too.
    It changes nothing of the organisation's; whoever is tricked into it ends up at OpenRouter's question.
    """
    if not byok_allowed(request.organization):
        return redirect("byok:settings", request.organization.slug)
    if not signed_in_recently(request):
        return redirect(confirm_identity_url(request.get_full_path()))
    attempt = begin_attempt(request, origin=request.GET.get("from", ""))
    callback = reverse("byok:connect_callback", args=[request.organization.slug, attempt.state])
    # The state is in the path: OpenRouter has no parameter for one.
    address = auth_url(callback_url=settings.PUBLIC_URL + callback, challenge=challenge_of(attempt.verifier))
    return HttpResponseRedirect(address)


@sensitive_post_parameters("code")
@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect_callback(request: HtmxHttpRequest, state: str) -> HttpResponse:
    """Where OpenRouter sends people back to: say what happens next, and do it when asked by POST."""
    attempt = find_attempt(request, state)
    if attempt is None:
        return _refuse(request, _NOT_YOURS)
    posted = request.method == "POST"
    code = (request.POST if posted else request.GET).get("code", "")
    if not code or len(code) > MAX_CODE:
        return _refuse(request, _DENIED, attempt)
    if not signed_in_recently(request):
        return redirect(confirm_identity_url(f"{request.path}?{urlencode({'code': code})}"))
    if posted:
        problem = _finish(request, attempt, code)
        if problem is not None:
            return _refuse(request, problem, attempt)
        messages.success(request, "OpenRouter is connected. AI requests now run on your own key.")
        place = "byok:onboarding_models" if attempt.origin == "onboarding" else "byok:settings"
        return redirect(place, request.organization.slug)
    config = get_ai_config(request.organization)
    context = {
        "code": code,
        "finish_url": request.path,
        "stored": config.credentials.get(OPENROUTER),
        "chat_model": setup_for(config, OPENROUTER)["chat_model"],
        "back_url": _start_place(request, attempt),
    }
    return render_page(request, "byok/connect.html", context)


@sensitive_variables("values", "code")
def _finish(request: HtmxHttpRequest, attempt: Attempt, code: str) -> Problem | None:
    """Exchange, test, save. The key is in this frame only."""
    if not byok_allowed(request.organization):
        return Problem("OpenRouter was not connected", "Own keys are not enabled for this organisation.", status=403)
    try:
        count_key_test(request.organization, who=f"user:{request.user.pk}")
    except KeyTestsExhausted as refused:
        return Problem("OpenRouter was not connected yet", f"{refused} Nothing was changed.", status=429)
    use_attempt(request, attempt.state)
    values = setup_for(get_ai_config(request.organization), OPENROUTER)
    try:
        values["api_key"] = exchange_code(code, verifier=attempt.verifier)
        prove_and_save(request.organization, values, actor=request.user, request=request)
    except AIError as error:
        return Problem("OpenRouter did not hand over a key", f"{error.sentence} Nothing was changed.")
    except KeyNotProved as refused:
        return Problem(
            "The new key did not pass its test",
            "OpenRouter made a key for you, but it cannot be used as it is, so it was not saved. "
            "Mend what the test found, then connect again; the unused key can be deleted at openrouter.ai/keys.",
            report=refused.report,
        )
    except ConfigConflict:
        return Problem(
            "Somebody saved the configuration meanwhile",
            "The new key was not saved, so that theirs stays as it is. Look at it, then connect again if it is "
            "still wanted; the unused key can be deleted at openrouter.ai/keys.",
            status=409,
        )
    except InvalidConfig as error:
        return Problem("OpenRouter was not connected", f"{error} Nothing was changed.")
    return None


def _refuse(request: HtmxHttpRequest, problem: Problem, attempt: Attempt | None = None) -> HttpResponse:
    origin = attempt.origin if attempt else "settings"
    again = f"{reverse('byok:connect_start', args=[request.organization.slug])}?{urlencode({'from': origin})}"
    context = {"problem": problem, "again_url": again, "back_url": _start_place(request, attempt)}
    return render_page(request, "byok/connect_problem.html", context, status=problem.status)


def _start_place(request: HtmxHttpRequest, attempt: Attempt | None) -> str:
    """The page that the connection was begun from."""
    if attempt is not None and attempt.origin == "onboarding":
        return reverse("byok:onboarding_key", args=[request.organization.slug, OPENROUTER])
    return f"{reverse('byok:settings', args=[request.organization.slug])}?provider={OPENROUTER}"
