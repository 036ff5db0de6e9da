"""Scheduled and nudged work on usage. Each task is safe to run twice and side by side."""

import logging
from uuid import UUID

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from usage.alerting import alerts
from usage.calls import exports
from usage.ledger import ingest, reconciling, retention
from usage.ledger.backlog import note_drained
from usage.ledger.partitions import ensure_partitions, months_ahead

logger = logging.getLogger(__name__)

# So many batches in one task run; what is left waits for the next nudge or beat.
_MAX_BATCHES = 50


@shared_task(name="usage.tasks.drain_inbox")
def drain_inbox() -> None:
    """Empty the inbox, batch by batch."""
    moved: set[int] = set()
    for _ in range(_MAX_BATCHES):
        drained = ingest.drain()
        moved |= drained.organizations
        if drained.taken + drained.failed < ingest.BATCH:
            break
    note_drained()
    if moved:
        # Of these only, as this runs every few seconds; beat looks at all of them once a minute.
        alerts.send_due_alerts(moved)


@shared_task(name="usage.tasks.reconcile")
def reconcile() -> None:
    """Show calls whose end was never recorded as unconfirmed."""
    if count := reconciling.reconcile():
        logger.warning("%d calls were sent and their end was never recorded", count)
        drain_inbox()


@shared_task(name="usage.tasks.prepare_partitions")
def prepare_partitions() -> None:
    """Keep the coming three months ready."""
    ensure_partitions(months_ahead(3))


@shared_task(name="usage.tasks.drop_expired_months")
def drop_expired_months() -> None:
    """Delete the single calls of months that are older than the operator keeps them."""
    retention.drop_expired_months()


@shared_task(name="usage.tasks.send_cost_alerts")
def send_cost_alerts() -> None:
    """Tell organisations what is due, and try again what a channel did not take."""
    alerts.send_due_alerts()


@shared_task(name="usage.tasks.write_export")
def write_export(export_id: str) -> None:
    """Write one download, tell whoever asked for it, and go on with the next one. What fails waits for a sweep."""
    if exports.write_export(UUID(export_id)):
        exports.tell_of_ready_exports()
        for following in exports.waiting_exports()[:1]:
            nudge_export(following)


def nudge_export(export_id: UUID) -> None:
    """Have a worker write it once the current transaction is committed. A nudge that gets lost is swept up."""

    def tell() -> None:
        try:
            write_export.apply_async([str(export_id)], retry=False)
        except OperationalError:
            logger.warning("export %s waits for the next sweep: the broker is away", export_id)

    transaction.on_commit(tell)


@shared_task(name="usage.tasks.sweep_exports")
def sweep_exports() -> None:
    """Downloads that were not begun or lost their worker, emails that were not taken, files whose days are over."""
    exports.drop_old_exports()
    exports.give_up_lost_exports()
    for export_id in exports.waiting_exports():
        try:
            exports.write_export(export_id)
        except Exception as error:
            # One that cannot be written does not hold up the others; the page shows it once it is given up.
            logger.warning("export %s was not written: %s", export_id, type(error).__name__)
    exports.tell_of_ready_exports()
