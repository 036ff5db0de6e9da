"""A few DNS records of one domain, asked of the system's resolver and of nobody else."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

from leadagent import egress
from leadagent.leads.text import one_line

KINDS = ("MX", "TXT", "NS")
SECONDS = 4.0
_MOST, _LONGEST = 30, 300


def dns_records(domain: str) -> dict[str, list[str]]:
    """Kind -> records as text, lower case; kinds without any are left out. Never raises.

    `domain` must be a public name: see `domains.company_domain`.
    """
    found = _from_sandbox(domain) if settings.SANDBOX_INTERNET_URL else {kind: _ask(domain, kind) for kind in KINDS}
    return {kind: _tidied(records) for kind, records in found.items() if kind in KINDS and records}


def _ask(domain: str, kind: str) -> list[str]:
    from dns.exception import DNSException
    from dns.resolver import Resolver

    resolver = Resolver()
    try:
        # Absolute: the machine's own search list would look inside its network.
        answer = resolver.resolve(f"{domain}.", kind, lifetime=SECONDS, search=False)
        return [record.to_text() for record in answer]
    except (DNSException, OSError, ValueError):
        return []


def _from_sandbox(domain: str) -> dict[str, list[str]]:
    try:
        page = egress.get_page(f"https://{domain}/", stand_in=f"{settings.SANDBOX_INTERNET_URL}/dns")
        answer: Any = json.loads(page.body)
    except (egress.EgressRefused, egress.EgressFailed, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _tidied(records: list[str]) -> list[str]:
    return [one_line(str(record).replace('" "', "").strip('"'), limit=_LONGEST).lower() for record in records[:_MOST]]
