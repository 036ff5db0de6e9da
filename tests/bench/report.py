"""The table at the end, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEADINGS = ("#", "figure", "ours", "reference", "ratio", "goal", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `met` is None where there is no goal, or where nothing could be measured; `note` then says why."""

    number: int
    figure: str
    ours: str = "–"
    reference: str = "–"
    ratio: float | None = None
    goal: str = "–"
    met: bool | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        ratio = "–" if self.ratio is None else f"{self.ratio:.3g}×"
        met = {True: "yes", False: "NO", None: "–"}[self.met]
        figure = f"{self.figure} ({self.note})" if self.note else self.figure
        return str(self.number), figure, self.ours, self.reference, ratio, self.goal, met


def not_measured(number: int, figure: str, goal: str, why: str) -> Row:
    """A figure that has nothing to measure here, and why."""
    return Row(number, figure, goal=goal, note=why)


def at_most(number: int, figure: str, ours: str, reference: str, ratio: float, limit: float, note: str = "") -> Row:
    """A figure whose ratio must not be above `limit`."""
    return Row(number, figure, ours, reference, ratio, f"≤ {limit:g}×", ratio <= limit, note)


def at_least(number: int, figure: str, ours: str, reference: str, ratio: float, limit: float, note: str = "") -> Row:
    """A figure whose ratio must not be below `limit`."""
    return Row(number, figure, ours, reference, ratio, f"≥ {limit:g}×", ratio >= limit, note)


def milliseconds(seconds: float) -> str:
    """`1.23 ms`; microseconds below a tenth of one."""
    if seconds < 0.0001:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def per_second(rate: float, what: str = "") -> str:
    """`12,345/s`."""
    return f"{rate:,.0f}{f' {what}' if what else ''}/s"


def table(rows: Sequence[Row]) -> str:
    """The rows below their headings, columns aligned: also readable as a Markdown table."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def write_json(path: Path, rows: Sequence[Row], facts: dict[str, object]) -> None:
    """The rows and what is known of the machine and the sizes."""
    path.write_text(json.dumps({"facts": facts, "rows": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False))
