"""What was tried in one area and what came of it, as one line of the table at the end."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Of each kind of failure so many are told in full.
_TOLD = 3


@dataclass
class Tally:
    """`crashed`: answers of 500 and above; `unhandled`: errors that reached nobody who could tell them;
    `lost`: inputs that were refused without being given back, or without a word at their field;
    `broken`: answers that are not what the documentation says, or that show another tenant's rows.
    """

    area: str
    tried: int = 0
    crashed: int = 0
    unhandled: int = 0
    lost: int = 0
    broken: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    _told: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, kind: str, what: str, *, example: str = "") -> None:
        """Count a failure of `kind` ("crashed", "unhandled", "lost", "broken"); `what` names it, the same for alike ones."""
        setattr(self, kind, getattr(self, kind) + 1)
        examples = self._told.setdefault(f"{kind}: {what}", [])
        if len(examples) < _TOLD:
            examples.append(example)

    @property
    def failures(self) -> int:
        return self.crashed + self.unhandled + self.lost + self.broken

    def told(self) -> str:
        """Every kind of failure with a few examples, for the assertion's message."""
        return "\n".join(
            [f"{self.area}: {self.failures} of {self.tried} failed"]
            + [line for what, examples in self._told.items() for line in (what, *(f"    {one}" for one in examples))]
        )

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("area", "tried", "crashed", "unhandled", "lost", "broken")} | {
            "outcomes": ", ".join(f"{number:,} {name}" for name, number in self.outcomes.most_common(6))
        }


def printed(tallies: list[dict[str, Any]]) -> list[str]:
    """The table, one line per area, and its sum."""
    names = ("tried", "crashed", "unhandled", "lost", "broken")
    heads = ("area", "tried", "5xx", "unhandled", "lost", "broken", "what came of it")
    total = {"area": "all", "outcomes": "", **{name: sum(tally[name] for tally in tallies) for name in names}}
    lines = [
        heads,
        *((t["area"], *(f"{t[name]:,}" for name in names), str(t["outcomes"])) for t in [*tallies, total]),
    ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
