"""What the pages about own keys ask before they act, beyond the role."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from byok.config.ai_config import byok_allowed
from leadagent.http import HtmxHttpRequest

P = ParamSpec("P")

NOT_ENABLED = "Own keys are not enabled for this organisation. What is stored stays untouched."


def where_own_keys_are_enabled(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """Answer 403 with the reason while the operator's flag is off. Goes inside `organization_view`."""

    @wraps(view)
    def guarded(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not byok_allowed(request.organization):
            raise PermissionDenied(NOT_ENABLED)
        return view(request, *args, **kwargs)

    return guarded
