"""What a company's site and mail run on, as far as its home page and its DNS tell."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from leadagent import egress
from leadagent.leads.research.dns_records import dns_records
from leadagent.leads.research.html import generators_of
from leadagent.leads.research.links import Links, NotFetchable
from leadagent.leads.research.signatures import SIGNATURES, Signature
from leadagent.leads.research.sources import Sources
from leadagent.leads.research.web_pages import read_page

_MOST_FACTS = 40
_DNS_OF = {"mx": "MX", "txt": "TXT", "ns": "NS"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A product, what it is for, and where its name was seen."""

    category: str
    product: str
    seen_in: str


def tech_stack_analysis(sources: Sources, links: Links) -> str:
    """Facts about the lead's own domain as JSON, or a sentence that says why there are none."""
    domain = links.domain
    if domain is None:
        return "The lead wrote from an address of a mail provider, so there is no company's domain to look at."
    page, trouble = _home_page(domain, links)
    if trouble is not None and trouble.is_private:
        return f"{domain} was not looked at. {trouble.sentence}"
    records = dns_records(domain)
    if page is None and not records:
        return f"Nothing could be seen of {domain}: {trouble.sentence if trouble else 'it has no records'}."
    found = facts(page, records)
    return json.dumps(
        {
            "source": sources.add("tech", f"Technology of {domain}", url=f"https://{domain}/"),
            "domain": domain,
            "home_page": "read" if page is not None else f"not read: {trouble.sentence if trouble else ''}",
            "facts": [asdict(fact) for fact in found],
            "mail_servers": records.get("MX", [])[:5],
        },
        ensure_ascii=False,
    )


@dataclass(frozen=True, slots=True)
class _Trouble:
    sentence: str
    is_private: bool


def _home_page(domain: str, links: Links) -> tuple[egress.Page | None, _Trouble | None]:
    trouble = None
    for scheme in ("https", "http"):
        try:
            return read_page(links.check(f"{scheme}://{domain}/"), links), None
        except (egress.EgressRefused, NotFetchable) as refused:
            return None, _Trouble(str(refused), "private network" in str(refused))
        except egress.EgressFailed as failed:
            trouble = _Trouble(str(failed), False)
    return None, trouble


def facts(page: egress.Page | None, records: dict[str, list[str]]) -> list[Fact]:
    """What the signatures find. Pure; one fact per product and category."""
    html = page.body.decode("utf-8", errors="replace").lower() if page is not None else ""
    headers = [f"{name}: {value}".lower() for name, value in page.headers.items()] if page is not None else []
    found: dict[tuple[str, str], Fact] = {}
    for product in generators_of(page) if page is not None else []:
        found[("Generator", product)] = Fact("Generator", product, "the page's generator tag")
    for signature in SIGNATURES:
        if _shows(signature, html, headers, records):
            key = (signature.category, signature.product)
            found.setdefault(key, Fact(signature.category, signature.product, _place(signature)))
    return list(found.values())[:_MOST_FACTS]


def _shows(signature: Signature, html: str, headers: list[str], records: dict[str, list[str]]) -> bool:
    match signature.where:
        case "html":
            return signature.needle in html
        case "header":
            name, _, part = signature.needle.partition(": ")
            return any(line.startswith(f"{name}: ") and part in line for line in headers)
        case "cookie":
            return any(line.startswith("set-cookie:") and signature.needle in line for line in headers)
        case _:
            return any(signature.needle in record for record in records.get(_DNS_OF[signature.where], []))


def _place(signature: Signature) -> str:
    if signature.where == "header":
        return f"the header {signature.needle.partition(':')[0]}"
    if signature.where in _DNS_OF:
        return f"{_DNS_OF[signature.where]} records"
    return {"html": "the home page", "cookie": "a cookie"}[signature.where]
