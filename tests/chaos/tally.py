"""After a fault: the provider's own count beside ours, as one row of the table that `make chaos` prints."""

from collections import Counter
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tests.chaos.lab import Tenant

# Rows and daily sums of one organisation, written apart from the product's own SQL.
_EVENTS = """
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE success), coalesce(sum(total_tokens), 0),
 coalesce(sum(actual_cost), 0), coalesce(sum(CASE WHEN actual_cost IS NULL THEN estimated_cost END), 0),
 count(*) FILTER (WHERE actual_cost IS NULL AND estimated_cost IS NULL)
FROM usage_aiusage WHERE organization_id = %s
"""
_ROLLUP = """
SELECT coalesce(sum(requests), 0), coalesce(sum(successes), 0), coalesce(sum(total_tokens), 0),
 coalesce(sum(actual_cost), 0), coalesce(sum(estimated_cost), 0), coalesce(sum(unpriced_requests), 0)
FROM usage_usagedaily WHERE organization_id = %s
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """`lost` and `doubled` compare with the provider's count; `sum_equal` compares events and daily sums."""

    fault: str
    calls_by_provider: int
    rows: int
    doubled: int
    lost: int
    sum_equal: bool

    @property
    def is_good(self) -> bool:
        return self.rows == self.calls_by_provider and not self.doubled and not self.lost and self.sum_equal

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def tally(fault: str, tenant: Tenant, *, calls: int | None = None) -> Tally:
    """Count once nothing waits any more. `calls`: where the provider counted for several organisations."""
    lab = tenant.lab
    tenant.settled()
    counted = len(tenant.recorded()) if calls is None else calls
    rows, ids, *events = lab.query(_EVENTS, tenant.number)[0]
    requests, *sums = lab.query(_ROLLUP, tenant.number)[0]
    surplus = max(rows - counted, 0)
    return Tally(
        fault=fault,
        calls_by_provider=counted,
        rows=rows,
        doubled=max(rows - ids, surplus),
        lost=max(counted - ids, 0),
        sum_equal=[rows, *events] == [requests, *sums],
    )


def assert_same_costs(tenant: Tenant) -> None:
    """Call by call: what OpenRouter counted under a name is what stands in the row with that name."""
    theirs = {entry["id"]: Decimal(entry["usage"]["cost"]) for entry in tenant.recorded() if entry["usage"]}
    ours = dict(tenant.rows("provider_request_id, actual_cost"))
    assert ours == theirs


def states(tenant: Tenant) -> dict[str, int]:
    return dict(Counter(state for (state,) in tenant.rows("state")))


def printed(tallies: list[dict[str, Any]]) -> list[str]:
    """The table, one line per fault."""
    heads = ("fault", "calls by the provider", "rows", "doubled", "lost", "sum equal")
    lines = [
        (
            str(t["fault"]),
            f"{t['calls_by_provider']:,}",
            f"{t['rows']:,}",
            str(t["doubled"]),
            str(t["lost"]),
            "yes" if t["sum_equal"] else "NO",
        )
        for t in tallies
    ]
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
    return [
        " | ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [heads, *lines]
    ]
