"""What saved AI settings mean for work that waits for them: workers are told at once, not at the next sweep."""

from typing import Any

from django.db.models.signals import post_save

from byok.models import AIConfig, ProviderCredential
from leadagent.leads.models import Document
from usage.models import Budget


def _tell(instance: AIConfig | ProviderCredential | Budget, **_: Any) -> None:
    from leadagent.leads.tasks import nudge_knowledge

    if Document.objects.filter(organization_id=instance.organization_id).exists():
        nudge_knowledge(instance.organization_id)


def listen_to_ai_settings() -> None:
    """Called once, when the app is ready."""
    for model in (AIConfig, ProviderCredential, Budget):
        post_save.connect(_tell, sender=model, dispatch_uid=f"leads follow {model.__name__}")
