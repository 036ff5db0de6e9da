"""Figures 9, 10, 11, 13 and 16: pages of the busiest organisation, as its admin opens them, and what they weigh.

Server time: the whole of Django, from the request to the rendered answer, without a socket.
"""

from __future__ import annotations

import gzip
import re
import time
from datetime import UTC
from functools import cache
from statistics import median
from typing import Any

from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, get_resolver, reverse

from byok.models import CatalogModel
from leadagent.tenants.models import Organization, User
from tests.bench.measuring import alternate
from tests.bench.place import Bench, Worker
from tests.bench.report import Row, at_most, milliseconds, not_measured
from tests.bench.seeding import BUSIEST, BUSIEST_PERSON, QUIET, QUIET_PERSON
from usage.models import AIUsage

MAX_QUERIES = 12
MAX_KILOBYTES = 60
CATALOG = 900

DASHBOARD, CALLS, CATALOG_PAGE = "usage:dashboard", "usage:calls", "byok:catalog"
# A page with the frame of every page and nothing in it: the leads of an organisation that has none.
EMPTY = ("leads:list", QUIET, QUIET_PERSON)


def figure_9(bench: Bench) -> list[Row]:
    pair = alternate(
        lambda: server_time(bench, bench.full, DASHBOARD),
        lambda: server_time(bench, bench.small, DASHBOARD),
        runs=bench.sizes.runs,
    )
    figure = f"dashboard of the busiest organisation at {bench.sizes.events:,} events"
    note = f"reference: at {bench.sizes.small_events:,}"
    return [at_most(9, figure, milliseconds(pair.ours), milliseconds(pair.reference), pair.ratio, 1.2, note)]


def figure_10(bench: Bench) -> list[Row]:
    pair = alternate(
        lambda: server_time(bench, bench.full, DASHBOARD), lambda: _visit_empty(bench), runs=bench.sizes.runs
    )
    figure = f"dashboard at {bench.sizes.events:,} events"
    queries = int(bench.full.do("pages.queries", name=DASHBOARD))
    return [
        at_most(
            10,
            figure,
            milliseconds(pair.ours),
            milliseconds(pair.reference),
            pair.ratio,
            4,
            "reference: an empty signed-in page",
        ),
        Row(10, "its queries", str(queries), goal=f"≤ {MAX_QUERIES}", met=queries <= MAX_QUERIES),
    ]


def figure_11(bench: Bench) -> list[Row]:
    found = bench.full.do("pages.deep_cursor")
    # Until the log has a page of its own, it is a part of the dashboard that further pages are fetched into.
    name, as_part = (CALLS, False) if bench.full.do("pages.is_there", name=CALLS) else (DASHBOARD, True)
    pair = alternate(
        lambda: server_time(bench, bench.full, name, query=f"cursor={found['deep']}", as_part=as_part),
        lambda: server_time(
            bench, bench.full, name, query=f"cursor={found['first']}" if as_part else "", as_part=as_part
        ),
        runs=bench.sizes.runs,
    )
    figure = f"usage log at depth {found['depth']:,}"
    note = "as a part of the dashboard; reference: the first rows" if as_part else "reference: the first page"
    return [at_most(11, figure, milliseconds(pair.ours), milliseconds(pair.reference), pair.ratio, 1.3, note)]


def figure_13(bench: Bench) -> list[Row]:
    figure = f"catalog search, {CATALOG} models"
    if not bench.small.do("pages.is_there", name=CATALOG_PAGE):
        return [not_measured(13, figure, "≤ 3×", f"not there yet: no page {CATALOG_PAGE}")]
    bench.small.do("pages.fill_catalog")
    pair = alternate(
        lambda: server_time(bench, bench.small, CATALOG_PAGE, query="q=model+42"),
        lambda: _visit_empty(bench, bench.small),
        runs=bench.sizes.runs,
    )
    ours, reference = milliseconds(pair.ours), milliseconds(pair.reference)
    return [at_most(13, figure, ours, reference, pair.ratio, 3, "reference: an empty signed-in page")]


def figure_16(bench: Bench) -> list[Row]:
    weighed = bench.full.do("pages.weigh_all")
    heaviest = max(weighed, key=lambda page: page["kilobytes"])
    foreign = sorted({address for page in weighed for address in page["foreign"]})
    kilobytes = heaviest["kilobytes"]
    note = f"heaviest of {len(weighed)} pages: {heaviest['name']}; its HTML is {heaviest['html']:.0f} KB of it"
    return [
        Row(
            16,
            "page weight, compressed, without images",
            f"{kilobytes:.1f} KB",
            goal=f"≤ {MAX_KILOBYTES} KB",
            met=kilobytes <= MAX_KILOBYTES,
            note=note,
        ),
        Row(
            16,
            "addresses of others that pages load",
            str(len(foreign)),
            goal="0",
            met=not foreign,
            note=", ".join(foreign),
        ),
        not_measured(16, "layout shift", "none", "held by `make test`, on every page in Chromium: tests/look"),
    ]


