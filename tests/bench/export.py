"""Figure 12: the busiest organisation's calls as CSV, from gunicorn's threads over HTTP, against COPY to a file."""

from __future__ import annotations

import http.client
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from django.db import connection
from django.urls import reverse

from leadagent.embedded.ports import reserve_port
from leadagent.embedded.processes import Child
from leadagent.embedded.state import REPOSITORY
from leadagent.tenants.models import Organization
from tests.bench.measuring import alternate
from tests.bench.place import Bench
from tests.bench.report import Row, at_least, milliseconds, not_measured, per_second
from tests.bench.seeding import BUSIEST, BUSIEST_PERSON

ROUTE = "usage:export"
MAX_MEGABYTES, MAX_FIRST_BYTE = 80, 0.150


@dataclass(frozen=True, slots=True)
class Download:
    """One file: seconds until its first byte and until its end, bytes, and the server's memory meanwhile."""

    first_byte: float
    seconds: float
    rows: int
    peak_megabytes: float


def figure_12(bench: Bench) -> list[Row]:
    figure = "CSV through HTTP"
    if not bench.full.do("pages.is_there", name=ROUTE):
        return [not_measured(12, figure, "≥ 0.5×", f"not there yet: no page {ROUTE}")]
    address = bench.full.do("export.address")
    cookie = bench.full.do("pages.session_of", email=BUSIEST_PERSON)
    expected = int(bench.full.do("pages.calls_of_busiest"))
    downloads: list[Download] = []
    with _web(bench) as (port, pids):
        idle = _megabytes(pids)

        def ours() -> float:
            downloads.append(_download(port, address, cookie, pids))
            return downloads[-1].rows / downloads[-1].seconds

        def reference() -> float:
            return expected / float(bench.full.do("export.copy_to_file", path=str(bench.state.path / "reference.csv")))

        pair = alternate(ours, reference, runs=bench.sizes.export_runs)
    found = downloads[1:]
    short = next((expected - each.rows for each in found if each.rows != expected), 0)
    note = f"{expected:,} rows; reference: COPY … TO STDOUT into a file"
    rate = at_least(
        12, figure, per_second(pair.ours, "rows"), per_second(pair.reference, "rows"), pair.ratio, 0.5, note
    )
    above = max(each.peak_megabytes for each in found) - idle
    first = median(each.first_byte for each in found)
    return [
        rate,
        Row(12, "rows that are missing in the file", str(short), goal="0", met=short == 0),
        Row(12, "memory above idle", f"{above:.0f} MB", goal=f"≤ {MAX_MEGABYTES} MB", met=above <= MAX_MEGABYTES),
        Row(12, "first byte", milliseconds(first), goal="≤ 150 ms", met=first <= MAX_FIRST_BYTE),
    ]


@contextmanager
def _web(bench: Bench) -> Iterator[tuple[int, list[int]]]:
    """gunicorn with threads, as production runs it, with one worker process whose memory is looked at."""
    reserved = reserve_port(0)
    port = reserved.getsockname()[1]
    reserved.close()
    words = ["gunicorn", "leadagent.wsgi", "--worker-class", "gthread", "--workers", "1", "--threads", "8"]
    words += ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    child = bench.runner.start("web", [sys.executable, "-m", *words], env=bench.environment_for("full"), cwd=REPOSITORY)
    bench.runner.wait_until(lambda: _answers(port), seconds=60, what="gunicorn did not answer")
    yield port, _children(child)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _children(child: Child) -> list[int]:
    listed = Path(f"/proc/{child.pid}/task").glob("*/children")
    return [int(pid) for text in listed for pid in text.read_text().split()]


def _megabytes(pids: list[int]) -> float:
    """Resident memory of these processes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def _download(port: int, address: str, cookie: str, pids: list[int]) -> Download:
    peak, over = _megabytes(pids), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, _megabytes(pids))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    http_connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        begun = time.perf_counter()
        http_connection.request("GET", address, headers={"Cookie": f"sessionid={cookie}"})
        answer = http_connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{address} answered {answer.status}")
        lines = answer.read(1).count(b"\n")
        first = time.perf_counter() - begun
        while piece := answer.read(256 * 1024):
            lines += piece.count(b"\n")
        seconds = time.perf_counter() - begun
    finally:
        over.set()
        watcher.join()
        http_connection.close()
    # The first line is the header.
    return Download(first, seconds, lines - 1, peak)


# --- In the worker ------------------------------------------------------------------


def address() -> str:
    """Where everything that the busiest organisation's log shows is handed out as CSV."""
    return reverse(ROUTE, args=[BUSIEST]) + "?format=csv"


def copy_to_file(path: str) -> float:
    """Seconds of the same rows by `COPY … TO STDOUT` into a file, as they lie in the table."""
    organization = Organization.objects.get(slug=BUSIEST).pk
    statement = (
        "COPY (SELECT * FROM usage_aiusage WHERE organization_id = %s ORDER BY created_at DESC, id DESC) TO STDOUT CSV"
    )
    begun = time.perf_counter()
    with connection.cursor() as cursor, cursor.cursor.copy(statement, [organization]) as copy, open(path, "wb") as file:
        for piece in copy:
            file.write(piece)
    return time.perf_counter() - begun
