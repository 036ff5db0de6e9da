"""API tokens of an organisation: made here, shown once, revoked here."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from leadagent.http import HtmxHttpRequest
from leadagent.logs import is_key_shaped
from leadagent.tenants.access import organization_view
from leadagent.tenants.api_tokens import issue_token, revoke_token
from leadagent.tenants.forms import TokenForm
from leadagent.tenants.models import ApiToken, Role, Scope
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently


@organization_view(Role.ADMIN)
def tokens(request: HtmxHttpRequest) -> HttpResponse:
    """The organisation's live tokens, and the form that makes one.

    The answer to a successful POST is the only place that ever shows a token's text.
    """
    here = reverse("tenants:tokens", args=[request.organization.slug])
    may_create = signed_in_recently(request)
    if request.method == "POST" and not may_create:
        # What was typed is there again afterwards.
        return redirect(confirm_identity_url(f"{here}?{urlencode(_typed(request.POST), doseq=True)}"))
    form = TokenForm(request.POST or None, initial=_typed(request.GET))
    created: ApiToken | None = None
    text = ""
    if request.method == "POST" and form.is_valid():
        created, text = issue_token(
            request.organization,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            created_by=request.user,
            request=request,
        )
        form = TokenForm()
    live = request.organization.api_tokens.filter(revoked_at=None).select_related("created_by").order_by("-pk")
    context = {
        "form": form,
        "confirm_url": None if may_create else confirm_identity_url(here),
        "tokens": [(token, [Scope(scope).label for scope in token.scopes]) for token in live],
        "created": created,
        "created_text": text,
    }
    response = render(request, "tenants/tokens.html", context, status=422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _typed(given: QueryDict) -> dict[str, str | list[str]]:
    """What may stand in an address: a key that was typed for a name may not."""
    name = given.get("name", "")
    return {"name": "" if is_key_shaped(name) else name[:80], "scopes": given.getlist("scopes")}


@organization_view(Role.ADMIN)
def token_revoke(request: HtmxHttpRequest, token_id: int) -> HttpResponse:
    """GET asks (for browsers without the dialog), POST revokes."""
    token = get_object_or_404(request.organization.api_tokens.filter(revoked_at=None), pk=token_id)
    if request.method != "POST":
        return render(request, "tenants/token_revoke.html", {"token": token})
    revoke_token(token, actor=request.user, request=request)
    messages.success(request, f"“{token.name}” is revoked. Calls with it are refused from now on.")
    return redirect("tenants:tokens", request.organization.slug)
