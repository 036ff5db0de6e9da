"""Letting the platform's AI do a rewrite for which the own key failed, where the organisation leaves that to people."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from byok.calls import platform_fallback as fallback
from leadagent.leads.emails.rewriting import newest_rewrite
from leadagent.leads.models import DraftRewrite, EmailDraft, RewriteStatus, StepName
from leadagent.leads.running.run_state import lock_run
from leadagent.tenants import audit
from leadagent.tenants.models import User


class NothingToGrant(Exception):
    """There is no rewrite that the platform's AI could do. The text is for the person who asked."""


def may_grant(draft: EmailDraft, rewrite: DraftRewrite | None) -> bool:
    """Whether a person may let the platform's AI do this rewrite: once, while its text is still the draft's."""
    return (
        rewrite is not None
        and rewrite.status == RewriteStatus.FAILED
        and not rewrite.platform_granted
        and draft.is_editable
        and bool(fallback.operations_to_grant(draft.run.organization, StepName.EMAIL_GENERATION, rewrite.error_code))
    )


def grant_rewrite(draft: EmailDraft, *, by: User, request: HttpRequest | None = None) -> DraftRewrite:
    """Have the failed rewrite done by the platform's AI; it waits for a worker again. Raises `NothingToGrant`."""
    with transaction.atomic():
        run = lock_run(draft.run_id)
        current = EmailDraft.objects.select_related("run__organization").get(pk=draft.pk)
        rewrite = newest_rewrite(current)
        if run is None or rewrite is None or not may_grant(current, rewrite):
            raise NothingToGrant("There is no rewrite that the platform's AI could do.")
        audit.record(
            "fallback.granted",
            organization=run.lead.organization,
            actor=by,
            target=f"email {draft.pk}",
            after={"operations": [StepName.EMAIL_GENERATION.value], "because": rewrite.error_code},
            request=request,
        )
        rewrite.platform_granted = True
        rewrite.status = RewriteStatus.WAITING
        rewrite.attempts = 0
        rewrite.error_code = rewrite.error_sentence = ""
        rewrite.claimed_at = rewrite.heard_at = rewrite.next_attempt_at = rewrite.finished_at = None
        rewrite.save()
    return rewrite
