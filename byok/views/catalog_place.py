"""The place in the catalog that somebody came from, with its filters."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.urls import reverse

from leadagent.http import HtmxHttpRequest


def place_before(request: HtmxHttpRequest, said: str = "") -> str:
    """The catalog's page that led here, as a path with its query; the catalog itself where that is not known.

    `said`: what a form remembers of it. Only pages of this organisation's catalog count: it is where people
    are sent back to.
    """
    catalog = reverse("byok:catalog", args=[request.organization.slug])
    came_from = (request.htmx.current_url if request.htmx else "") or request.headers.get("Referer", "")
    for address in (said, came_from):
        parts = urlsplit(address) if _is_readable(address) else urlsplit("")
        elsewhere = parts.netloc and parts.netloc != request.get_host()
        # Neither back to this very page, nor to a question that was answered.
        goes_round = parts.path == request.path or parts.path.startswith(f"{catalog}select/")
        if parts.path.startswith(catalog) and not elsewhere and not goes_round:
            return f"{parts.path}?{parts.query}" if parts.query else parts.path
    return catalog


def _is_readable(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return address.isprintable() and len(address) <= 4000
