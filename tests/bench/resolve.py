"""Figure 5: what it costs to ask the resolver, with its answer in process memory and without, for many tenants in turn."""

from __future__ import annotations

import gc
import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from statistics import median
from typing import Any
from unittest.mock import patch

from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.bench.measuring import alternate
from tests.bench.place import Bench
from tests.bench.report import Row, at_most, milliseconds, not_measured
from usage.recording import durable

MAX_BYTES_PER_TENANT = 5 * 1024


def figure_5(bench: Bench) -> list[Row]:
    worker, runs = bench.small, bench.sizes.runs
    count = bench.sizes.organizations
    rows = []
    for state, limit in (("warm", 0.2), ("cold", 5.0)):
        figure = f"resolve, {state}, {count:,} tenants in turn"
        if state == "warm" and not worker.do("resolve.keeps_configurations"):
            rows.append(not_measured(5, figure, f"≤ {limit:g}×", "not there yet: the resolver keeps nothing in memory"))
            continue
        pair = alternate(
            lambda state=state: float(worker.do("resolve.resolve", state=state)),  # type: ignore[misc]
            lambda: float(worker.do("resolve.select_by_primary_key")),
            runs=runs,
        )
        ours, reference = milliseconds(pair.ours), milliseconds(pair.reference)
        rows.append(at_most(5, figure, ours, reference, pair.ratio, limit, "reference: one SELECT by primary key"))
    contexts = int(worker.do("resolve.tls_contexts"))
    rows.append(Row(5, "TLS contexts made after warm-up", str(contexts), goal="0", met=contexts == 0))
    size = float(worker.do("resolve.bytes_per_tenant"))
    met = size <= MAX_BYTES_PER_TENANT
    rows.append(Row(5, "memory per tenant", f"{size / 1024:.1f} KB", goal="≤ 5 KB", met=met))
    return rows


# --- In the worker ------------------------------------------------------------------


def keeps_configurations() -> bool:
    """Whether the resolver has a memory that can be emptied."""
    return _forget() is not None


def resolve(state: str) -> float:
    """Seconds per answer, each organisation once."""
    organizations = _organizations()
    forget = _forget() or (lambda: None)
    if state == "warm":
        for organization in organizations:
            _ask(organization)
    taken = []
    for organization in organizations:
        if state == "cold":
            forget()
        begun = time.perf_counter()
        _ask(organization)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def select_by_primary_key() -> float:
    """Seconds per SELECT of one row over the call path's connections: what a query per call would cost."""
    taken = []
    for organization in _organizations():
        begun = time.perf_counter()
        with durable.connection() as connection:
            connection.execute(
                "SELECT name, slug FROM tenants_organization WHERE id = %s", [organization.pk]
            ).fetchone()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def tls_contexts() -> int:
    """How many TLS contexts all tenants' clients make once one of them has been used."""
    for organization in _organizations()[:1]:
        _ask(organization).client()
    with _counted_tls_contexts() as made:
        for organization in _organizations():
            _ask(organization).client()
    return len(made)


def bytes_per_tenant() -> float:
    """What process memory holds for one tenant more, once it has been asked for and its client was used."""
    organizations = _organizations()
    forget = _forget() or (lambda: None)
    _ask(organizations[0]).client()
    forget()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for organization in organizations:
            _ask(organization).client()
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / len(organizations)
    finally:
        tracemalloc.stop()


def _organizations() -> list[Organization]:
    return list(Organization.objects.order_by("pk")[:1000])


def _ask(organization: Organization) -> TenantModel:
    return get_model_for_tenant(organization, "chat", operation="qualification")


def _forget() -> Callable[[], None] | None:
    try:
        return import_module("byok.config.heard").forget_all  # type: ignore[no-any-return]
    except ImportError:
        return None


@contextmanager
def _counted_tls_contexts() -> Iterator[list[int]]:
    """Counts the TLS contexts that are made inside: the list has one item for each."""
    made: list[int] = []

    def counting(cls: type[ssl.SSLContext], *args: Any, **values: Any) -> ssl.SSLContext:
        made.append(1)
        return original(cls, *args, **values)

    original = ssl.SSLContext.__new__
    with patch.object(ssl.SSLContext, "__new__", counting):
        yield made
