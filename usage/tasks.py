"""Scheduled and nudged work on usage. Each task is safe to run twice and side by side."""

import logging

from celery import shared_task

from usage import alerts, ingest
from usage.partitions import ensure_partitions, months_ahead

logger = logging.getLogger(__name__)

# So many batches in one task run; what is left waits for the next nudge or beat.
_MAX_BATCHES = 50


@shared_task(name="usage.tasks.drain_inbox")
def drain_inbox() -> None:
    """Empty the inbox, batch by batch."""
    for _ in range(_MAX_BATCHES):
        drained = ingest.drain()
        if drained.taken + drained.failed < ingest.BATCH:
            return


@shared_task(name="usage.tasks.reconcile")
def reconcile() -> None:
    """Show calls whose end was never recorded as unconfirmed."""
    if count := ingest.reconcile():
        logger.warning("%d calls were sent and their end was never recorded", count)
        drain_inbox()


@shared_task(name="usage.tasks.prepare_partitions")
def prepare_partitions() -> None:
    """Keep the coming three months ready."""
    ensure_partitions(months_ahead(3))


@shared_task(name="usage.tasks.send_cost_alerts")
def send_cost_alerts() -> None:
    """Tell organisations whose month has passed their threshold."""
    alerts.send_due_alerts()
