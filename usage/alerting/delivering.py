"""One try at a delivery: claimed by one worker, handed over, and put off where it was not taken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from usage.models.deliveries import Delivery, DeliveryState

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
# How long a claimed delivery is left alone: longer than any place may take.
_CLAIM = timedelta(minutes=2)


class NotDelivered(Exception):
    """The place did not take it. The text names no secret."""


def attempt(delivery: Delivery, hand_over: Callable[[], None]) -> bool:
    """Hand it over unless another worker does; True when it was taken.

    `hand_over` raises `NotDelivered` with the reason, which is kept. The next try comes after a minute, then
    after twice as long each time; after `MAX_ATTEMPTS` it is given up.
    """
    now = timezone.now()
    mine = type(delivery)._default_manager.filter(
        pk=delivery.pk,
        state=DeliveryState.WAITING,
        attempts=delivery.attempts,
        next_try_at=delivery.next_try_at,
    )
    if not mine.update(attempts=delivery.attempts + 1, next_try_at=now + _CLAIM):
        return False
    delivery.attempts += 1
    try:
        hand_over()
    except NotDelivered as reason:
        logger.warning("delivery %s was not taken: %s", delivery.pk, reason)
        delivery.problem = str(reason)[:200]
        is_last = delivery.attempts >= MAX_ATTEMPTS
        delivery.state = DeliveryState.FAILED if is_last else DeliveryState.WAITING
        delivery.next_try_at = now + timedelta(minutes=2 ** (delivery.attempts - 1))
        delivery.save(update_fields=["problem", "state", "next_try_at"])
        return False
    delivery.state, delivery.sent_at, delivery.problem = DeliveryState.SENT, timezone.now(), ""
    delivery.save(update_fields=["state", "sent_at", "problem"])
    return True
