"""What single runs have used, by operation: for comparing two of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Q, Sum

from leadagent.tenants.models import Organization
from usage.models import AIUsage


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Calls of one run for one operation. Costs in US dollars; `unpriced` calls are in neither sum."""

    calls: int = 0
    tokens: int = 0
    actual: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)
    unpriced: int = 0

    def __add__(self, other: RunFigures) -> RunFigures:
        return RunFigures(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.actual + other.actual,
            self.estimated + other.estimated,
            self.unpriced + other.unpriced,
        )

    @property
    def cost(self) -> Decimal | None:
        """What is known of the cost; None where nothing is."""
        if self.calls and self.unpriced == self.calls:
            return None
        return self.actual + self.estimated


def figures_of_runs(
    organization: Organization, runs: Iterable[UUID], *, since: datetime
) -> dict[UUID, dict[str, RunFigures]]:
    """Run -> operation -> figures, of calls since `since`. One query; runs without calls are left out.

    Empty for calls of organisations that keep no detail: their rows do not name the run.
    """
    is_actual, unpriced = Q(actual_cost__isnull=False), Q(actual_cost__isnull=True, estimated_cost__isnull=True)
    rows = (
        AIUsage.objects.filter(organization=organization, run_id__in=list(runs), created_at__gte=since)
        .values("run_id", "operation")
        .annotate(
            calls=Count("pk"),
            tokens=Sum("total_tokens", default=0),
            actual=Sum("actual_cost", default=Decimal(0)),
            estimated=Sum("estimated_cost", filter=~is_actual, default=Decimal(0)),
            unpriced=Count("pk", filter=unpriced),
        )
        .order_by()
    )
    found: dict[UUID, dict[str, RunFigures]] = {}
    for row in rows:
        figures = RunFigures(row["calls"], row["tokens"], row["actual"], row["estimated"], row["unpriced"])
        if run_id := row["run_id"]:
            found.setdefault(run_id, {})[row["operation"]] = figures
    return found
