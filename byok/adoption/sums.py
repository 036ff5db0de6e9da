"""What follows from the period's rollup: shares, costs per request, trends. Pure: no database.

Shares are between 0 and 1; None where there is nothing to share. Costs are US dollars.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from usage.models import KeyOwner

# The families of models by what their names hold; the first that fits.
_FAMILIES = (
    ("Embeddings", ("embed",)),
    ("Claude", ("claude",)),
    ("GPT", ("gpt", "openai/o", "chatgpt")),
    ("Gemini", ("gemini", "gemma")),
    ("Llama", ("llama",)),
    ("Mistral", ("mistral", "mixtral", "codestral", "ministral")),
    ("Qwen", ("qwen", "qwq")),
    ("DeepSeek", ("deepseek",)),
    ("Grok", ("grok",)),
    # OpenAI's reasoning models, asked directly.
    ("GPT", ("o1", "o3", "o4")),
)


@dataclass(frozen=True, slots=True)
class RollupGroup:
    """Sums of one month, provider, model and key owner. `cost` is what is known of it."""

    month: date
    provider: str
    model: str
    key_owner: str
    calls: int
    succeeded: int
    unpriced: int
    cost: Decimal
    input: int
    output: int
    tokens: int

    @property
    def is_own(self) -> bool:
        return self.key_owner == KeyOwner.CUSTOMER


@dataclass(frozen=True, slots=True)
class OwnAndPlatform:
    """Calls on customers' own keys and on the platform's."""

    own: int
    platform: int

    @property
    def own_share(self) -> float | None:
        return share(self.own, self.own + self.platform)


@dataclass(frozen=True, slots=True)
class Cost:
    """Known cost of `priced` of `calls` calls."""

    calls: int
    priced: int
    known: Decimal

    @property
    def per_request(self) -> Decimal | None:
        """None where no call has a known cost."""
        return self.known / self.priced if self.priced else None

    @property
    def coverage(self) -> float | None:
        """The share of calls whose cost is known."""
        return share(self.priced, self.calls)

    @property
    def sum(self) -> Decimal | None:
        """The known cost; None when there were calls and none has a price."""
        return None if self.calls and not self.priced else self.known


@dataclass(frozen=True, slots=True)
class Failures:
    calls: int
    failed: int

    @property
    def rate(self) -> float | None:
        return share(self.failed, self.calls)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Disjoint: input (cached included) and output (reasoning included)."""

    input: int
    output: int
    total: int


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`, between 0 and 1; None of nothing."""
    return part / whole if whole else None


def family_of(model: str) -> str:
    """The family of models that a name belongs to, such as Claude or GPT; "Other" where none fits."""
    name = model.lower()
    for family, marks in _FAMILIES:
        if any(mark in name if len(mark) > 2 else name.startswith(mark) for mark in marks):
            return family
    return "Other"


def own_and_platform(groups: Iterable[RollupGroup]) -> OwnAndPlatform:
    calls: Counter[bool] = Counter()
    for group in groups:
        calls[group.is_own] += group.calls
    return OwnAndPlatform(calls[True], calls[False])


def own_and_platform_by_month(groups: Iterable[RollupGroup]) -> dict[date, OwnAndPlatform]:
    return {month: own_and_platform(part) for month, part in _by_month(groups).items()}


def families(groups: Iterable[RollupGroup]) -> list[tuple[str, int, float | None]]:
    """Family, calls and share of all calls; most calls first, "Other" last."""
    calls: Counter[str] = Counter()
    for group in groups:
        calls[family_of(group.model)] += group.calls
    whole = sum(calls.values())
    ordered = sorted(calls.items(), key=lambda entry: (entry[0] == "Other", -entry[1], entry[0]))
    return [(family, count, share(count, whole)) for family, count in ordered]


def cost_of(groups: Iterable[RollupGroup]) -> Cost:
    calls = priced = 0
    known = Decimal(0)
    for group in groups:
        calls += group.calls
        priced += group.calls - group.unpriced
        known += group.cost
    return Cost(calls, priced, known)


def cost_by_provider(groups: Iterable[RollupGroup]) -> dict[str, Cost]:
    return {provider: cost_of(part) for provider, part in _by_provider(groups).items()}


def cost_by_month_and_owner(groups: Iterable[RollupGroup]) -> dict[date, tuple[Cost, Cost]]:
    """Month -> the platform's cost, the customers' own cost."""
    return {
        month: (cost_of(g for g in part if not g.is_own), cost_of(g for g in part if g.is_own))
        for month, part in _by_month(groups).items()
    }


def moved_off_the_platform(groups: Sequence[RollupGroup]) -> float | None:
    """The share of all known cost that customers' own keys carried."""
    own, whole = cost_of(g for g in groups if g.is_own), cost_of(groups)
    return share(float(own.known), float(whole.known))


def tokens_by_month(groups: Iterable[RollupGroup]) -> dict[date, Tokens]:
    return {
        month: Tokens(sum(g.input for g in part), sum(g.output for g in part), sum(g.tokens for g in part))
        for month, part in _by_month(groups).items()
    }


def own_key_failures(groups: Iterable[RollupGroup]) -> dict[str, Failures]:
    """Provider -> how many calls on own keys failed."""
    own = _by_provider(group for group in groups if group.is_own)
    return {
        provider: Failures(sum(g.calls for g in part), sum(g.calls - g.succeeded for g in part))
        for provider, part in own.items()
    }


def _by_month(groups: Iterable[RollupGroup]) -> dict[date, list[RollupGroup]]:
    found: dict[date, list[RollupGroup]] = defaultdict(list)
    for group in groups:
        found[group.month].append(group)
    return dict(sorted(found.items()))


def _by_provider(groups: Iterable[RollupGroup]) -> dict[str, list[RollupGroup]]:
    found: dict[str, list[RollupGroup]] = defaultdict(list)
    for group in groups:
        found[group.provider].append(group)
    return dict(sorted(found.items()))
