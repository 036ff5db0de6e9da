"""What every view shares: the typed request, and answers that fit who asked."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from leadagent.tenants.models import Membership, Organization, User


class HtmxHttpRequest(HttpRequest):
    """A request inside an organisation's pages: `tenants.access` has filled in who and where."""

    htmx: HtmxDetails
    user: "User"
    organization: "Organization"
    membership: "Membership"


def client_ip(request: HttpRequest) -> str | None:
    """The visitor's address; behind the trusted proxy, the one that proxy saw. None where it is not an address."""
    seen = request.META.get("REMOTE_ADDR", "")
    if settings.TRUST_PROXY:
        seen = request.headers.get("X-Forwarded-For", seen).rpartition(",")[2].strip()
    try:
        return str(ip_address(seen))
    except ValueError:
        return None


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render the page, or only its named partial when htmx asked for a fragment.

    The fragment lives inside its page's template (`{% partialdef %}`), so that both
    are always the same markup. History restores ask for the whole page.
    """
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    if partial and htmx and not htmx.history_restore_request:
        template = f"{template}#{partial}"
    response = render(request, template, dict(context), status=status)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response
