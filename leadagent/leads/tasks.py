"""Celery's side of the workflow: ids in, one call, the next nudge out.

A nudge only says "look at this"; whoever loses one loses nothing, because the sweep finds
what waits in PostgreSQL. Every task here is safe to run twice and at once.
"""

import logging
import time
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.signals import worker_init
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from leadagent.leads.emails import rewriting, sending
from leadagent.leads.importing import imports, pacing, reading
from leadagent.leads.importing.imports import moving_imports
from leadagent.leads.knowledge import indexing, model_change, reembedding, uploads
from leadagent.leads.models import Document, DraftRewrite, Upload, WorkflowRun
from leadagent.leads.outcomes import webhooks
from leadagent.leads.running import mending, workflow
from leadagent.leads.running.leases import claim_step
from leadagent.leads.work_queue import note_nudge
from leadagent.tenants.models import Organization
from usage.tasks import drain_inbox

logger = logging.getLogger(__name__)

# A longer pause is left to the sweep: the broker would deliver the message again in between.
LONGEST_COUNTDOWN = timedelta(seconds=60)
# An import gives its worker back after so long, and looks so often whether further leads may be started.
IMPORT_TURN_SECONDS = 5.0
IMPORT_PACE = timedelta(seconds=3)


@shared_task(name="leadagent.leads.tasks.advance_run")
def advance_run(run_id: str) -> None:
    """Run the next step of the run, if it is due and free."""
    from leadagent.leads.running.steps import perform_step

    claim = claim_step(UUID(run_id))
    if claim is None:
        return
    pause = perform_step(claim)
    # The step's calls should be on the usage page at once, not at the next beat.
    _tell(drain_inbox)
    _tell(deliver_webhooks)
    if pause is not None:
        nudge_run(claim.run_id, after=pause)


@shared_task(name="leadagent.leads.tasks.send_email")
def send_email(draft_id: str) -> None:
    """Hand an approved email to the mail server, unless another worker does."""
    sending.send_draft(UUID(draft_id))
    _tell(deliver_webhooks)


@shared_task(name="leadagent.leads.tasks.rewrite_email")
def rewrite_email(rewrite_id: str) -> None:
    """Have a draft written anew, unless another worker does."""
    pause = rewriting.perform_rewrite(UUID(rewrite_id))
    _tell(drain_inbox)
    if pause is not None:
        nudge_rewrite(UUID(rewrite_id), after=pause)


@shared_task(name="leadagent.leads.tasks.index_document")
def index_document(document_id: str) -> None:
    """Make a document searchable, unless another worker does."""
    pause = indexing.index_document(UUID(document_id))
    if pause is not None:
        nudge_document(UUID(document_id), after=pause)


@shared_task(name="leadagent.leads.tasks.read_upload")
def read_upload(upload_id: str) -> None:
    """Make an uploaded file a document, unless another worker does."""
    document_id = uploads.read_upload(UUID(upload_id))
    if document_id is not None:
        nudge_document(document_id)


@shared_task(name="leadagent.leads.tasks.follow_embedding_model")
def follow_embedding_model(organization_id: int) -> None:
    """Try what waits for the AI settings once more, and change the embedding model where another one is chosen."""
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        return
    for document_id in indexing.wake_waiting_documents(organization_id):
        _tell(index_document, document_id)
    model_change.resume_reembedding(organization_id)
    if model_change.follow_configuration(organization):
        _tell(reembed_knowledge, organization_id)


@shared_task(name="leadagent.leads.tasks.reembed_knowledge")
def reembed_knowledge(organization_id: int) -> None:
    """Work for one turn on the change of an organisation's embedding model."""
    pause = reembedding.reembed(organization_id)
    if pause is not None:
        _tell(reembed_knowledge, organization_id, after=pause)
        return
    # Documents that waited for the new model.
    for document_id in indexing.wake_waiting_documents(organization_id):
        _tell(index_document, document_id)


@shared_task(name="leadagent.leads.tasks.deliver_webhooks")
def deliver_webhooks() -> None:
    """Tell the addresses that want to know what came of leads, and try again what was not taken."""
    webhooks.deliver_due()


