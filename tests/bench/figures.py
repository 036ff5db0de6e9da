"""Every figure by its number in docs/performance.md."""

from collections.abc import Callable

from tests.bench import calls, export, growth, ingest, pages, quota, resolve, rotation, start
from tests.bench.place import Bench
from tests.bench.report import Row

FIGURES: dict[int, Callable[[Bench], list[Row]]] = {
    1: calls.figure_1,
    2: calls.figure_2,
    3: calls.figure_3,
    4: calls.figure_4,
    5: resolve.figure_5,
    6: calls.figure_6,
    7: ingest.figure_7,
    8: ingest.figure_8,
    9: pages.figure_9,
    10: pages.figure_10,
    11: pages.figure_11,
    12: export.figure_12,
    13: pages.figure_13,
    14: quota.figure_14,
    15: rotation.figure_15,
    16: pages.figure_16,
    17: start.figure_17,
    18: growth.figure_18,
}
