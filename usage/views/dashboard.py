"""The usage page: a period's figures, and below them the log of single calls."""

import logging
from typing import Any
from urllib.parse import urlencode

from django.db import OperationalError
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Organization, Role
from usage.analytics import UsageTotals, contributions, get_ai_usage_stats, get_latency_by_model
from usage.analytics.forecast import days_needed, forecast_month
from usage.analytics.period import LABELS, Period, PeriodName
from usage.formats import operation_label
from usage.models import KeyOwner
from usage.report.breakdown import by_cost, by_failures, by_requests, model_lines
from usage.report.cards import forecast_card, main_cards, outcome_cards
from usage.report.over_time import cost_chart, slots_of, token_chart
from usage.report.period_form import PeriodForm
from usage.views.log import log_context

logger = logging.getLogger(__name__)

TEMPLATE = "usage/dashboard.html"


@organization_view(Role.VIEWER)
@require_safe
def dashboard(request: HtmxHttpRequest) -> HttpResponse:
    """The chosen period's figures; htmx gets them alone, or the next rows of the log."""
    asks_part = request.htmx and not request.htmx.history_restore_request
    if asks_part and "cursor" in request.GET:
        log, status = log_context(request)
        return render_page(request, "usage/log.html", log, partial="log_rows", status=status)
    context, status = _report(request)
    if not asks_part:
        log, log_status = log_context(request)
        context, status = context | log, max(status, log_status)
    return render_page(request, TEMPLATE, context, partial="report", status=status)


def _report(request: HtmxHttpRequest) -> tuple[dict[str, Any], int]:
    """What the page says of the period, and the status of the answer."""
    form = PeriodForm({name: value for name, value in request.GET.items() if name in PeriodForm.base_fields})
    period = form.wanted() if form.is_valid() else None
    context: dict[str, Any] = {"form": form, "period": period, "choices": _choices(period)}
    if period is None:
        return context, 422
    try:
        return context | _figures(request.organization, period), 200
    except OperationalError:
        logger.exception("usage could not be read")
        return context | {"is_unreadable": True}, 503


def _choices(period: Period | None) -> list[tuple[PeriodName, str, str, bool]]:
    """The periods to choose from, each with its label, its query, and whether it is the chosen one.

    Days that no figures can be shown for are custom ones.
    """
    chosen = period.name if period else PeriodName.CUSTOM
    queries = {PeriodName.CUSTOM: period.query_of_its_days} if period else {}
    return [
        (name, label, queries.get(name) or urlencode({"period": name}), name == chosen)
        for name, label in LABELS.items()
    ]


def _figures(organization: Organization, period: Period) -> dict[str, Any]:
    is_month = period.name == PeriodName.THIS_MONTH
    recent = days_needed(period.today) if is_month else None
    stats = get_ai_usage_stats(organization, period.start, period.end, before=period.before, recent=recent)
    if not stats.totals.requests:
        return {"stats": stats}
    forecast = forecast_month(stats.recent_days, today=period.today) if is_month else None
    slots = slots_of(period, stats.by_day)
    lines = model_lines(stats.by_model, get_latency_by_model(organization, period.start, period.end))
    cards = outcome_cards(contributions.outcomes(organization, period.start, period.end), stats.totals)
    return {
        "stats": stats,
        "cards": main_cards(period, stats.totals, stats.before or UsageTotals()),
        "more_cards": [forecast_card(forecast, period), *cards] if is_month else cards,
        "slots": slots,
        "charts": {"cost": cost_chart(period, slots, forecast), "tokens": token_chart(period, slots)},
        "has_estimates": stats.totals.estimated_cost > 0,
        "forecast": forecast,
        "operations": by_cost(stats.by_operation, lambda group: operation_label(group.operation)),
        "distribution": by_requests(stats.by_model, lambda group: group.model),
        "key_owners": by_cost(stats.by_key_owner, lambda group: KeyOwner(group.key_owner).label),
        "errors": by_failures(stats.by_error, lambda group: operation_label(group.error_code or "no code")),
        "lines": lines,
        "top": lines[:5],
        "hints": contributions.cheaper_models(stats),
    }
