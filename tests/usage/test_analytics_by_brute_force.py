"""Whatever happened: the figures of the rollup are what adding up the single events gives."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import finished, record
from usage.analytics import UsageTotals, durations, get_ai_usage_stats, get_latency_by_model
from usage.ledger import ingest
from usage.models import AIUsage, UsageDaily
from usage.recording.events import CallFinished

pytestmark = pytest.mark.django_db

START, END = date(2026, 11, 1), date(2026, 12, 1)
BEFORE = (date(2026, 10, 25), date(2026, 11, 1))
RECENT = (date(2026, 10, 20), date(2026, 11, 5))
FIRST = datetime(2026, 10, 15, tzinfo=UTC)

COSTS = st.none() | st.decimals(min_value=0, max_value=5, places=12)
TOKENS = st.integers(min_value=0, max_value=10**9)
EVENTS = st.fixed_dictionaries(
    {
        "at": st.integers(min_value=0, max_value=60 * 24 * 3600 * 1000).map(lambda ms: FIRST + timedelta(milliseconds=ms)),
        "operation": st.sampled_from(["research", "qualification", "embedding"]),
        "provider": st.sampled_from(["openai", "openrouter"]),
        "model": st.sampled_from(["gpt-5", "gpt-5-mini", "m"]),
        "key_owner": st.sampled_from(["customer", "platform"]),
        "error_code": st.sampled_from(["", "", "rate_limited", "invalid_key"]),
        "actual_cost": COSTS,
        "estimated_cost": COSTS,
        "duration_ms": st.none() | st.integers(min_value=0, max_value=10**6),
        "input_tokens": TOKENS,
        "cached_input_tokens": TOKENS,
        "cache_write_tokens": TOKENS,
        "output_tokens": TOKENS,
        "foreign": st.booleans(),
    }
)  # fmt: skip


def event(mine: Organization, other: Organization, values: dict[str, Any]) -> CallFinished:
    fields = {name: value for name, value in values.items() if name != "foreign"}
    return finished(
        other if values["foreign"] else mine, success=not fields["error_code"],
        reasoning_tokens=fields["output_tokens"] // 2, **fields,
    )  # fmt: skip


def summed(events: Sequence[CallFinished]) -> dict[str, Any]:
    """The measures, one event after the other."""
    actual = [event.actual_cost for event in events if event.actual_cost is not None]
    estimated = [
        event.estimated_cost for event in events if event.actual_cost is None and event.estimated_cost is not None
    ]
    return {
        "requests": len(events),
        "successes": sum(event.success for event in events),
        "input_tokens": sum(event.input_tokens for event in events),
        "cached_input_tokens": sum(event.cached_input_tokens for event in events),
        "cache_write_tokens": sum(event.cache_write_tokens for event in events),
        "output_tokens": sum(event.output_tokens for event in events),
        "reasoning_tokens": sum(event.reasoning_tokens for event in events),
        "total_tokens": sum(
            event.input_tokens + event.cached_input_tokens + event.cache_write_tokens + event.output_tokens
            for event in events
        ),
        "actual_cost": sum(actual, Decimal(0)),
        "estimated_cost": sum(estimated, Decimal(0)),
        "unpriced_requests": len(events) - len(actual) - len(estimated),
        "duration_ms": sum(event.duration_ms or 0 for event in events),
    }


def day_of(event: CallFinished) -> date:
    # The event's id carries the time.
    return datetime.fromtimestamp((event.id.int >> 80) / 1000, tz=UTC).date()


def within(events: Sequence[CallFinished], start: date, end: date) -> list[CallFinished]:
    return [event for event in events if start <= day_of(event) < end]


def grouped(events: Sequence[CallFinished], **dimensions: Callable[[CallFinished], Any]) -> set[UsageTotals]:
    groups = defaultdict(list)
    for one in events:
        groups[tuple(read(one) for read in dimensions.values())].append(one)
    return {UsageTotals(**dict(zip(dimensions, key, strict=True)), **summed(found)) for key, found in groups.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(EVENTS, max_size=40))
def test_every_figure_equals_the_sum_over_the_events(organization: Organization, drawn: list[dict[str, Any]]) -> None:
    AIUsage.objects.all().delete()
    UsageDaily.objects.all().delete()
    other = Organization.objects.filter(slug="other").first() or OrganizationFactory(slug="other")
    everything = [event(organization, other, values) for values in drawn]
    record(*everything)
    ingest.drain(limit=7)
    while ingest.drain().taken:
        pass
    mine = [one for one in everything if one.organization_id == organization.pk]
    now = within(mine, START, END)

    stats = get_ai_usage_stats(organization, START, END, before=BEFORE, recent=RECENT)

    assert stats.totals == UsageTotals(**summed(now))
    assert stats.before == UsageTotals(**summed(within(mine, *BEFORE)))
    by_day = grouped(now, day=day_of)
    assert stats.by_day == sorted(by_day, key=lambda group: group.day or START)
    assert set(stats.recent_days) == grouped(within(mine, *RECENT), day=day_of)
    assert set(stats.by_operation) == grouped(now, operation=lambda one: one.operation)
    assert set(stats.by_model) == grouped(now, provider=lambda one: one.provider, model=lambda one: one.model)
    assert set(stats.by_provider) == grouped(now, provider=lambda one: one.provider)
    assert set(stats.by_key_owner) == grouped(now, key_owner=lambda one: one.key_owner)
    failed = [one for one in now if not one.success]
    assert set(stats.by_error) == grouped(failed, error_code=lambda one: one.error_code)
    assert set(stats.by_work) == grouped(
        now, operation=lambda one: one.operation, provider=lambda one: one.provider, model=lambda one: one.model,
        key_owner=lambda one: one.key_owner,
    )  # fmt: skip
    for line in get_latency_by_model(organization, START, END):
        answered = [one for one in now if one.success and (one.provider, one.model) == (line.provider, line.model)]
        counts = [0] * durations.BUCKETS
        for one in answered:
            if one.duration_ms is not None:
                counts[durations.bucket_of(one.duration_ms)] += 1
        assert line.answered == sum(counts)
        assert (line.p50_ms, line.p95_ms) == (durations.percentile(counts, 0.5), durations.percentile(counts, 0.95))


def test_all_of_it_is_one_query(organization: Organization) -> None:
    record(finished(organization, at=datetime(2026, 11, 3, tzinfo=UTC)))
    ingest.drain()
    with CaptureQueriesContext(connection) as asked:
        stats = get_ai_usage_stats(organization, START, END, before=BEFORE, recent=RECENT)
    assert len(asked) == 1
    assert stats.totals.requests == 1
