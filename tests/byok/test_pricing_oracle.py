"""A hundred thousand calls, priced by the product and by an oracle that knows only the providers' pages."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byok.pricing import BATCH, STANDARD, Pricing, get_pricing, list_pricing, read_tokens
from byok.providers import REGISTRY, UsageShape
from tests.byok.pricing_oracle import MODELS, Case, Model, reported_by_openrouter

CASES = 100_000
SEED = 20_261_126
# Where something could change: nothing, one token, and a token on either side of every published length.
LENGTHS = [0, 1, 2, 1023, 1024, 99_999, 100_000, 100_001, 199_999, 200_000, 200_001, 271_999, 272_000, 272_001]


@cache
def pricing_of(model: Model) -> Pricing:
    pricing = list_pricing(model.provider, model.name, at=model.at)
    assert pricing is not None, f"{model.name} is not listed"
    return pricing


def by_the_product(case: Case) -> Decimal | None:
    shape = UsageShape(REGISTRY[case.model.provider].price_source, case.model.flavor)
    read = read_tokens(shape, {"model": case.model.name, "usage": case.usage})
    assert read is not None
    return pricing_of(case.model).cost(read[1], BATCH if case.batch else STANDARD)


def difference(case: Case) -> Fraction | None:
    """In US dollars; None where both say that the cost is unknown. Only one knowing is a failure."""
    ours, published = by_the_product(case), case.model.cost(case.usage, batch=case.batch)
    if ours is None or published is None:
        assert (ours is None) is (published is None), f"{case}: {ours} here, {published} by the published rules"
        return None
    return abs(Fraction(ours) - published)


def make_case(model: Model, length: int, pick: Callable[[int, int], int]) -> Case:
    """A call whose whole input has this length, split at random; `pick(low, high)` chooses, bounds included."""
    rest, parts = length, []
    for _ in range(3):
        part = pick(0, rest) if pick(0, 2) else 0
        parts.append(part)
        rest -= part
    read, short, long = parts
    if model.provider != "anthropic":
        # Nobody else tells two caches apart.
        short, long = short + long, 0
    if model.name.startswith("text-embedding"):
        rest, read, short = length, 0, 0
    output = 0 if model.name.startswith("text-embedding") else pick(0, 128_000) if pick(0, 3) else pick(0, 1)
    usage = model.usage(
        fresh=rest, read=read, short_write=short, long_write=long, output=output, thought=pick(0, output)
    )
    return Case(model, bool(model.in_batch and not pick(0, 2)), usage)


def test_a_hundred_thousand_calls(record_property: Callable[[str, object], None]) -> None:
    random = Random(SEED)
    largest, seen = Fraction(0), Counter[object]()
    for _ in range(CASES):
        model = random.choice(MODELS)
        length = random.choice(LENGTHS) if random.random() < 0.5 else random.randint(0, 1_000_000)
        case = make_case(model, length, random.randint)
        found = difference(case)
        assert not found, f"{case}: off by {found} dollars"
        largest = max(largest, found or Fraction(0))
        seen.update([model, "batch" if case.batch else "single", "unknown" if found is None else "known"])
    record_property("cases", CASES)
    record_property("largest_difference", str(largest))
    assert largest == 0
    # The loop would prove little if it never got there.
    assert len(seen) == len(MODELS) + 4
    assert min(seen.values()) > 500


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name} {model.at:%Y-%m-%d}")
def test_on_either_side_of_every_length(model: Model) -> None:
    """All of the input in one bucket after the other, at N-1, N and N+1, with and without output and batch."""
    buckets = ("fresh", "read", "short_write", *(("long_write",) if model.provider == "anthropic" else ()))
    names = ("fresh", "read", "short_write", "long_write")
    for length in LENGTHS:
        for bucket in buckets:
            for output in (0, 1, 777):
                split = dict.fromkeys(names, 0) | {bucket: length}
                usage = model.usage(**split, output=output, thought=output // 2)
                for batch in {False, model.in_batch}:
                    assert not difference(Case(model, batch, usage))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(model=st.sampled_from(MODELS), length=st.integers(0, 2_000_000), data=st.data())
def test_any_call(model: Model, length: int, data: st.DataObject) -> None:
    """The same with shrinking: a difference is shown on the smallest call that has it."""
    case = make_case(model, length, lambda low, high: data.draw(st.integers(low, high)))
    assert not difference(case)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    cost=st.decimals(0, 1000, places=9),
    upstream=st.decimals(0, 1000, places=9),
    is_byok=st.booleans(),
)
def test_openrouters_own_figure(cost: Decimal, upstream: Decimal, is_byok: bool) -> None:
    usage = {"cost": str(cost), "is_byok": is_byok, "cost_details": {"upstream_inference_cost": str(upstream)}}
    ours = REGISTRY["openrouter"].reported_cost({"usage": usage})
    assert ours is not None
    assert Fraction(ours) == reported_by_openrouter(usage)


@pytest.mark.django_db
def test_without_a_dated_price_the_list_counts() -> None:
    for model in MODELS:
        assert get_pricing(model.provider, model.name, at=model.at) == pricing_of(model)


def test_the_oracle_sees_a_wrong_price() -> None:
    """It differs where a list is known to be wrong: without the corrections of it this test fails."""
    first = next(model for model in MODELS if model.name == "claude-sonnet-5-5" and not model.in_batch)
    later = next(model for model in MODELS if model.name == "claude-sonnet-5-5" and model.in_batch)
    usage = first.usage(fresh=0, read=1_000_000, short_write=0, long_write=0, output=0, thought=0)
    assert (first.cost(usage, batch=False), later.cost(usage, batch=False)) == (Fraction(1, 5), Fraction(1, 10))
    assert (by_the_product(Case(first, False, usage)), by_the_product(Case(later, False, usage))) == (
        Decimal("0.2"),
        Decimal("0.1"),
    )
