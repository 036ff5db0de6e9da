"""Scheduled work of accounts and organisations. Each task is safe to run twice and side by side."""

import logging

from celery import shared_task

from leadagent.tenants.audit_trail.heads import line_of, slugs_by_chain
from leadagent.tenants.models import AuditChain

logger = logging.getLogger(__name__)


@shared_task(name="leadagent.tenants.tasks.log_audit_heads")
def log_audit_heads() -> None:
    """Write the head of every audit chain to the log: an anchor that whoever changes the database does not reach.

    `manage.py verify_audit --expect FILE` reads the lines back.
    """
    slugs = slugs_by_chain()
    for chain in AuditChain.objects.order_by("pk").iterator():
        logger.info("audit head: %s", line_of(chain, slugs))
