"""Which pages the agent may open: those that were found, never those that were made up.

A model that obeys a hostile text could write what it knows into an address and have it
fetched. So an address has to stem from the lead's own domain or from a search of this run, and
to have been seen as it is: in the message, on a page that was read, among the results, or as one of
the usual places of a company's site. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leadagent import egress
from leadagent.leads.research.domains import belongs_to

_USUAL_PATHS = (
    "/ /about /about-us /company /team /products /product /services /solutions /pricing /customers /contact "
    "/contact-us /careers /jobs /news /blog /press /impressum /imprint /legal /ueber-uns /kontakt /en /en/about"
)
# More links of one page are menus of menus.
_MOST_LINKS = 400
_ADDRESS = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'`\[\]{}|^]+", re.IGNORECASE)


class NotFetchable(Exception):
    """This page may not be opened. The text is for the model."""


class Links:
    """What may be opened in one attempt. `domain` is the lead's own, None without one."""

    def __init__(self, domain: str | None, *, message: str = "") -> None:
        self.domain = domain
        self._seen: set[str] = set()
        self._hosts: set[str] = set()
        if domain:
            self.add_links(f"https://{domain}{path}" for path in _USUAL_PATHS.split())
            self.add_links(match.rstrip(".,;:!?)") for match in _ADDRESS.findall(message))

    def add_results(self, urls: Iterable[str]) -> None:
        """Pages that a search of this run has brought up."""
        for url in urls:
            target = _target(url)
            if target is not None:
                self._seen.add(_key(target))
                self._hosts.add(target.host)

    def add_links(self, urls: Iterable[str]) -> None:
        """Addresses that were seen on a page or in the message: those on the lead's own domain count."""
        if self.domain is None:
            return
        for url in list(urls)[:_MOST_LINKS]:
            target = _target(url)
            if target is not None and belongs_to(target.host, self.domain):
                self._seen.add(_key(target))

    def check(self, url: str) -> egress.Target:
        """The address taken apart; raises `NotFetchable`."""
        try:
            target = egress.read_url(url)
        except egress.EgressRefused as refused:
            raise NotFetchable(str(refused)) from None
        if _key(target) not in self._seen:
            raise NotFetchable(
                "Only pages of the lead's own domain and pages that a search of this run has found are opened, "
                "by an address exactly as it was found."
            )
        return target

    def may_follow(self, start: egress.Target, host: str) -> bool:
        """Whether a redirect from `start` may lead to `host`: the same site, or the lead's own."""
        if self.domain and belongs_to(host, self.domain):
            return True
        return belongs_to(host, _bare(start.host)) or belongs_to(start.host, _bare(host)) or host in self._hosts


def _target(url: str) -> egress.Target | None:
    try:
        return egress.read_url(url if "://" in url else f"https://{url}")
    except egress.EgressRefused:
        return None


def _key(target: egress.Target) -> str:
    """The same page by http or https, with www. or without, with a slash at its end or without."""
    path, question, query = target.path.partition("?")
    return f"{_bare(target.host)}{path.rstrip('/')}{question}{query}"


def _bare(host: str) -> str:
    return host.removeprefix("www.")
