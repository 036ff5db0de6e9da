"""What is worth telling an organisation right now. Reads; whether it was told already is for `usage.alerting.alerts`.

Months are UTC. A sum is told at 50, 80 and 100 %, the highest that is reached only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Q, Sum

from leadagent.tenants.models import Organization
from usage.analytics import UsageTotals
from usage.analytics.forecast import days_needed, forecast_month
from usage.formats import cents, money, operation_label
from usage.models import AIUsage, AlertSettings, Budget, BudgetMonth, CostAlert, UsageDaily
from usage.utc_days import current_day, current_month, first_of_month

LEVELS = (100, 80, 50)
SPIKE_FAILURES = 20
SPIKE_SHARE = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell. `series` and `level`: of one series nothing lower is told after something higher."""

    organization: Organization
    kind: str
    series: str
    level: int
    title: str
    text: str
    threshold: Decimal | None = None
    cost: Decimal | None = None

    @property
    def key(self) -> str:
        return f"{self.series}:{self.level}"


@dataclass(frozen=True, slots=True)
class _Spent:
    total: Decimal
    by_operation: dict[str, Decimal]


def findings(organization_ids: Iterable[int] | None = None) -> Iterator[Finding]:
    """What is due for the organisations that want to be told anything; of these only the given ones."""
    wanted = Organization.objects.filter(Q(cost_alert__enabled=True) | Q(budgets__isnull=False)).distinct()
    if organization_ids is not None:
        wanted = wanted.filter(pk__in=list(organization_ids))
    yield from _of_sums({row.pk: row for row in wanted})
    yield from _error_spikes(organization_ids)


def _of_sums(organizations: dict[int, Organization]) -> Iterator[Finding]:
    if not organizations:
        return
    spent, days = _spent(organizations), _days(organizations)
    quiet = set(
        AlertSettings.objects.filter(organization__in=organizations, forecast=False).values_list(
            "organization_id", flat=True
        )
    )
    for alert in CostAlert.objects.filter(
        organization__in=organizations, enabled=True, monthly_threshold__isnull=False
    ):
        organization = organizations[alert.organization_id]
        of_month = spent.get(organization.pk)
        assert alert.monthly_threshold is not None
        if of_month is None:
            continue
        yield from _sum_reached(organization, alert.monthly_threshold, of_month.total)
        if organization.pk not in quiet:
            yield from _forecast(organization, alert.monthly_threshold, of_month, days[organization.pk])
    yield from _budgets(organizations, spent)


def _spent(organizations: Iterable[int]) -> dict[int, _Spent]:
    start, end = current_month()
    found: dict[int, _Spent] = {}
    rows = (
        UsageDaily.objects.filter(organization__in=list(organizations), day__gte=start, day__lt=end)
        .values("organization_id", "operation")
        .annotate(known=Sum(F("actual_cost") + F("estimated_cost")))
    )
    for row in rows:
        before = found.get(row["organization_id"], _Spent(Decimal(0), {}))
        found[row["organization_id"]] = _Spent(
            before.total + row["known"], {**before.by_operation, row["operation"]: row["known"]}
        )
    return found


def _days(organizations: Iterable[int]) -> dict[int, list[UsageTotals]]:
    """Of each organisation the days that a forecast wants."""
    start, end = days_needed(current_day())
    found: dict[int, list[UsageTotals]] = {organization_id: [] for organization_id in organizations}
    rows = (
        UsageDaily.objects.filter(organization__in=list(found), day__gte=start, day__lt=end)
        .values("organization_id", "day")
        .annotate(
            actual=Sum("actual_cost"), estimated=Sum("estimated_cost"), calls=Sum("requests"),
            unknown=Sum("unpriced_requests"),
        )
    )  # fmt: skip
    for row in rows:
        found[row["organization_id"]].append(
            UsageTotals(
                day=row["day"],
                actual_cost=row["actual"],
                estimated_cost=row["estimated"],
                requests=row["calls"],
                unpriced_requests=row["unknown"],
            )
        )
    return found


def _level(cost: Decimal, limit: Decimal, levels: tuple[int, ...] = LEVELS) -> int | None:
    return next((level for level in levels if cost * 100 >= limit * level), None)


def example(organization: Organization) -> Finding:
    """What the organisation would be told at 80 % of a sum: for the preview."""
    return next(_sum_reached(organization, Decimal(50), Decimal("41.20")))


def _sum_reached(organization: Organization, threshold: Decimal, cost: Decimal) -> Iterator[Finding]:
    level = _level(cost, threshold)
    if level is None:
        return
    title = f"AI cost of {organization.name} passed {_share(level)}${threshold:,.2f} this month"
    text = (
        f"This month so far: {money(cost)}. Your threshold: ${threshold:,.2f}. Calls go on as before: a threshold "
        "tells, it does not stop."
    )
    yield Finding(organization, "threshold", f"threshold:{threshold}", level, title, text, threshold, cost)


