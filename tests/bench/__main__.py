"""`python -m tests.bench`: measure every figure, or one, and print the table. See docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from leadagent.embedded.errors import NEEDS_ATTENTION, CannotStart, ProcessFailed

if TYPE_CHECKING:
    from tests.bench.place import Bench


def main() -> int:
    """0 when every figure was produced, met or not; 1 when one could not be; 2 when the servers could not start."""
    wanted = _arguments()
    from tests.bench.place import Sizes, bench

    sizes = Sizes.quick() if wanted.quick else Sizes(events=wanted.events)
    try:
        with bench(sizes, litellm=wanted.litellm) as place:
            return _measure(place, wanted)
    except (CannotStart, ProcessFailed) as error:
        print(error, file=sys.stderr)
        return NEEDS_ATTENTION


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: only to see that all can be measured")
    parser.add_argument("--figure", type=int, action="append", metavar="N", help="this one only; may be repeated")
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="events in the full database")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON too")
    parser.add_argument(
        "--litellm",
        default=os.environ.get("BENCH_LITELLM_PYTHON", ""),
        metavar="PYTHON",
        help="the Python of an environment that has litellm (figure 3)",
    )
    return parser.parse_args()


def _measure(place: Bench, wanted: argparse.Namespace) -> int:
    # Figures import the product's modules, which need its settings.
    os.environ.update(place.environment)
    import django

    django.setup()
    from tests.bench.figures import FIGURES
    from tests.bench.place import say
    from tests.bench.report import Row, table, write_json

    rows: list[Row] = []
    failed = 0
    began = time.monotonic()
    for number, measure in FIGURES.items():
        if wanted.figure and number not in wanted.figure:
            continue
        begun, so_far = time.monotonic(), len(rows)
        say(f"Figure {number}")
        try:
            rows += measure(place)
        except Exception as error:
            # The others are still worth having.
            traceback.print_exc()
            rows.append(Row(number, measure.__name__, note=f"failed: {error}"))
            failed += 1
        for row in rows[so_far:]:
            # Whoever stops the run half way has these.
            say("  " + " | ".join(row.cells()[1:]))
        say(f"  {time.monotonic() - begun:.0f} s")
    place.facts |= {
        "quick": wanted.quick,
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "organisations": place.sizes.organizations,
        "runs": place.sizes.runs,
        "measured in s": round(time.monotonic() - began),
    }
    print("\n".join(f"{name}: {value}" for name, value in place.facts.items()), end="\n\n")
    print(table(rows), flush=True)
    if wanted.json:
        write_json(wanted.json, rows, place.facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
