"""The options of the model comboboxes."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from byok.catalog.offered_models import Kind, search_models
from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

SHOWN = 40


@organization_view(Role.ADMIN)
@never_cache
@require_safe
def model_options(request: HtmxHttpRequest) -> HttpResponse:
    """Models of `?provider=` and `?kind=` (chat, embedding) that match `?q=`, as options of a listbox."""
    kind: Kind = "embedding" if request.GET.get("kind") == "embedding" else "chat"
    found = search_models(
        request.GET.get("provider", ""),
        kind,
        request.GET.get("q", "")[:200],
        organization=request.organization,
        limit=SHOWN + 1,
    )
    context = {"options": found[:SHOWN], "has_more": len(found) > SHOWN}
    return render(request, "byok/model_options.html", context)
