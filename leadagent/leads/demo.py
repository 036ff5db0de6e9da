"""The demo organisation: people of every role, a sandbox key, leads with their answers and usage."""

import json
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from byok.config.saving import save_ai_config
from byok.models import AIConfig
from leadagent.leads.demo_leads import DEMO_LEADS, DemoLead
from leadagent.leads.emails.writing import Email, create_draft
from leadagent.leads.models import (
    DraftStatus,
    Lead,
    LeadSource,
    LeadStatus,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
)
from leadagent.tenants.models import Membership, Organization, Role, User
from usage.demo_history import seed_history

# Good for the sandbox only: no real service knows it.
SANDBOX_KEY = "sk-or-v1-sandbox-demo-000000000000000000000000000000"

_PEOPLE = (
    ("admin@demo.test", "Ada", "Admin", Role.ADMIN),
    ("member@demo.test", "Mo", "Member", Role.MEMBER),
    ("viewer@demo.test", "Vi", "Viewer", Role.VIEWER),
)

# What became of run, draft and lead, by the demo lead's outcome.
_ENDS = {
    "review": (RunStatus.AWAITING_REVIEW, DraftStatus.DRAFT, LeadStatus.REVIEW),
    "sent": (RunStatus.DONE, DraftStatus.SENT, LeadStatus.ANSWERED),
    "discarded": (RunStatus.DONE, DraftStatus.DISCARDED, LeadStatus.CLOSED),
}
_SECONDS = {StepName.RESEARCH: 14.2, StepName.QUALIFICATION: 3.1, StepName.EMAIL_GENERATION: 4.6}


def seed_demo() -> None:
    """Bring the demo into the database; what is there already stays as it is."""
    organization, _ = Organization.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
    for email, first_name, last_name, role in _PEOPLE:
        user = _person(email, first_name=first_name, last_name=last_name)
        Membership.objects.get_or_create(organization=organization, user=user, defaults={"role": role})
    _person("support@demo.test", first_name="Su", last_name="Support", is_staff=True)
    admin = User.objects.get(email="admin@demo.test")
    if settings.SANDBOX_ENABLED and not AIConfig.objects.filter(organization=organization, version__gt=0).exists():
        save_ai_config(
            organization,
            provider="openrouter",
            chat_model="anthropic/claude-sonnet-5.5",
            embedding_model="openai/text-embedding-3-small",
            api_key=SANDBOX_KEY,
            actor=admin,
        )
    member = User.objects.get(email="member@demo.test")
    for demo in DEMO_LEADS:
        if not organization.leads.filter(idempotency_key=demo.key).exists():
            _lead(organization, demo, member)
    seed_history(organization)


def _person(email: str, **names: object) -> User:
    """A person with a verified address and the demo's password, which may have changed since the last start."""
    user, _ = User.objects.get_or_create(email=email, defaults=names)
    if not user.check_password(settings.DEMO_PASSWORD):
        user.set_password(settings.DEMO_PASSWORD)
        user.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return user


@transaction.atomic
def _lead(organization: Organization, demo: DemoLead, member: User) -> None:
    """A lead and how it ended. Stored data only: no AI is called and no worker has anything to do."""
    came_in = timezone.now() - timedelta(days=demo.days_ago)
    run_status, draft_status, lead_status = _ENDS.get(demo.outcome, (None, None, LeadStatus.NEW))
    lead = Lead.objects.create(
        organization=organization,
        idempotency_key=demo.key,
        name=demo.name,
        email=demo.email,
        company=demo.company,
        message=demo.message,
        source=LeadSource.FORM,
        status=lead_status,
        category=demo.category or "",
        assigned_to=member if draft_status == DraftStatus.SENT else None,
        created_at=came_in,
        last_activity_at=came_in,
    )
    if run_status is None or draft_status is None:
        return
    decided_at = came_in + timedelta(hours=2)
    run = WorkflowRun.objects.create(
        organization=organization,
        lead=lead,
        status=run_status,
        category=demo.category or "",
        reason=demo.reason,
        confidence=demo.confidence,
        reasons=[reason.as_json() for reason in demo.reasons],
        created_at=came_in,
        updated_at=came_in,
        finished_at=decided_at if run_status == RunStatus.DONE else None,
    )
    _steps(run, demo, came_in)
    _draft(run, demo, draft_status, decided_at=decided_at, member=member)


def _steps(run: WorkflowRun, demo: DemoLead, at: datetime) -> None:
    look_up = {
        "tool": "crm_search",
        "arguments": json.dumps({"company_or_domain": demo.company}, ensure_ascii=False),
        "answer": f"No other lead matches {demo.company!r}.",
    }
    results: dict[StepName, dict[str, Any]] = {
        StepName.RESEARCH: {"report": demo.report, "tool_calls": [look_up], "requests": 2},
        StepName.QUALIFICATION: {"category": demo.category, "reason": demo.reason, "confidence": demo.confidence},
        StepName.EMAIL_GENERATION: {"subject": demo.subject},
    }
    for position, (name, result) in enumerate(results.items(), start=1):
        ended = at + timedelta(seconds=_SECONDS[name])
        Step.objects.create(
            run=run,
            name=name,
            position=position,
            status=StepStatus.SUCCEEDED,
            attempts=1,
            result=result,
            started_at=at,
            finished_at=ended,
        )
        at = ended


def _draft(run: WorkflowRun, demo: DemoLead, status: DraftStatus, *, decided_at: datetime, member: User) -> None:
    draft = create_draft(run, Email(subject=demo.subject, body=demo.body))
    if status == DraftStatus.SENT:
        draft.approved_by, draft.approved_at, draft.sent_at = member, decided_at, decided_at
    draft.status = status
    draft.save(update_fields=["status", "approved_by", "approved_at", "sent_at"])
