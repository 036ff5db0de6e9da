"""What the settings page tells about the stored configuration. Nothing here opens a key or asks a provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from byok.config import CHAT_OPERATIONS, EffectiveConfig
from byok.models import PLATFORM_DEFAULT, CredentialStatus, ProviderCredential, SupersededKey
from byok.providers import REGISTRY
from byok.recommendations import OPERATION_LABELS
from byok.reports import ConnectionReport
from byok.stored_keys import consequences_of_removal
from leadagent.tenants.models import Organization

ROTATE_AFTER = timedelta(days=90)

# How a key's state is shown: component kind of the status line.
_KINDS = {
    CredentialStatus.UNTESTED: "idle",
    CredentialStatus.OK: "good",
    CredentialStatus.REJECTED: "bad",
    CredentialStatus.NO_CREDIT: "warn",
    CredentialStatus.UNREACHABLE: "warn",
    CredentialStatus.UNREADABLE: "bad",
}
# Only another key mends these.
_NEEDS_A_KEY = {CredentialStatus.REJECTED, CredentialStatus.UNREADABLE}


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One stored key as the page shows it. `in_use`: the chat provider's. `replaced`: can be brought back."""

    row: ProviderCredential
    in_use: bool
    replaced: SupersededKey | None
    consequences: list[str]

    @property
    def provider_label(self) -> str:
        return self.row.get_provider_display()

    @property
    def kind(self) -> str:
        return _KINDS[CredentialStatus(self.row.status)]

    @property
    def needs_a_key(self) -> bool:
        return self.row.status in _NEEDS_A_KEY

    @property
    def report(self) -> ConnectionReport | None:
        """The last capability report, where there was one."""
        return ConnectionReport.from_json(self.row.report) if self.row.report else None

    @property
    def due_for_rotation(self) -> int | None:
        """The key's age in days once it is time for a new one, else None."""
        age = timezone.now() - self.row.saved_at
        return age.days if age >= ROTATE_AFTER else None

    @property
    def key_page(self) -> str:
        return REGISTRY[self.row.provider].key_page


@dataclass(frozen=True, slots=True)
class CurrentSetup:
    """The stored configuration in the page's words."""

    config: EffectiveConfig
    keys: list[StoredKey]

    @property
    def provider_label(self) -> str:
        return provider_label(self.config.provider)

    @property
    def on_platform(self) -> bool:
        return self.config.provider == PLATFORM_DEFAULT

    @property
    def key(self) -> StoredKey | None:
        return next((key for key in self.keys if key.in_use), None)

    @property
    def other_keys(self) -> list[StoredKey]:
        return [key for key in self.keys if not key.in_use]

    @property
    def differing_models(self) -> list[tuple[str, str]]:
        """Operation and its model, where it is not the general chat model."""
        models = self.config.operation_models
        return [(OPERATION_LABELS[name], models[name]) for name in CHAT_OPERATIONS if models.get(name)]

    @property
    def embedding_note(self) -> str:
        """Whose key pays for embeddings, where that is not the chat provider's."""
        chosen = self.config.embedding_provider
        if not chosen or chosen == self.config.provider:
            return ""
        return "platform AI" if chosen == PLATFORM_DEFAULT else f"{provider_label(chosen)} key"


def provider_label(provider: str) -> str:
    """The name that people know a provider by; the platform's own AI included."""
    return REGISTRY[provider].label if provider in REGISTRY else "Platform AI"


def current_setup_of(organization: Organization, config: EffectiveConfig) -> CurrentSetup:
    """Two queries and one per stored key, whatever is stored."""
    rows = [config.credentials[provider] for provider in REGISTRY if provider in config.credentials]
    replaced = {
        kept.credential_id: kept
        for kept in SupersededKey.objects.filter(credential__in=rows, undo_until__gt=timezone.now())
    }
    keys = [
        StoredKey(
            row=row,
            in_use=row.provider == config.provider,
            replaced=replaced.get(row.pk),
            consequences=consequences_of_removal(organization, row.provider),
        )
        for row in rows
    ]
    return CurrentSetup(config, keys)
