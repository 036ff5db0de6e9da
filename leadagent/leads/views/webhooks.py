"""Settings of the webhooks that tell outcomes of leads: addresses, secrets, a test, what was sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.models import Lead, LeadEvent, LeadWebhook
from leadagent.leads.outcomes.events import payload_of
from leadagent.leads.outcomes.webhook_form import WebhookForm
from leadagent.leads.outcomes.webhooks import (
    MOST,
    TooMany,
    add_webhook,
    change_webhook,
    delete_webhook,
    renew_secret,
    send_test,
)
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage.alerting.delivering import MAX_ATTEMPTS
from usage.models import DeliveryState

_HISTORY = 50
_LOOKS = {
    DeliveryState.WAITING: ("busy", "clock"),
    DeliveryState.SENT: ("good", "check"),
    DeliveryState.FAILED: ("bad", "circle-x"),
}


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HtmxHttpRequest) -> HttpResponse:
    """The addresses, and adding one. The answer to that is the only place that shows its secret."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    made = ""
    if request.method == "POST" and form.is_valid():
        try:
            _, made = add_webhook(request.organization, **form.cleaned_data, by=request.user, request=request)
            form = WebhookForm()
        except TooMany as problem:
            form.add_error(None, str(problem))
    rows = list(request.organization.lead_webhooks.order_by("created_at", "pk"))
    context = {
        "rows": rows,
        "form": form if len(rows) < MOST else None,
        "most": MOST,
        "secret": made,
        "example": _example(request),
    }
    return render(request, "leads/webhooks.html", context, status=422 if form.errors else 200)


@organization_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HtmxHttpRequest, webhook_id: UUID) -> HttpResponse:
    """One address: change it, and see what was sent there."""
    row = _webhook(request, webhook_id)
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=_stored(row))
    if request.method != "POST":
        return _page(request, row, form)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    secret = change_webhook(row, **form.cleaned_data, by=request.user, request=request)
    if secret:
        row.refresh_from_db()
        return _page(request, row, form, secret=secret)
    messages.success(request, "The webhook is saved.")
    return redirect("leads:webhook", request.organization.slug, row.pk)


@organization_view(Role.ADMIN)
@require_POST
def test(request: HtmxHttpRequest, webhook_id: UUID) -> HttpResponse:
    """Send a test message now, and say how it went."""
    row = _webhook(request, webhook_id)
    try:
        delivery = send_test(row)
    except TooMany as problem:
        messages.error(request, str(problem))
    else:
        if delivery.state == DeliveryState.SENT:
            messages.success(request, "The test message was taken.")
        else:
            messages.error(request, f"The test message was not taken: {delivery.problem}. It is tried again.")
    return redirect("leads:webhook", request.organization.slug, row.pk)


@organization_view(Role.ADMIN)
@never_cache
@require_POST
def new_secret(request: HtmxHttpRequest, webhook_id: UUID) -> HttpResponse:
    """Make a new secret; the answer is the only place that shows it."""
    row = _webhook(request, webhook_id)
    secret = renew_secret(row, by=request.user, request=request)
    row.refresh_from_db()
    return _page(request, row, WebhookForm(initial=_stored(row)), secret=secret)


@organization_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HtmxHttpRequest, webhook_id: UUID) -> HttpResponse:
    """Ask, then delete an address."""
    row = _webhook(request, webhook_id)
    if request.method != "POST":
        return render(request, "leads/webhook_delete.html", {"webhook": row})
    delete_webhook(row, by=request.user, request=request)
    messages.success(request, "The webhook is deleted. Nothing is sent there any more.")
    return redirect("leads:webhooks", request.organization.slug)


def _webhook(request: HtmxHttpRequest, webhook_id: UUID) -> LeadWebhook:
    return get_object_or_404(request.organization.lead_webhooks.select_related("organization"), pk=webhook_id)


def _stored(row: LeadWebhook) -> dict[str, Any]:
    return {"url": row.url, "events": row.events, "with_reasons": row.with_reasons}


def _page(
    request: HtmxHttpRequest, row: LeadWebhook, form: WebhookForm, *, secret: str = "", status: int = 200
) -> HttpResponse:
    org = request.organization.slug
    sent = list(row.deliveries.order_by("-created_at", "-pk")[:_HISTORY])
    context: dict[str, Any] = {
        "webhook": row,
        "form": form,
        "secret": secret,
        "most_attempts": MAX_ATTEMPTS,
        "deliveries": [
            {
                "row": delivery,
                "kind": _LOOKS[DeliveryState(delivery.state)][0],
                "icon": _LOOKS[DeliveryState(delivery.state)][1],
                "lead_url": reverse("leads:detail", args=[org, delivery.lead_id]) if delivery.lead_id else "",
                "next_try_at": delivery.next_try_at if delivery.state == DeliveryState.WAITING else None,
            }
            for delivery in sent
        ],
    }
    return render(request, "leads/webhook.html", context, status=status)


def _example(request: HtmxHttpRequest) -> str:
    """A message as it would be, of a lead that is not stored."""
    now = timezone.now()
    lead = Lead(organization=request.organization, status="review", category="QUALIFIED", source="form", created_at=now)
    return json.dumps({"id": "the delivery's id", **payload_of(lead, LeadEvent.QUALIFIED)}, indent=2)
