"""One organisation's page: its free tier, this month's calls, its alerts."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, time

from django.db.models import Count

from leadagent.tenants.models import Organization
from leadagent.tenants.organization_admin import list_url
from leadagent.tenants.support_page import Cell, Panel, Table, add_panel, cell, facts, row
from usage.alerting.cost_alert import cost_alert_of
from usage.analytics import UsageTotals, get_monthly_usage_stats
from usage.models import AIUsage, UsageState
from usage.spending.quota import free_tier_of


@add_panel(50)
def free_tier(organization: Organization) -> Panel:
    """The platform's requests: this month and the months before."""
    now = free_tier_of(organization.pk)
    tone = "bad" if now.used >= now.limit else "warn" if now.used >= now.warn_from else ""
    months = organization.free_tier_months.order_by("-month")[:12]
    return Panel(
        "Free tier",
        facts(this_month=Cell(now.in_words, tone=tone), left=now.left),
        [
            Table(
                "Requests on the platform's key by month",
                ["Month (UTC)", "Used", "Last moved"],
                [row(f"{month.month:%Y-%m}", month.used, month.updated_at) for month in months],
                "The free tier was never used.",
            )
        ],
    )


@add_panel(60)
def this_month(organization: Organization) -> Panel:
    """This month's calls by operation, with what went wrong."""
    stats = get_monthly_usage_stats(organization)
    since = datetime.combine(stats.start, time.min, UTC)
    calls = AIUsage.objects.filter(organization=organization, created_at__gte=since, success=False)
    errors: dict[str, list[str]] = defaultdict(list)
    for error in calls.values("operation", "error_code").annotate(n=Count("id")).order_by("-n", "error_code"):
        errors[error["operation"]].append(f"{error['error_code'] or 'no code'} × {error['n']:,}")
    rows = [
        row(
            total.operation,
            f"{total.requests:,}",
            Cell(f"{total.failures:,}", tone="bad" if total.failures else ""),
            ", ".join(errors[total.operation]),
            f"{total.total_tokens:,}",
            _cost(total),
        )
        for total in stats.by_operation
    ]
    unreconciled = calls.filter(state=UsageState.UNRECONCILED).count()
    return Panel(
        "Usage this month",
        facts(requests=f"{stats.totals.requests:,}", known_cost=_cost(stats.totals), not_confirmed=unreconciled),
        [
            Table(
                "By operation",
                ["Operation", "Calls", "Failed", "Errors by code", "Tokens", "Known cost"],
                rows,
                "No call was made this month.",
                list_url("usage_usagedaily", organization),
            )
        ],
    )


def _cost(totals: UsageTotals) -> Cell:
    if totals.cost is None:
        return Cell("unknown", tone="warn")
    partly = f" (unpriced calls: {totals.unpriced_requests:,})" if totals.unpriced_requests else ""
    return Cell(f"${totals.cost:,.4f}{partly}")


@add_panel(65)
def alerts(organization: Organization) -> Panel:
    """The cost alert that is set, and the latest alerts of every kind."""
    alert = cost_alert_of(organization)
    threshold = alert.monthly_threshold
    sent = organization.alerts_sent.order_by("-created_at")[:12]
    return Panel(
        "Cost alert",
        facts(
            state=Cell("on" if alert.enabled else "off"),
            monthly_threshold=None if threshold is None else f"${threshold:,.2f}",
            goes_to=alert.email or "every admin",
        ),
        [
            Table(
                "Alerts",
                ["Month (UTC)", "Threshold", "Cost then", "Mail sent"],
                [
                    row(
                        f"{mail.month:%Y-%m}",
                        mail.kind if mail.threshold is None else f"${mail.threshold:,.2f}",
                        "" if mail.cost is None else f"${mail.cost:,.4f}",
                        cell(mail.sent_at or Cell("not yet", tone="warn")),
                    )
                    for mail in sent
                ],
                "None was due.",
            )
        ],
    )
