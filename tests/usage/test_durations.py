"""Percentiles from fixed buckets, against the exact ones."""

from datetime import timedelta
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadagent.tenants.models import Organization
from tests.usage.factories import AT, finished, store
from usage.analytics import durations, get_latency_by_model
from usage.models import AIUsage, UsageDaily

MILLISECONDS = st.integers(min_value=durations.EDGES[0], max_value=durations.EDGES[-1] - 1)


def exact(values: list[int], share: float) -> int:
    """Nearest rank."""
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


def counts_of(values: list[int]) -> list[int]:
    counts = [0] * durations.BUCKETS
    for value in values:
        counts[durations.bucket_of(value)] += 1
    return counts


def test_the_documented_accuracy_is_the_real_one() -> None:
    assert f"within {durations.ACCURACY * 100:.1f} %" in str(durations.__doc__)


@given(st.lists(MILLISECONDS, min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_as_near_as_documented(values: list[int], share: float) -> None:
    found, truth = durations.percentile(counts_of(values), share), exact(values, share)
    assert found is not None
    # Half a millisecond, because both are whole ones.
    assert abs(found - truth) <= truth * durations.ACCURACY + 0.5


@pytest.mark.parametrize(("value", "said"), [(0, 10), (9, 10), (655_360, 655_360), (3_600_000, 655_360)])
def test_beyond_the_ends_only_the_end_is_known(value: int, said: int) -> None:
    assert durations.percentile(counts_of([value]), 0.5) == said


def test_no_calls_no_percentile() -> None:
    assert durations.percentile([0] * durations.BUCKETS, 0.5) is None


@pytest.mark.django_db
def test_the_drain_counts_what_answered_into_the_same_buckets(organization: Organization) -> None:
    """Every edge and its neighbours, in two drains: PostgreSQL's buckets are Python's, and they add up."""
    values = sorted({near for edge in durations.EDGES for near in (edge - 1, edge, edge + 1)} | {0, 1, 2_000_000})
    for half in (values[::2], values[1::2]):
        store(*(finished(organization, duration_ms=value) for value in half))
    store(
        finished(organization, duration_ms=777, success=False, error_code="rate_limited"),
        finished(organization, duration_ms=None),
    )
    answered = UsageDaily.objects.get(error_code="")
    assert durations.counts_in(answered.durations) == counts_of(values)
    assert answered.requests == len(values) + 1
    assert UsageDaily.objects.get(error_code="rate_limited").durations == 0


@pytest.mark.django_db
def test_a_truth_that_came_late_moves_the_buckets(organization: Organization) -> None:
    given_up = finished(organization, state="unreconciled", success=False, error_code="unreconciled", duration_ms=None)
    store(given_up)
    store(finished(organization, id=given_up.id, duration_ms=500))
    assert AIUsage.objects.get().duration_ms == 500
    assert UsageDaily.objects.get(error_code="unreconciled").requests == 0
    assert durations.counts_in(UsageDaily.objects.get(error_code="").durations) == counts_of([500])


@given(
    st.lists(st.integers(min_value=0, max_value=9_999_999_999), min_size=durations.BUCKETS, max_size=durations.BUCKETS)
)
def test_counts_keep_apart_in_one_number(counts: list[int]) -> None:
    number = sum(count * 10 ** (10 * place) for place, count in enumerate(counts))
    assert durations.counts_in(number) == counts
    assert durations.counts_in(Decimal(number)) == counts


@pytest.mark.django_db
def test_days_and_operations_add_up_exactly(organization: Organization) -> None:
    """Many different buckets at once: nothing is rounded on the way through the database."""
    values = [*durations.EDGES, *durations.EDGES[::3], 20, 20]
    store(
        *(
            finished(organization, duration_ms=value, at=AT - timedelta(days=n % 5), operation=f"operation {n % 3}")
            for n, value in enumerate(values)
        )
    )
    [line] = get_latency_by_model(organization, AT.date() - timedelta(days=5), AT.date() + timedelta(days=1))
    counts = counts_of(values)
    assert line.answered == len(values)
    assert (line.p50_ms, line.p95_ms) == (durations.percentile(counts, 0.5), durations.percentile(counts, 0.95))