@shared_task(name="leadagent.leads.tasks.advance_import")
def advance_import(import_id: str) -> None:
    """Take some more rows of an import in, or start some more of its runs, unless another worker does."""
    row_id = UUID(import_id)
    until = time.monotonic() + IMPORT_TURN_SECONDS
    while reading.read_batch(row_id):
        if time.monotonic() > until:
            # Others wait for this worker too.
            _tell(advance_import, row_id)
            return
    pace = pacing.start_next_runs(row_id)
    for run_id in pace.started:
        nudge_run(run_id)
    if pace.goes_on:
        _tell(advance_import, row_id, after=IMPORT_PACE)


@shared_task(name="leadagent.leads.tasks.drop_unused_files")
def drop_unused_files() -> None:
    """Delete the text of uploaded CSV files whose columns nobody has chosen."""
    imports.drop_unused_files()


@shared_task(name="leadagent.leads.tasks.sweep_runs")
def sweep_runs() -> None:
    """Let runs go on whose cause is mended, and tell workers again about everything whose nudge was lost."""
    for run_id in mending.resume_mended():
        nudge_run(run_id)
    for run_id in workflow.take_due_runs():
        _tell(advance_run, run_id)
    for import_id in moving_imports():
        _tell(advance_import, import_id)
    for draft_id in sending.take_unsent_drafts():
        _tell(send_email, draft_id)
    for rewrite_id in rewriting.take_due_rewrites():
        _tell(rewrite_email, rewrite_id)
    for upload_id in uploads.take_due_uploads():
        _tell(read_upload, upload_id)
    for document_id in indexing.take_due_documents():
        _tell(index_document, document_id)
    for organization_id in reembedding.take_due_changes():
        _tell(reembed_knowledge, organization_id)
    for organization in Organization.objects.filter(pk__in=model_change.take_unlooked()):
        if model_change.follow_configuration(organization):
            _tell(reembed_knowledge, organization.pk)


def nudge_run(run_id: UUID, *, after: timedelta = timedelta(0)) -> None:
    """Have a worker look at the run once the current transaction is committed."""
    note_nudge(WorkflowRun, run_id)
    transaction.on_commit(partial(_tell, advance_run, run_id, after=after))


def nudge_import(import_id: UUID) -> None:
    """Have a worker take the file's rows in once the current transaction is committed."""
    transaction.on_commit(partial(_tell, advance_import, import_id))


def nudge_email(draft_id: UUID) -> None:
    """Have a worker send the approved email once the current transaction is committed."""
    transaction.on_commit(partial(_tell, send_email, draft_id))


def nudge_rewrite(rewrite_id: UUID, *, after: timedelta = timedelta(0)) -> None:
    """Have a worker write the draft anew once the current transaction is committed."""
    note_nudge(DraftRewrite, rewrite_id)
    transaction.on_commit(partial(_tell, rewrite_email, rewrite_id, after=after))


def nudge_document(document_id: UUID, *, after: timedelta = timedelta(0)) -> None:
    """Have a worker prepare the document once the current transaction is committed."""
    note_nudge(Document, document_id)
    transaction.on_commit(partial(_tell, index_document, document_id, after=after))


def nudge_upload(upload_id: UUID) -> None:
    """Have a worker read the file once the current transaction is committed."""
    note_nudge(Upload, upload_id)
    transaction.on_commit(partial(_tell, read_upload, upload_id))


def nudge_reembedding(organization_id: int) -> None:
    """Have a worker go on with the change of the embedding model once the current transaction is committed."""
    transaction.on_commit(partial(_tell, reembed_knowledge, organization_id))


def nudge_knowledge(organization_id: int) -> None:
    """Have a worker see what changed AI settings mean for the knowledge base, once they are committed."""
    transaction.on_commit(partial(_tell, follow_embedding_model, organization_id))


def _tell(task: "Task[Any, None]", *row_id: UUID | int, after: timedelta = timedelta(0)) -> None:
    if after > LONGEST_COUNTDOWN:
        return
    try:
        task.apply_async(
            [one if isinstance(one, int) else str(one) for one in row_id],
            countdown=after.total_seconds() or None,
            retry=False,
        )
    except (OperationalError, RedisError, OSError):
        # RedisError too: kombu hands on as they are what a full or read-only Redis answers.
        logger.warning("The broker did not take a nudge for %s %s; the sweep will", task.name, *row_id or ("",))


@worker_init.connect
def _warm(**_: object) -> None:
    """Import what costs seconds before the first lead waits for it, and before the worker forks: once for all."""
    for name in ("leadagent.leads.running.agents", "pydantic_ai.models.openai"):
        import_module(name)
