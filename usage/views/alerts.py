"""Alerts and budgets of an organisation: the settings, a test message, what was sent."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage.alerting import rules
from usage.alerting.alerts import deliver_now, raise_alert
from usage.alerting.channels import channels_of, webhook_body
from usage.alerting.forms import OPERATIONS, AlertsForm
from usage.alerting.settings import alert_settings_of, renew_webhook_secret, save_alert_settings, secrets_of
from usage.analytics import get_monthly_usage_stats
from usage.models import AlertChannel, AlertSent, DeliveryState
from usage.spending.chosen_budgets import budgets_of, save_budgets, taken_this_month
from usage.spending.rate_limit import save_own_rate
from usage.utc_days import first_of_month

_HISTORY_PAGE = 25
_TESTS_PER_DAY = 10


@sensitive_post_parameters("slack_url")
@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def alerts(request: HtmxHttpRequest) -> HttpResponse:
    """Show and save alerts, budgets and the limit per minute; below, what was sent.

    The answer to a save that made a webhook is the only place that shows its secret.
    """
    organization = request.organization
    if request.method != "POST":
        return _page(request, AlertsForm(organization))
    form = AlertsForm(organization, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    secret = save_alert_settings(organization, form.alert_choice(), actor=request.user, request=request)
    save_budgets(organization, form.budgets(), actor=request.user, request=request)
    save_own_rate(
        organization,
        requests=form.cleaned_data["rate_requests"],
        tokens=form.cleaned_data["rate_tokens"],
        actor=request.user,
        request=request,
    )
    if secret:
        return _page(request, AlertsForm(organization), secret=secret)
    messages.success(request, "Alerts and budgets are saved.")
    return redirect("usage:alerts", organization.slug)


@organization_view(Role.ADMIN)
@require_POST
def send_test(request: HtmxHttpRequest) -> HttpResponse:
    """Send a test message to every channel, now."""
    organization = request.organization
    today = timezone.now().date()
    sent_today = organization.alerts_sent.filter(kind="test", created_at__date=today).count()
    if sent_today >= _TESTS_PER_DAY:
        messages.error(request, f"{_TESTS_PER_DAY} test messages were sent today. Try again tomorrow (UTC).")
        return redirect("usage:alerts", organization.slug)
    alert = raise_alert(
        organization,
        kind="test",
        key=f"test:{uuid.uuid4()}:0",
        title=f"Test message for {organization.name}",
        text="This is how an alert arrives. Nothing has happened.",
    )
    assert alert is not None
    deliver_now(alert)
    failed = [row for row in alert.deliveries.all() if row.state != DeliveryState.SENT]
    if failed:
        told = "; ".join(f"{row.get_channel_display()}: {row.problem or 'no answer yet'}" for row in failed)
        messages.error(request, f"Not every channel took the test message. {told}")
    else:
        messages.success(request, "Every channel took the test message.")
    return redirect("usage:alerts", organization.slug)


@organization_view(Role.ADMIN)
@never_cache
@require_POST
def new_secret(request: HtmxHttpRequest) -> HttpResponse:
    """Make a new secret for the webhook; the answer is the only place that shows it."""
    secret = renew_webhook_secret(request.organization, actor=request.user, request=request)
    if not secret:
        messages.error(request, "There is no webhook to make a secret for.")
        return redirect("usage:alerts", request.organization.slug)
    return _page(request, AlertsForm(request.organization), secret=secret)


def _page(request: HtmxHttpRequest, form: AlertsForm, *, secret: str = "", status: int = 200) -> HttpResponse:
    organization = request.organization
    history = organization.alerts_sent.order_by("-created_at", "-pk").prefetch_related("deliveries")
    finding = rules.example(organization)
    example = AlertSent(
        organization=organization, month=first_of_month(), kind=finding.kind, title=finding.title, text=finding.text
    )
    context: dict[str, Any] = {
        "form": form,
        "secret": secret,
        "meters": _meters(request),
        "channels": [channel.label for channel in channels_of(organization)],
        "example": example,
        "example_body": json.dumps(json.loads(webhook_body(example, "the delivery's id")), indent=2),
        "has_webhook": bool(alert_settings_of(organization).webhook_url),
        "webhook_secret": secrets_of(organization).get(AlertChannel.WEBHOOK),
        "history": Paginator(history, _HISTORY_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "usage/alerts.html", context, status=status)


def _meters(request: HtmxHttpRequest) -> list[dict[str, Any]]:
    """Where each budget stands this month: a hard one by what is reserved of it, a soft one by known costs."""
    organization = request.organization
    taken = taken_this_month(organization)
    stats = get_monthly_usage_stats(organization)
    known = {group.operation: group.cost or 0 for group in stats.by_operation} | {"": stats.totals.cost or 0}
    meters = []
    for operation, choice in sorted(budgets_of(organization).items()):
        label = OPERATIONS.get(operation, operation)
        cost = known.get(operation, 0)
        if choice.hard is not None:
            used = max(taken.get(operation, 0), cost)
            meters.append(_meter(f"{label}, hard", used, choice.hard))
        if choice.soft is not None:
            meters.append(_meter(f"{label}, soft", cost, choice.soft))
    return meters


def _meter(label: str, used: Any, limit: Any) -> dict[str, Any]:
    return {
        "label": label,
        "value": used,
        "max": limit,
        "high": limit * 8 / 10,
        "text": f"${used:,.2f} of ${limit:,.2f}",
    }