def _forecast(
    organization: Organization, threshold: Decimal, spent: _Spent, days: list[UsageTotals]
) -> Iterator[Finding]:
    """The same forecast as on the usage page."""
    forecast = forecast_month(days, today=current_day())
    if forecast is None or spent.total >= threshold or forecast.cost < threshold:
        return
    title = f"AI cost of {organization.name} is on course to pass ${threshold:,.2f} this month"
    text = (
        f"This month so far: {money(spent.total)}. As the last days and weeks were, it will end at about "
        f"{money(cents(forecast.cost))}; your threshold is ${threshold:,.2f}."
    )
    yield Finding(organization, "forecast", f"forecast:{threshold}", 100, title, text, threshold, spent.total)


def _budgets(organizations: dict[int, Organization], spent: dict[int, _Spent]) -> Iterator[Finding]:
    stopped = set(
        BudgetMonth.objects.filter(
            organization__in=organizations, month=first_of_month(), refused_at__isnull=False
        ).values_list("organization_id", "operation")
    )
    for budget in Budget.objects.filter(organization__in=organizations).order_by("organization_id", "operation"):
        organization = organizations[budget.organization_id]
        of_month = spent.get(organization.pk, _Spent(Decimal(0), {}))
        cost = of_month.by_operation.get(budget.operation, Decimal(0)) if budget.operation else of_month.total
        yield from _soft_budget(organization, budget, cost)
        yield from _hard_budget(organization, budget, cost, stops=(organization.pk, budget.operation) in stopped)


def _soft_budget(organization: Organization, budget: Budget, cost: Decimal) -> Iterator[Finding]:
    if not budget.soft or (level := _level(cost, budget.soft)) is None:
        return
    title = f"{organization.name} has used {_share(level)}its soft AI budget{_for_what(budget)}"
    text = f"This month so far: {money(cost)} of ${budget.soft:,.2f}. A soft budget tells, calls go on."
    series = f"soft:{budget.operation}:{budget.soft}"
    yield Finding(organization, "soft_budget", series, level, title, text, budget.soft, cost)


def _hard_budget(organization: Organization, budget: Budget, cost: Decimal, *, stops: bool) -> Iterator[Finding]:
    """`stops`: a call did not fit any more, which can be before the last cent is spent."""
    if budget.hard is None:
        return
    # Half of it was told by the soft budget already, where there is one.
    level = 100 if stops else _level(cost, budget.hard, (100, 80) if budget.soft else LEVELS)
    if level is None:
        return
    title = f"{organization.name} has used {_share(level)}its hard AI budget{_for_what(budget)}"
    text = f"This month so far: {money(cost)} of ${budget.hard:,.2f}. "
    if level == 100:
        text += (
            "Calls that do not fit any more are not sent, and runs pause. To go on, raise the budget under "
            "Settings, Alerts and budgets, and resume the runs."
        )
    else:
        text += "When it is used up, calls are not sent and runs pause until the budget is raised."
    series = f"hard:{budget.operation}:{budget.hard}"
    yield Finding(organization, "hard_budget", series, level, title, text, budget.hard, cost)


def _for_what(budget: Budget) -> str:
    return f" for {operation_label(budget.operation).lower()}" if budget.operation else ""


def _error_spikes(organization_ids: Iterable[int] | None) -> Iterator[Finding]:
    """At least 20 failures, and at least half of all calls, within the last hour: told once a day.

    To everybody who has not said that they do not want it: nobody sets up an alert for what they do not expect.
    """
    now = datetime.now(UTC)
    # The rollup says who can have had so many at all; single calls are read of these alone.
    suspects = UsageDaily.objects.filter(day__gte=(now - timedelta(hours=1)).date(), requests__gt=F("successes"))
    if organization_ids is not None:
        suspects = suspects.filter(organization__in=list(organization_ids))
    failing = (
        suspects.values("organization_id")
        .annotate(failures=Sum(F("requests") - F("successes")))
        .filter(failures__gte=SPIKE_FAILURES)
    )
    wanted = Organization.objects.filter(pk__in=[row["organization_id"] for row in failing])
    organizations = wanted.exclude(alert_settings__error_spike=False).in_bulk()
    rows = (
        AIUsage.objects.filter(organization__in=organizations, created_at__gte=now - timedelta(hours=1))
        .values("organization_id")
        .annotate(calls=Count("id"), failures=Count("id", filter=Q(success=False)))
        .filter(failures__gte=SPIKE_FAILURES)
    )
    for row in rows:
        if row["failures"] < row["calls"] * SPIKE_SHARE:
            continue
        organization = organizations[row["organization_id"]]
        title = f"Many AI calls of {organization.name} fail"
        text = (
            f"In the last hour {row['failures']:,} of {row['calls']:,} calls failed. The usage page lists each of "
            "them with its reason."
        )
        yield Finding(organization, "error_spike", f"error_spike:{now:%Y-%m-%d}", 100, title, text)


def _share(level: int) -> str:
    return "" if level == 100 else f"{level} % of "
