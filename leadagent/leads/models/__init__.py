"""Leads, the workflow that answers them, and what the organisation knows."""

from leadagent.leads.models.draft import DraftStatus, EmailDraft
from leadagent.leads.models.knowledge import Chunk, Document, DocumentStatus
from leadagent.leads.models.lead import Category, Lead, LeadSource, LeadStatus
from leadagent.leads.models.note import LeadNote
from leadagent.leads.models.workflow import (
    ACTIVE,
    OPEN,
    Qualification,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
)

__all__ = [
    "ACTIVE",
    "OPEN",
    "Category",
    "Chunk",
    "Document",
    "DocumentStatus",
    "DraftStatus",
    "EmailDraft",
    "Lead",
    "LeadNote",
    "LeadSource",
    "LeadStatus",
    "Qualification",
    "RunStatus",
    "Step",
    "StepName",
    "StepStatus",
    "WorkflowRun",
]
