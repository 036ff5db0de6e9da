"""An organisation in which every stored text, wherever it may come from, is a hostile one."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.config.saving import save_ai_config
from byok.models import (
    AIConfig,
    Announcement,
    CatalogChange,
    CatalogDigest,
    CatalogSync,
    DatedPrice,
    KeyUseDay,
    ProviderCredential,
    SealingSecret,
    SupersededKey,
)
from leadagent.leads.models import (
    AgentStep,
    Chunk,
    DeliveryReport,
    Document,
    DraftRevision,
    DraftRewrite,
    EmailDraft,
    ImportRow,
    KnowledgeIndex,
    Lead,
    LeadImport,
    LeadNote,
    LeadSource,
    PromptChoice,
    PromptVersion,
    Step,
    StepName,
    Upload,
    Voice,
    WebhookDelivery,
    WorkflowRun,
)
from leadagent.leads.outcomes.webhooks import add_webhook
from leadagent.tenants import audit
from leadagent.tenants.invitations import invite
from leadagent.tenants.models import ApiToken, Organization, Role, User
from tests.byok.catalog_rows import add_model
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory
from usage.models import (
    AIUsage,
    AlertDelivery,
    AlertSent,
    AlertSettings,
    Budget,
    CostAlert,
    DeadLetter,
    DroppedMonth,
    FreeTierMonth,
    UnsettledCall,
    UsageDaily,
    UsageExport,
    UsageInbox,
)
from usage.recording.events import event_id_at

SEPARATOR = " ¦ "

# Not texts that a page shows, or what an address or a sign-in needs to be whole.
_LEFT_ALONE = {
    "slug", "password", "sealed_key", "key_id", "fingerprint", "token_hash", "message_id", "idempotency_key",
    "external_id",
}  # fmt: skip


@dataclass
class HostileTenant:
    """The organisation, its admin, and the ids that its addresses name."""

    number: int
    organization: Organization
    admin: User
    ids: dict[str, Any] = field(default_factory=dict)
    # "Model.field" that hold the payload.
    poisoned: set[str] = field(default_factory=set)

    def poison(self, row: models.Model, payload: str, **more: Any) -> None:
        """Write `payload` into every free text of a row, past every form and validator.

        A column that is too short for the three scripts of `payload` gets one of them, another in each tenant.
        """
        values: dict[str, Any] = {}
        for column in row._meta.concrete_fields:
            is_text = isinstance(column, models.CharField | models.TextField)
            if not is_text or column.choices or column.name in _LEFT_ALONE or column.primary_key:
                continue
            scripts = payload.split(SEPARATOR)
            is_short = column.max_length is not None and column.max_length < len(payload)
            text = scripts[(len(column.name) + self.number) % len(scripts)] if is_short else payload
            if isinstance(column, models.EmailField):
                text = f"{text}@x.test"
            if column.unique:
                text = f"{row.pk}{text}"
            values[column.name] = text[: column.max_length] if column.max_length else text
        values |= more
        type(row)._base_manager.filter(pk=row.pk).update(**values)
        self.poisoned |= {f"{type(row).__name__}.{name}" for name in values}


@transaction.atomic
def make_hostile(number: int, scripts: Sequence[str]) -> HostileTenant:
    """One organisation of everything there is, each text of it the given scripts."""
    payload = SEPARATOR.join(scripts)
    organization = OrganizationFactory(name=f"Hostile {number}", slug=f"hostile-{number}")
    admin = MembershipFactory(organization=organization, role=Role.ADMIN).user
    tenant = HostileTenant(number, organization, admin)
    other = MembershipFactory(organization=organization, role=Role.MEMBER)
    tenant.ids["membership_id"] = other.pk
    for user in (admin, other.user, invited_by := UserFactory()):
        # The address stays whole: it is what signs in, and allauth looks it up.
        tenant.poison(user, payload, email=user.email)
    invitation = invite(organization, email=f"invited{number}@x.test", role=Role.VIEWER, invited_by=invited_by)
    tenant.ids["invitation_id"] = invitation.pk
    tenant.poison(invitation, payload)
    token, _ = ApiToken.issue(organization, name="CI", scopes=["usage:read"], created_by=admin)
    tenant.ids["token_id"] = token.pk
    tenant.poison(token, payload)
    _keys(tenant, payload)
    _models(tenant, payload)
    _leads(tenant, payload)
    _usage(tenant, payload)
    _operations(tenant, payload)
    audit.record(
        payload[:60], organization=organization, actor=admin, target=payload,
        before={"name": payload, payload: "x"}, after={"name": f"{payload}!", payload: [payload]},
    )  # fmt: skip
    tenant.poison(organization, payload)
    return tenant


def _keys(tenant: HostileTenant, payload: str) -> None:
    organization = tenant.organization
    for key in ("sk-or-v1-0123456789abcdef0123", "sk-or-v1-abcdef0123456789abcd"):
        save_ai_config(organization, provider="openrouter", chat_model="openai/gpt-4o", api_key=key)
    tenant.ids["provider"] = "openrouter"
    line = ReportLine("key", payload, LineState.FAILED, payload, payload, "invalid_key", payload)
    report = ConnectionReport("openrouter", timezone.now(), [line]).as_json()
    now = timezone.now()
    tenant.poison(
        ProviderCredential.objects.get(organization=organization), payload,
        report=report, status="rejected", checked_at=now, last4=payload[:4],
    )  # fmt: skip
    tenant.poison(SupersededKey.objects.get(credential__organization=organization), payload, last4=payload[:4])
    tenant.poison(
        AIConfig.objects.get(organization=organization), payload,
        operation_models={"research": payload, "qualification": payload}, updated_by=tenant.admin,
    )  # fmt: skip
    CostAlert.objects.create(
        organization=organization, enabled=True, monthly_threshold=Decimal(5), email=f"{payload}@x.test"[-254:]
    )
    price = DatedPrice.objects.create(
        organization=organization, route="openrouter", model_id="x", effective_from=now, created_by=tenant.admin,
        source="negotiated", input_price=Decimal(1),
    )  # fmt: skip
    tenant.ids["price_id"] = price.pk
    tenant.poison(price, payload)
    export = UsageExport.objects.create(
        organization=organization, requested_by=tenant.admin, format="csv", wanted={"model": payload}
    )
    tenant.ids["export_id"] = export.pk
    tenant.poison(export, payload)
    KeyUseDay.objects.create(
        organization=organization, credential_id=uuid.uuid4(), provider="openrouter", day=now.date(), calls=1,
        operations={payload: 1},
    )  # fmt: skip


def _models(tenant: HostileTenant, payload: str) -> None:
    """A fine-tuned model of its own, as a provider may name it, its prices and what changed about it."""
    model = add_model("x", organization=tenant.organization)
    tenant.poison(model, payload, input_modalities=[payload[:20]], output_modalities=[payload[:20]])
    model.refresh_from_db()
    tenant.ids["model_id"] = model.model_id
    sync = CatalogSync.objects.create(source="openai", organization=tenant.organization)
    CatalogChange.objects.create(
        sync=sync, kind="retired", organization=tenant.organization, route=model.route, model_id=model.model_id,
        before={"input_price": payload, "successor": payload}, after={"retired_on": payload, "successor": payload},
    )  # fmt: skip
    DatedPrice.objects.create(
        route=model.route,
        model_id=model.model_id,
        effective_from=timezone.now(),
        source=payload[:60],
        note=payload[:200],
    )


def _leads(tenant: HostileTenant, payload: str) -> None:
    organization = tenant.organization
    lead = Lead.objects.create(
        organization=organization, name="x", email="x@x.test", message="x", source=LeadSource.FORM, status="review"
    )
    tenant.poison(lead, payload)
    reasons = [{"statement": payload, "quote": payload, "source": source} for source in ("report", "message", "")]
    # The run's draft was taken over from a comparison with an earlier one: both are on the page of the comparison.
    earlier = WorkflowRun.objects.create(
        organization=organization,
        lead=lead,
        status="cancelled",
        category="QUALIFIED",
        confidence=0.5,
        reasons=reasons,
    )
    tenant.poison(earlier, payload)
    tenant.poison(
        EmailDraft.objects.create(run=earlier, subject="x", body="x", message_id=f"<earlier-{organization.pk}@x.test>"),
        "other",
    )
    run = WorkflowRun.objects.create(
        organization=organization,
        lead=lead,
        status="awaiting_review",
        category="QUALIFIED",
        confidence=0.5,
        reasons=reasons,
        compared_with=earlier,
        chosen_models={"research": payload},
    )
    tenant.poison(run, payload)
    for position, name in enumerate(StepName, start=1):
        step = Step.objects.create(run=run, name=name, position=position, status="succeeded", attempts=1)
        call = {"tool": payload, "arguments": json.dumps({"q": payload}), "answer": payload}
        result = {"report": f"# {payload}\n\n{payload}\n\n[{payload}]({payload})", "tool_calls": [call], "requests": 1}
        read = {"number": 1, "kind": payload, "title": payload, "url": payload, "ref": payload}
        page = {"number": 2, "kind": "page", "title": payload, "url": "https://x.test.example/?" + payload, "ref": ""}
        result |= {"sources": [read, page], "cited": [1], "dropped_citations": 1, "gaps": [payload]}
        tenant.poison(step, payload, result=result | {"category": "QUALIFIED", "subject": payload})
    for position, kind in enumerate(("model", "tool"), start=1):
        done = AgentStep.objects.create(
            run=run, attempt=1, position=position, kind=kind, name="x", started_at=timezone.now()
        )
        tenant.poison(done, payload, state="done")
    draft = EmailDraft.objects.create(run=run, subject="x", body="x", message_id=f"<{run.pk}@x.test>")
    tenant.poison(draft, payload)
    for number, kind in enumerate(("written", "edited"), start=1):
        text = DraftRevision.objects.create(
            draft=draft, number=number, kind=kind, subject="x", body="x", author=tenant.admin
        )
        tenant.poison(text, f"{payload} {number}")
    rewrite = DraftRewrite.objects.create(draft=draft, instruction="x", base_version=1, status="failed")
    tenant.poison(rewrite, payload)
    tenant.poison(DeliveryReport.objects.create(draft=draft, kind="returned"), payload)
    note = LeadNote.objects.create(organization=organization, lead=lead, author=tenant.admin, text="x")
    tenant.poison(note, payload)
    tenant.ids["note_id"] = note.pk
    document = Document.objects.create(
        organization=organization,
        title="x",
        content="x",
        status="failed",
        searchable_version=1,
        created_by=tenant.admin,
    )
    tenant.poison(document, payload)
    chunk = Chunk.objects.create(organization=organization, document=document, position=0, text="x")
    tenant.poison(chunk, payload, headings=[payload, payload])
    upload = Upload.objects.create(organization=organization, name="x", size=1, status="failed")
    tenant.poison(upload, payload)
    tenant.ids["upload_id"] = upload.pk
    index = KnowledgeIndex.objects.create(organization=organization, state="paused")
    # What is asked of a provider, and of which, is no text that a page shows.
    tenant.poison(index, payload, provider="openrouter", next_provider="openrouter")
    webhook, _ = add_webhook(organization, url="https://x.test/", events=["lead.created"], by=tenant.admin)
    told = WebhookDelivery.objects.create(webhook=webhook, lead=lead, event="x", key="x", payload={"type": payload})
    tenant.poison(told, payload)
    tenant.poison(webhook, payload)
    tenant.ids["webhook_id"] = webhook.pk
    tenant.ids |= {"lead_id": lead.pk, "run_id": run.pk, "draft_id": draft.pk, "document_id": document.pk}
    _voice_and_prompts(tenant, payload)
    imported = LeadImport.objects.create(
        organization=organization,
        file_name="x",
        content="",
        encoding="utf-8",
        delimiter=",",
        rows_total=1,
        status="done",
    )
    tenant.poison(imported, payload)
    row = ImportRow.objects.create(lead_import=imported, line=2, outcome="bad", cells=[payload])
    tenant.poison(row, payload)
    tenant.ids["import_id"] = imported.pk
    # A second lead whose run stopped shows the sentences of failures.
    stopped = Lead.objects.create(
        organization=organization, name="x", email="y@x.test", message="x", source=LeadSource.FORM, status="attention"
    )
    tenant.poison(stopped, payload)
    paused = WorkflowRun.objects.create(organization=organization, lead=stopped, status="paused")
    tenant.poison(paused, payload)
    step = Step.objects.create(run=paused, name=StepName.RESEARCH, position=1, status="failed", attempts=3)
    tenant.poison(step, payload)
    tenant.ids["stopped_lead_id"] = stopped.pk


def _voice_and_prompts(tenant: HostileTenant, payload: str) -> None:
    tenant.poison(Voice.objects.create(organization=tenant.organization, updated_by=tenant.admin), payload)
    version = PromptVersion.objects.create(
        organization=tenant.organization, operation="research", number=1, text="x", created_by=tenant.admin
    )
    tenant.poison(version, payload)
    PromptChoice.objects.create(
        organization=tenant.organization, operation="research", version=version, changed_by=tenant.admin
    )
    tenant.ids |= {"operation": "research", "number": 1}


def _usage(tenant: HostileTenant, payload: str) -> None:
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        "organization": tenant.organization, "operation": payload[:40], "provider": payload[:20], "model": payload,
        "key_owner": "customer",
    }  # fmt: skip
    AIUsage.objects.create(
        id=event_id_at(now), created_at=now, success=False, error_code=payload[:40], error_message=payload,
        provider_request_id=payload, price_version=payload[:60], **facts,
    )  # fmt: skip
    alert = AlertSent.objects.create(organization=tenant.organization, month=now.date().replace(day=1))
    tenant.poison(alert, payload)
    tenant.poison(AlertDelivery.objects.create(alert=alert, channel="email", state="failed"), payload)
    tenant.poison(AlertSettings.objects.create(organization=tenant.organization), payload)
    tenant.poison(Budget.objects.create(organization=tenant.organization, operation="x", soft=1, hard=2), payload)
    for days in range(3):
        UsageDaily.objects.create(day=now.date() - timedelta(days=days), requests=1, successes=0, **facts)


def _operations(tenant: HostileTenant, payload: str) -> None:
    """What nobody but support staff sees: the state of the accounting, and what was sent to whom."""
    organization, now = tenant.organization, timezone.now()
    month = now.astimezone(UTC).date().replace(day=1)
    FreeTierMonth.objects.create(organization=organization, month=month, used=45)
    UsageInbox.objects.create(event_id=uuid.uuid4(), kind="finished", payload={"model": payload})
    letter = DeadLetter.objects.create(
        event_id=uuid.uuid4(), kind="unstorable", payload={"model": payload}, reason="x", received_at=now
    )
    tenant.poison(letter, payload)
    call = UnsettledCall.objects.create(
        usage_id=uuid.uuid4(), usage_created_at=now, organization=organization, provider="x", key_owner="customer",
        provider_request_id="x",
    )  # fmt: skip
    tenant.poison(call, payload)
    DroppedMonth.objects.get_or_create(month=date(2020, 1, 1), defaults={"rows": 1})
    CatalogDigest.objects.create(organization=organization)
    tenant.poison(Announcement.objects.create(organization=organization, name="x"), payload)
    SealingSecret.objects.get_or_create(key_id="0f1e2d3c")


def tenant_addresses(tenant: HostileTenant) -> Iterator[str]:
    """Every page of the tenant that a GET may open, its public form, and what support staff see of it."""
    from django.urls import reverse

    from tests.routes import ROUTES

    slug = tenant.organization.slug
    for route in ROUTES:
        if route.needed is None or not route.path.startswith("o/"):
            continue
        kwargs = {"org": slug} | {name: tenant.ids[name] for name in route.in_address if name in tenant.ids}
        missing = set(route.in_address) - set(kwargs)
        if missing - {"state"}:
            raise AssertionError(f"{route.name} names {missing}: make such a row in tests/security/hostile_tenant.py")
        if not missing:
            yield reverse(route.name, kwargs=kwargs)
    yield reverse("leads:detail", args=[slug, tenant.ids["stopped_lead_id"]])
    yield reverse("leads:intake", args=[slug])
    yield reverse("admin:tenants_organization_change", args=[tenant.organization.pk])


__all__ = ["HostileTenant", "make_hostile", "tenant_addresses"]
