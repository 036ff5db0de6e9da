"""Leads, the workflow that answers them, and what the organisation knows."""

from leadagent.leads.models.agent_step import AgentStep, AgentStepKind, AgentStepState
from leadagent.leads.models.delivery import DeliveryKind, DeliveryReport
from leadagent.leads.models.draft import DraftStatus, EmailDraft
from leadagent.leads.models.knowledge import (
    Chunk,
    ChunkVector,
    Document,
    DocumentKind,
    DocumentStatus,
    KnowledgeIndex,
    ReembeddingState,
    Upload,
    UploadStatus,
)
from leadagent.leads.models.lead import Category, Lead, LeadSource, LeadStatus
from leadagent.leads.models.lead_import import MOVING, ImportRow, ImportStatus, LeadImport, RowOutcome
from leadagent.leads.models.note import LeadNote
from leadagent.leads.models.prompt import PromptChoice, PromptVersion
from leadagent.leads.models.revision import DraftRevision, DraftRewrite, RevisionKind, RewriteStatus
from leadagent.leads.models.verdict import Qualification, QuotedReason
from leadagent.leads.models.voice import Language, Tone, Voice
from leadagent.leads.models.webhook import LeadEvent, LeadWebhook, WebhookDelivery
from leadagent.leads.models.workflow import (
    ACTIVE,
    OPEN,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
    found_by_research,
)

__all__ = [
    "ACTIVE",
    "MOVING",
    "OPEN",
    "AgentStep",
    "AgentStepKind",
    "AgentStepState",
    "Category",
    "Chunk",
    "ChunkVector",
    "DeliveryKind",
    "DeliveryReport",
    "Document",
    "DocumentKind",
    "DocumentStatus",
    "DraftRevision",
    "DraftRewrite",
    "DraftStatus",
    "EmailDraft",
    "ImportRow",
    "ImportStatus",
    "KnowledgeIndex",
    "Language",
    "Lead",
    "LeadEvent",
    "LeadImport",
    "LeadNote",
    "LeadSource",
    "LeadStatus",
    "LeadWebhook",
    "PromptChoice",
    "PromptVersion",
    "Qualification",
    "QuotedReason",
    "ReembeddingState",
    "RevisionKind",
    "RewriteStatus",
    "RowOutcome",
    "RunStatus",
    "Step",
    "StepName",
    "StepStatus",
    "Tone",
    "Upload",
    "UploadStatus",
    "Voice",
    "WebhookDelivery",
    "WorkflowRun",
    "found_by_research",
]
