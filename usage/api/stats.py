"""The JSON API of usage: a period's sums."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal, cast

from django.http import HttpRequest
from ninja import Query, Router

from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.models import Role, Scope
from usage.analytics import ModelLatency, UsageTotals, get_ai_usage_stats, get_latency_by_model
from usage.analytics.period import BadPeriod, Period, PeriodName, check_days, period_named, period_of_days
from usage.api.schemas import StatsOut, Sums
from usage.report.over_time import days_of

router = Router(tags=["usage"])

Named = Literal["this-month", "last-month", "7-days", "30-days", "90-days"]


@router.get(
    "/stats",
    auth=token_or_member(Scope.USAGE_READ, Role.VIEWER),
    response=StatsOut,
    summary="Read what was used and what it cost",
)
def read_ai_usage_stats(
    request: HttpRequest,
    period: Annotated[Named | None, Query(description="Without it, and without days: this-month")] = None,
    start: Annotated[date | None, Query(description="First UTC day, as 2026-11-01; needs end")] = None,
    end: Annotated[date | None, Query(description="Last UTC day, which is in it; 366 days at most")] = None,
) -> dict[str, Any]:
    """Totals of a `period` or of the days `start` to `end`, and the same by operation, model, provider, key and day.

    `this-month` ends with its last day, also while that is still to come.
    """
    organization = cast("ApiRequest", request).organization
    chosen = _period(period, start, end)
    stats = get_ai_usage_stats(organization, chosen.start, chosen.end)
    latencies = {
        (line.provider, line.model): line for line in get_latency_by_model(organization, chosen.start, chosen.end)
    }
    models = [_of_model(group, latencies) for group in stats.by_model]
    return {
        "period": {"period": chosen.name, "start": chosen.start, "end": chosen.last_day},
        "totals": _sums(stats.totals),
        "cost_provenance": {
            "actual_cost": stats.totals.actual_cost,
            "estimated_cost": stats.totals.estimated_cost,
            "actual_share": stats.totals.actual_share,
            "unpriced_requests": stats.totals.unpriced_requests,
        },
        "by_operation": _groups(stats.by_operation, "operation"),
        "by_model": models,
        "by_provider": _groups(stats.by_provider, "provider"),
        "by_key_owner": _groups(stats.by_key_owner, "key_owner"),
        "by_day": _groups(days_of(chosen, stats.by_day), "day"),
        "by_error": [{"error_code": group.error_code, "failures": group.failures} for group in stats.by_error],
        "top_models": models[:5],
    }


def _period(name: str | None, start: date | None, end: date | None) -> Period:
    if start is None and end is None:
        return period_named(PeriodName(name or PeriodName.THIS_MONTH))
    if name is not None:
        raise ApiError(422, "invalid", "Send a period or two days, not both.", field="period")
    if start is None or end is None:
        missing = "start" if start is None else "end"
        raise ApiError(422, "invalid", "Two days are needed: start and end.", field=missing)
    try:
        check_days(start, end)
    except BadPeriod as error:
        raise ApiError(422, "invalid", str(error), field=error.field) from None
    return period_of_days(start, end)


def _sums(group: UsageTotals) -> dict[str, Any]:
    return {name: getattr(group, name) for name in Sums.model_fields}


def _groups(groups: Iterable[UsageTotals], dimension: str) -> list[dict[str, Any]]:
    return [{dimension: getattr(group, dimension)} | _sums(group) for group in groups]


def _of_model(group: UsageTotals, latencies: dict[tuple[str, str], ModelLatency]) -> dict[str, Any]:
    latency = latencies.get((group.provider, group.model))
    return {
        "provider": group.provider,
        "model": group.model,
        "p50_ms": latency.p50_ms if latency else None,
        "p95_ms": latency.p95_ms if latency else None,
    } | _sums(group)
