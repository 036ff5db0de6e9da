"""Figure 14: 200 requests reach for 50 free ones at the same moment, against as many plain UPDATEs of one row."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings

from leadagent.tenants.models import Organization
from tests.bench.measuring import alternate
from tests.bench.place import Bench
from tests.bench.report import Row, at_most, milliseconds
from usage.models import FreeTierMonth
from usage.recording import durable
from usage.spending.quota import reserve_free_request
from usage.utc_days import first_of_month

CONCURRENT = 200


def figure_14(bench: Bench) -> list[Row]:
    worker = bench.small
    granted: list[int] = []

    def ours() -> float:
        told = worker.do("quota.reserve_at_once", turn=len(granted))
        granted.append(int(told["granted"]))
        return float(told["seconds"])

    pair = alternate(ours, lambda: float(worker.do("quota.update_at_once")), runs=bench.sizes.runs)
    limit = int(worker.do("quota.limit"))
    wrong = [count for count in granted if count != limit]
    return [
        at_most(
            14,
            f"free-tier reservation, {CONCURRENT} at once, each",
            milliseconds(pair.ours / CONCURRENT),
            milliseconds(pair.reference / CONCURRENT),
            pair.ratio,
            2,
            "reference: one UPDATE by primary key",
        ),
        Row(14, "granted of them", str(wrong or limit), goal=f"exactly {limit}", met=not wrong),
    ]


# --- In the worker ------------------------------------------------------------------


def limit() -> int:
    """How many requests are free."""
    return int(settings.FREE_TIER_REQUESTS)


def reserve_at_once(turn: int) -> dict[str, float]:
    """Seconds until the last of the threads has its answer, and how many were granted; each turn another tenant."""
    organization = Organization.objects.order_by("pk")[turn]
    FreeTierMonth.objects.filter(organization=organization).delete()
    granted: list[bool] = []
    seconds = _at_once(lambda: granted.append(reserve_free_request(organization.pk) is not None))
    return {"seconds": seconds, "granted": sum(granted)}


def update_at_once() -> float:
    """The same number of plain updates of one row, over the same connections."""
    organization = Organization.objects.order_by("-pk")[0]
    row, _ = FreeTierMonth.objects.get_or_create(organization=organization, month=first_of_month())

    def update() -> None:
        with durable.connection() as connection:
            connection.execute("UPDATE usage_freetiermonth SET used = used + 1 WHERE id = %s", [row.pk])

    return _at_once(update)


def _at_once(act: Callable[[], object]) -> float:
    barrier = threading.Barrier(CONCURRENT + 1)
    failed: list[BaseException] = []

    def run() -> None:
        barrier.wait()
        try:
            act()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(CONCURRENT)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - begun