def server_time(bench: Bench, worker: Worker, name: str, *, query: str = "", as_part: bool = False) -> float:
    """Seconds until the busiest organisation's page is rendered."""
    visits = {"name": name, "query": query, "as_part": as_part, "times": bench.sizes.visits}
    return float(worker.do("pages.visit", **visits))


def _visit_empty(bench: Bench, worker: Worker | None = None) -> float:
    name, slug, email = EMPTY
    visits = {"name": name, "slug": slug, "email": email, "times": bench.sizes.visits}
    return float((worker or bench.full).do("pages.visit", **visits))


# --- In the worker ------------------------------------------------------------------


def is_there(name: str) -> bool:
    """Whether the product has this page."""
    try:
        reverse(name, args=[BUSIEST])
    except NoReverseMatch:
        return False
    return True


def visit(
    name: str, times: int, query: str = "", as_part: bool = False, slug: str = BUSIEST, email: str = BUSIEST_PERSON
) -> float:
    """Seconds until the page is rendered."""
    client, taken = _client(email), []
    for _ in range(times):
        begun = time.perf_counter()
        _open(client, name, slug, query=query, as_part=as_part)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def queries(name: str) -> int:
    """How many queries a page makes, sign-in and frame included."""
    client = _client(BUSIEST_PERSON)
    _open(client, name, BUSIEST)
    with CaptureQueriesContext(connection) as captured:
        _open(client, name, BUSIEST)
    return len(captured)


def deep_cursor() -> dict[str, Any]:
    """The log's cursors after the first row and half way down the busiest organisation's calls (at most 1 M)."""
    calls = AIUsage.objects.filter(organization__slug=BUSIEST).order_by("-created_at", "-id")
    depth = min(calls.count() // 2, 1_000_000)
    return {"depth": depth, "first": _cursor(calls[0]), "deep": _cursor(calls[depth])}


def _cursor(row: AIUsage) -> str:
    """As the log's own links write it."""
    return f"{row.created_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{row.id}"


def fill_catalog() -> None:
    """Made-up models until there are enough."""
    missing = CATALOG - CatalogModel.objects.count()
    CatalogModel.objects.bulk_create(
        CatalogModel(
            route="openrouter",
            model_id=f"bench/model-{number}",
            vendor="bench",
            name=f"Model {number}",
            description="A model that is there to be found.",
            context_window=128_000,
            source="bench",
            checked_on="2026-01-01",
        )
        for number in range(max(missing, 0))
    )


def weigh_all() -> list[dict[str, Any]]:
    """Every page of an organisation that needs nothing more than its address, and what it loads."""
    client = _client(BUSIEST_PERSON)
    weighed = []
    for name in _organization_pages():
        answer = client.get(reverse(name, args=[BUSIEST]))
        is_page = answer.get("Content-Type", "").startswith("text/html") and not answer.streaming
        if answer.status_code == 200 and is_page and b"<html" in answer.content:
            weighed.append(_weigh(name, answer.content))
    return weighed


def _organization_pages() -> list[str]:
    """Names of the routes whose only argument is the organisation."""
    return [
        f"{namespace}:{name}"
        for namespace, (_, resolver) in sorted(get_resolver().namespace_dict.items())
        if namespace in {"tenants", "byok", "leads", "usage"}
        for name in sorted(key for key in resolver.reverse_dict if isinstance(key, str))
        if _takes_organization_only(f"{namespace}:{name}")
    ]


def _takes_organization_only(name: str) -> bool:
    try:
        reverse(name, kwargs={"org": BUSIEST})
    except NoReverseMatch:
        return False
    return True


_LOADED = re.compile(rb"""<(?:script|link|img|source|iframe)\b[^>]*?\b(?:src|href)=["']([^"']+)["'][^>]*>""")


def _weigh(name: str, html: bytes) -> dict[str, Any]:
    loaded = {match.group(1).decode(): match.group(0) for match in _LOADED.finditer(html)}
    foreign = [address for address in loaded if address.startswith(("http:", "https:", "//"))]
    files = [address for address in loaded if address.startswith("/static/") and address.endswith((".css", ".js"))]
    html_size = len(gzip.compress(html, 6))
    return {
        "name": name,
        "html": html_size / 1024,
        "kilobytes": (html_size + sum(_static_size(address) for address in files)) / 1024,
        "foreign": foreign,
    }


@cache
def _static_size(address: str) -> int:
    path = finders.find(address.removeprefix("/static/"))
    assert isinstance(path, str), address
    with open(path, "rb") as file:
        return len(gzip.compress(file.read(), 6))


@cache
def _client(email: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(email=email))
    return client


def _open(client: Client, name: str, slug: str, *, query: str = "", as_part: bool = False) -> None:
    headers = {"HX-Request": "true"} if as_part else {}
    address = reverse(name, args=[slug]) + (f"?{query}" if query else "")
    answer = client.get(address, headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}")


def session_of(email: str) -> str:
    """A session's cookie, for requests over a socket."""
    return _client(email).cookies["sessionid"].value


def calls_of_busiest() -> int:
    """How many calls the busiest organisation's log holds."""
    return AIUsage.objects.filter(organization=Organization.objects.get(slug=BUSIEST)).count()
