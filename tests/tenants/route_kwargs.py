"""Where the route test gets rows for addresses that name one.

A route with more in its address than the organisation is listed here, by its name: the
function makes the row in the organisation it is given and returns the rest of the address.
"""

from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.utils import timezone

from byok.config.saving import save_ai_config
from byok.pricing.negotiated import add_negotiated_price
from leadagent.leads.importing.imports import take_file
from leadagent.leads.inbox.intake import take_in
from leadagent.leads.inbox.notes import add_note
from leadagent.leads.models import Document, EmailDraft, LeadSource, RunStatus, StepName, Upload, WorkflowRun
from leadagent.leads.outcomes.webhooks import add_webhook
from leadagent.leads.prompts.versions import save_prompt
from leadagent.leads.running.comparing import start_comparison
from leadagent.tenants.invitations import invite
from leadagent.tenants.models import ApiToken, Organization, Role
from tests.byok.catalog_rows import add_model
from tests.factories import MembershipFactory, UserFactory
from usage.calls.exports import file_of
from usage.models import ExportState, UsageExport

MakeRow = Callable[[Organization], dict[str, Any]]


def _member(organization: Organization) -> dict[str, Any]:
    return {"membership_id": MembershipFactory(organization=organization).pk}


def _invitation(organization: Organization) -> dict[str, Any]:
    made = invite(organization, email="invited@example.test", role=Role.VIEWER, invited_by=UserFactory())
    return {"invitation_id": made.pk}


def _token(organization: Organization) -> dict[str, Any]:
    token, _ = ApiToken.issue(organization, name="Zapier", scopes=["usage:read"], created_by=None)
    return {"token_id": token.pk}


def _run(organization: Organization) -> WorkflowRun:
    fields = {"name": "Jo Bloggs", "email": "jo@example.test", "company": "", "phone": "", "message": "Hello"}
    lead, _ = take_in(organization, fields, source=LeadSource.PAGE)
    return lead.runs.get()


def _lead(organization: Organization) -> dict[str, Any]:
    return {"lead_id": _run(organization).lead_id}


def _run_id(organization: Organization) -> dict[str, Any]:
    return {"run_id": _run(organization).pk}


def _comparison(organization: Organization) -> dict[str, Any]:
    first = _run(organization)
    WorkflowRun.objects.filter(pk=first.pk).update(status=RunStatus.AWAITING_REVIEW)
    return {"run_id": start_comparison(first.lead, {"research": "gpt-4o"}).pk}


def _import(organization: Organization) -> dict[str, Any]:
    by = MembershipFactory(organization=organization).user
    return {"import_id": take_file(organization, "leads.csv", b"email,message\na@b.test,Hello\n", by=by).pk}


def _draft(organization: Organization) -> dict[str, Any]:
    draft = EmailDraft.objects.create(run=_run(organization), subject="Hello", body="Hello", message_id="<1@test>")
    return {"draft_id": draft.pk}


def _note(organization: Organization) -> dict[str, Any]:
    return {"note_id": add_note(_run(organization).lead, "Called twice", by=None).pk}


def _upload(organization: Organization) -> dict[str, Any]:
    row = Upload.objects.create(organization=organization, name="prices.pdf", size=1, status="failed")
    return {"upload_id": row.pk}


def _webhook(organization: Organization) -> dict[str, Any]:
    made, _ = add_webhook(
        organization, url="https://hooks.example.com/leads", events=["lead.created"], by=UserFactory()
    )
    return {"webhook_id": made.pk}


def _document(organization: Organization) -> dict[str, Any]:
    document = Document.objects.create(organization=organization, title="Prices", content="Ten dollars")
    return {"document_id": document.pk}


def _stored_key(organization: Organization) -> dict[str, Any]:
    save_ai_config(
        organization, provider="openai", chat_model="gpt-4o", api_key="sk-proj-0123456789abcdef0123456789wxyz"
    )
    return {"provider": "openai"}


def _replaced_key(organization: Organization) -> dict[str, Any]:
    named = _stored_key(organization)
    save_ai_config(
        organization, provider="openai", chat_model="gpt-4o", api_key="sk-proj-fedcba9876543210fedcba9876wxyz"
    )
    return named


