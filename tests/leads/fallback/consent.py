"""What an organisation says about the platform's AI in place of its own key, and what was told about its use."""

from typing import Any

from django.test import Client

from byok.errors import AIError
from byok.models import AIConfig
from leadagent.leads.models import WorkflowRun
from leadagent.tenants.models import AuditEvent, Organization

REASON = "OpenAI refused the key"
LINE = f"with the platform&#x27;s AI, because {REASON}."


def trouble(code: str = "invalid_key") -> AIError:
    return AIError(code, provider="openai")


def say(organization: Organization, word: str, *operations: str) -> None:
    """Acme has a provider of its own and says `word` for the operations, all chat ones by default."""
    names = operations or ("research", "qualification", "email_generation")
    AIConfig.objects.update_or_create(
        organization=organization,
        defaults={
            "provider": "openai",
            "chat_model": "gpt",
            "embedding_provider": "openai",
            "embedding_model": "text-embedding-3-small",
            "fallback": dict.fromkeys(names, word),
        },
    )


def told(action: str) -> list[tuple[str, Any]]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk").values_list("target", "after"))


def page(client: Client, run: WorkflowRun) -> str:
    return client.get(f"/o/acme/leads/{run.lead_id}/").content.decode()
