"""The addresses that hear of outcomes: saving them, and handing over what waits for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.models import LeadWebhook, WebhookDelivery
from leadagent.leads.models.webhook import TEST_EVENT
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.alerting.delivering import NotDelivered, attempt
from usage.alerting.sealing import SecretUnreadable, sealer
from usage.alerting.signed_posts import new_secret, post_signed
from usage.models import DeliveryState

MOST = 5
TESTS_PER_DAY = 10
# What was sent is shown so long.
KEPT_FOR = timedelta(days=30)


class TooMany(Exception):
    """The organisation has, or did today, as many as it may. The text is for the person who asked."""


def add_webhook(
    organization: Organization,
    *,
    url: str,
    events: Sequence[str],
    with_reasons: bool = False,
    by: User,
    request: HttpRequest | None = None,
) -> tuple[LeadWebhook, str]:
    """Store an address; it, and its secret, which is to be shown once. Raises `TooMany`."""
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if organization.lead_webhooks.count() >= MOST:
            raise TooMany(f"There can be {MOST} webhooks. Delete one first.")
        webhook = LeadWebhook(
            organization=organization, url=url, events=list(events), with_reasons=with_reasons, created_by=by
        )
        secret = _seal_new(webhook)
        webhook.save(force_insert=True)
        _record("webhook.added", webhook, by=by, after=_facts(webhook), request=request)
    return webhook, secret


def change_webhook(
    webhook: LeadWebhook,
    *,
    url: str,
    events: Sequence[str],
    with_reasons: bool = False,
    by: User,
    request: HttpRequest | None = None,
) -> str:
    """Store another address or choice. A new address gets a new secret, which is returned; else an empty text.

    The old secret is not sent to an address that another admin has not seen it for.
    """
    with transaction.atomic():
        locked = LeadWebhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        before = _facts(locked)
        moves = locked.url != url
        locked.url, locked.events, locked.with_reasons = url, list(events), with_reasons
        secret = _seal_new(locked) if moves else ""
        locked.save(update_fields=["url", "events", "with_reasons", "sealed", "last4"])
        if before != _facts(locked):
            _record("webhook.changed", locked, by=by, before=before, after=_facts(locked), request=request)
    return secret


def renew_secret(webhook: LeadWebhook, *, by: User, request: HttpRequest | None = None) -> str:
    """Make a new secret, in force at once, and return it to be shown once."""
    with transaction.atomic():
        locked = LeadWebhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        secret = _seal_new(locked)
        locked.save(update_fields=["sealed", "last4"])
        _record("webhook.secret_renewed", locked, by=by, after={"ends_in": locked.last4}, request=request)
    return secret


def delete_webhook(webhook: LeadWebhook, *, by: User, request: HttpRequest | None = None) -> None:
    """Nothing is sent there any more; what waits for it is dropped, and its history with it."""
    with transaction.atomic():
        _record("webhook.deleted", webhook, by=by, before=_facts(webhook), request=request)
        webhook.delete()


def send_test(webhook: LeadWebhook) -> WebhookDelivery:
    """Send a test message now; the delivery says how it went. Raises `TooMany`."""
    today = timezone.now() - timedelta(days=1)
    if webhook.deliveries.filter(event=TEST_EVENT, created_at__gt=today).count() >= TESTS_PER_DAY:
        raise TooMany(f"{TESTS_PER_DAY} test messages were sent within a day. Try again tomorrow.")
    payload = {
        "type": TEST_EVENT,
        "organization": webhook.organization.slug,
        "created_at": timezone.now().isoformat(),
        "lead": None,
    }
    delivery = WebhookDelivery.objects.create(
        webhook=webhook, event=TEST_EVENT, key=f"{TEST_EVENT}:{uuid4()}", payload=payload
    )
    attempt(delivery, partial(_hand_over, delivery))
    return delivery


def deliver_due(*, limit: int = 100) -> int:
    """Hand over what waits and is due; how many were taken. Safe to run twice and at once.

    An address that does not take one is left alone until its next try: it holds up nobody else's.
    """
    now = timezone.now()
    due = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, next_try_at__lte=now).order_by("next_try_at")
    taken, silent = 0, set[UUID]()
    for delivery in due.select_related("webhook__organization")[:limit]:
        if delivery.webhook_id in silent:
            continue
        if attempt(delivery, partial(_hand_over, delivery)):
            taken += 1
        else:
            silent.add(delivery.webhook_id)
    WebhookDelivery.objects.filter(created_at__lt=now - KEPT_FOR).exclude(state=DeliveryState.WAITING).delete()
    return taken


def body_of(delivery: WebhookDelivery) -> bytes:
    """The bytes that are sent and signed: the same for every try."""
    return json.dumps({"id": str(delivery.pk), **delivery.payload}, ensure_ascii=False).encode()


def _hand_over(delivery: WebhookDelivery) -> None:
    # As they are now: the address or its secret may have changed since the outcome.
    webhook = LeadWebhook.objects.filter(pk=delivery.webhook_id).first()
    if webhook is None:
        raise NotDelivered("the webhook was deleted")
    try:
        secret = sealer().open(webhook.sealed, organization_id=webhook.organization_id, row_id=webhook.pk)
    except SecretUnreadable:
        raise NotDelivered("its secret can no longer be opened: make a new one") from None
    post_signed(webhook.url, body_of(delivery), secret=secret, delivery_id=delivery.pk)


def _seal_new(webhook: LeadWebhook) -> str:
    secret = new_secret()
    webhook.sealed = sealer().seal(secret, organization_id=webhook.organization_id, row_id=webhook.pk)
    webhook.last4 = secret[-4:]
    return secret


def _facts(webhook: LeadWebhook) -> dict[str, object]:
    return {"url": webhook.url, "events": sorted(webhook.events), "with_reasons": webhook.with_reasons}


def _record(
    action: str,
    webhook: LeadWebhook,
    *,
    by: User,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    request: HttpRequest | None,
) -> None:
    audit.record(
        action,
        organization=webhook.organization,
        actor=by,
        target=f"webhook {webhook.pk}",
        before=before,
        after=after,
        request=request,
    )