def _negotiated_price(organization: Organization) -> dict[str, Any]:
    price = add_negotiated_price(
        organization,
        provider="openai",
        model="gpt-4o",
        prices={"input_price": Decimal(2), "output_price": Decimal(8)},
        starts_on=timezone.now().astimezone(UTC).date(),
    )
    return {"price_id": price.pk}


def _provider(organization: Organization) -> dict[str, Any]:
    return {"provider": "openrouter"}


def _own_model(organization: Organization) -> dict[str, Any]:
    made = add_model("own/fine-tuned", organization=organization)
    return {"provider": made.route, "model_id": made.model_id}


def _connect_state(organization: Organization) -> dict[str, Any]:
    return {"state": "A" * 43}


def _ready_export(organization: Organization) -> dict[str, Any]:
    export = UsageExport.objects.create(organization=organization, format="csv", state=ExportState.READY)
    path = file_of(export)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"id\n")
    return {"export_id": export.pk}


def _prompt(organization: Organization) -> dict[str, Any]:
    return {"operation": "research"}


def _prompt_version(organization: Organization) -> dict[str, Any]:
    save_prompt(organization, StepName.RESEARCH, "Look them up.", by=UserFactory(), seen=0)
    return {"operation": "research", "number": 1}


# What these name belongs to no organisation: every admin finds it under their own address.
NAMES_NO_ROW = {
    "byok:onboarding_key": "a provider",
    "leads:prompt": "an operation",
    "leads:prompt_choose": "an operation",
}
# What these name is in one person's session: nobody finds it by signing in.
IN_ONE_SESSION = {"byok:connect_callback": "a connection that was begun there"}

ROUTE_KWARGS: dict[str, MakeRow] = {
    "tenants:member_role": _member,
    "tenants:member_remove": _member,
    "tenants:invitation_resend": _invitation,
    "tenants:invitation_withdraw": _invitation,
    "tenants:token_revoke": _token,
    "byok:catalog_model": _own_model,
    "byok:remove_key": _stored_key,
    "byok:onboarding_key": _provider,
    "byok:connect_callback": _connect_state,
    "byok:price_end": _negotiated_price,
    "byok:recheck_key": _stored_key,
    "byok:undo_replacement": _replaced_key,
    "usage:export_file": _ready_export,
    "leads:detail": _lead,
    "leads:assign": _lead,
    "leads:close": _lead,
    "leads:reopen": _lead,
    "leads:note_add": _lead,
    "leads:note_edit": _note,
    "leads:note_delete": _note,
    "leads:webhook": _webhook,
    "leads:webhook_test": _webhook,
    "leads:webhook_secret": _webhook,
    "leads:webhook_delete": _webhook,
    "leads:run_start": _lead,
    "leads:import": _import,
    "leads:import_cancel": _import,
    "leads:import_rejected": _import,
    "leads:compare_new": _lead,
    "leads:compare": _comparison,
    "leads:compare_use": _comparison,
    "leads:run_resume": _run_id,
    "leads:run_fallback": _run_id,
    "leads:run_cancel": _run_id,
    "leads:draft_save": _draft,
    "leads:draft_approve": _draft,
    "leads:draft_discard": _draft,
    "leads:draft_schedule": _draft,
    "leads:draft_unschedule": _draft,
    "leads:draft_rewrite": _draft,
    "leads:draft_rewrite_cancel": _draft,
    "leads:draft_rewrite_fallback": _draft,
    "leads:draft_restore": _draft,
    "leads:draft_history": _draft,
    "leads:prompt": _prompt,
    "leads:prompt_choose": _prompt,
    "leads:prompt_version": _prompt_version,
    "leads:knowledge_document": _document,
    "leads:knowledge_again": _document,
    "leads:knowledge_delete": _document,
    "leads:knowledge_rename": _document,
    "leads:knowledge_replace": _document,
    "leads:knowledge_replace_file": _document,
    "leads:knowledge_dismiss": _upload,
}
