"""Requests to addresses that other people chose: to the public internet, and nowhere else.

A name is resolved once, every address it has must be public, and the connection goes to an
address that was checked. No proxy of the environment, no cookies, a deadline for the whole
exchange, and only as much of the answer as is asked for.

`addresses` says what may be asked at all, `connection` connects, `posting` hands messages to
web hooks, `pages` reads pages.
"""

from leadagent.egress.addresses import Target, check_url, is_public, read_url
from leadagent.egress.errors import EgressFailed, EgressRefused
from leadagent.egress.pages import Page, get_page
from leadagent.egress.posting import MAX_BODY, Answer, post

__all__ = [
    "MAX_BODY",
    "Answer",
    "EgressFailed",
    "EgressRefused",
    "Page",
    "Target",
    "check_url",
    "get_page",
    "is_public",
    "post",
    "read_url",
]
