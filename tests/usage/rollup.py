"""The rollup held against the calls that it sums up."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from leadagent.tenants.models import Organization
from tests.usage.factories import AT, finished

# Written apart from the code under test, on purpose.
SUMS = """
SELECT organization_id, (created_at AT TIME ZONE 'UTC')::date, operation, provider, model, key_owner,
 count(*), sum(CASE WHEN success THEN 1 ELSE 0 END), sum(input_tokens), sum(cached_input_tokens),
 sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(total_tokens),
 sum(CASE WHEN actual_cost IS NULL THEN 0 ELSE actual_cost END),
 sum(CASE WHEN actual_cost IS NULL AND estimated_cost IS NOT NULL THEN estimated_cost ELSE 0 END),
 sum(CASE WHEN actual_cost IS NULL AND estimated_cost IS NULL THEN 1 ELSE 0 END), sum(coalesce(duration_ms, 0))
FROM usage_aiusage GROUP BY 1, 2, 3, 4, 5, 6
"""
ROLLUP = """
SELECT organization_id, day, operation, provider, model, key_owner, requests, successes, input_tokens,
 cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, total_tokens, actual_cost, estimated_cost,
 unpriced_requests, duration_ms FROM usage_usagedaily WHERE requests <> 0
"""


def rows_of(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(cursor.fetchall())


def assert_rollup_equals_events() -> None:
    assert rows_of(ROLLUP) == rows_of(SUMS)


def random_events(organizations: list[Organization], count: int, *, seed: int) -> list[Any]:
    pick = random.Random(seed)
    return [
        finished(
            pick.choice(organizations),
            at=AT + timedelta(minutes=pick.randrange(60 * 24 * 40)),
            operation=pick.choice(["qualification", "research", "embedding"]),
            model=pick.choice(["gpt-4o-mini", "gpt-5"]),
            key_owner=pick.choice(["customer", "platform"]),
            success=pick.random() > 0.2,
            input_tokens=pick.randrange(5000),
            cached_input_tokens=pick.randrange(500),
            cache_write_tokens=pick.randrange(500),
            output_tokens=pick.randrange(900),
            reasoning_tokens=pick.randrange(90),
            duration_ms=pick.randrange(9000),
            actual_cost=pick.choice([None, Decimal(pick.randrange(10**9)) / 10**12]),
            estimated_cost=pick.choice([None, Decimal(pick.randrange(10**9)) / 10**12]),
        )
        for _ in range(count)
    ]
