"""Opening one page, through the guard."""

from __future__ import annotations

import json

from django.conf import settings

from leadagent import egress
from leadagent.leads.research.links import Links, NotFetchable
from leadagent.leads.research.readable import readable
from leadagent.leads.research.sources import Sources

TEXT_LIMIT = 8_000


def fetch_url(url: str, sources: Sources, links: Links) -> str:
    """Title, readable text and final address of a page, as JSON; or a sentence that says why there is none."""
    try:
        start = links.check(url.strip())
        page = read_page(start, links)
    except NotFetchable as refused:
        return f"This page was not opened. {refused}"
    except egress.EgressRefused as refused:
        return f"This page was not opened. {refused}"
    except egress.EgressFailed as failed:
        return f"This page could not be read: {failed}."
    if page.status >= 400:
        return f"This page could not be read: its server answered with status {page.status}."
    found = readable(page)
    links.add_links(found.links)
    if not found.text:
        return "This page holds no readable text."
    return json.dumps(
        {
            "source": sources.add("page", found.title or page.url, url=page.url),
            "url": page.url,
            "title": found.title,
            "text": found.text[:TEXT_LIMIT],
            "is_cut": page.is_cut or len(found.text) > TEXT_LIMIT,
        },
        ensure_ascii=False,
    )


def read_page(start: egress.Target, links: Links) -> egress.Page:
    """The page behind an address that has been checked. Raises `EgressRefused` or `EgressFailed`."""
    sandbox = settings.SANDBOX_INTERNET_URL
    return egress.get_page(
        start.url,
        may_follow=lambda host: links.may_follow(start, host),
        stand_in=f"{sandbox}/pages" if sandbox else "",
    )
