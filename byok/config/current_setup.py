"""What the settings page tells about the stored configuration. Nothing here opens a key or asks a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from byok.catalog.ending import EndingModel, ending_models
from byok.catalog.recommendations import OPERATION_LABELS
from byok.checking.reports import ConnectionReport
from byok.config.ai_config import EffectiveConfig
from byok.config.values import CHAT_OPERATIONS, OPERATIONS
from byok.keys.credentials import REFUSED
from byok.keys.stored import consequences_of_removal
from byok.models import PLATFORM_DEFAULT, CredentialStatus, ProviderCredential, SupersededKey
from byok.provider_names import provider_label
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization

# How a key's state is shown: component kind of the status line.
_KINDS = {
    CredentialStatus.UNTESTED: "idle",
    CredentialStatus.OK: "good",
    CredentialStatus.REJECTED: "bad",
    CredentialStatus.NO_CREDIT: "warn",
    CredentialStatus.UNREACHABLE: "warn",
    CredentialStatus.UNREADABLE: "bad",
}


@dataclass(frozen=True, slots=True)
class ShownKey:
    """One stored key as the page shows it. `in_use`: the chat provider's. `replaced`: can be brought back."""

    row: ProviderCredential
    in_use: bool
    replaced: SupersededKey | None
    consequences: list[str]

    @property
    def provider_label(self) -> str:
        return provider_label(self.row.provider)

    @property
    def named(self) -> dict[str, str]:
        """Hidden fields of what is confirmed about it: see `is_key_named`."""
        return name_key(self.row)

    @property
    def is_offered(self) -> bool:
        """Whether its provider can be asked about it: one that was taken out of the registry cannot."""
        return self.row.provider in REGISTRY

    @property
    def kind(self) -> str:
        return _KINDS[CredentialStatus(self.row.status)]

    @property
    def needs_a_key(self) -> bool:
        """Only another key mends it."""
        return self.row.status in REFUSED

    @property
    def remedy(self) -> str:
        """The words of the link to the key field, where only a key helps."""
        return "Enter it below" if self.row.status == CredentialStatus.UNREADABLE else "Enter a new key"

    @property
    def report(self) -> ConnectionReport | None:
        """The last capability report, where there was one."""
        return ConnectionReport.from_json(self.row.report) if self.row.report else None

    @property
    def due_for_rotation(self) -> int | None:
        """The key's age in days once it is time for a new one, else None."""
        return self.row.age_in_days if self.row.is_due_for_rotation else None

    @property
    def key_page(self) -> str:
        return REGISTRY[self.row.provider].key_page if self.is_offered else ""


@dataclass(frozen=True, slots=True)
class CurrentSetup:
    """The stored configuration in the page's words."""

    config: EffectiveConfig
    keys: list[ShownKey]
    # Of the chosen models, and those that take over, the ones whose last day is known.
    ending: list[EndingModel]

    @property
    def provider_label(self) -> str:
        return provider_label(self.config.provider)

    @property
    def on_platform(self) -> bool:
        return self.config.provider == PLATFORM_DEFAULT

    @property
    def key(self) -> ShownKey | None:
        return next((key for key in self.keys if key.in_use), None)

    @property
    def differing_models(self) -> list[tuple[str, str]]:
        """Operation and its model, where it is not the general chat model."""
        models = self.config.operation_models
        return [(OPERATION_LABELS[name], models[name]) for name in CHAT_OPERATIONS if models.get(name)]

    @property
    def further_models(self) -> list[tuple[str, list[str]]]:
        """Operation and the models that take over from its own, in order."""
        found = ((OPERATION_LABELS[name], self.config.further_models_for(name)) for name in OPERATIONS)
        return [(label, models) for label, models in found if models]

    @property
    def embedding_note(self) -> str:
        """Whose key pays for embeddings, where that is not the chat provider's."""
        chosen = self.config.embedding_provider
        if not chosen or chosen == self.config.provider:
            return ""
        return "platform AI" if chosen == PLATFORM_DEFAULT else f"{provider_label(chosen)} key"


def name_key(row: ProviderCredential) -> dict[str, str]:
    """Which key a confirmation is about, as fields of its form: another one may be saved while it is open."""
    return {"saved_at": row.saved_at.isoformat()}


def is_key_named(row: ProviderCredential, posted: Mapping[str, object]) -> bool:
    """Whether a confirmation is about the key that the row holds now; one that names none is."""
    return all(posted.get(name, value) == value for name, value in name_key(row).items())


def current_setup_of(organization: Organization, config: EffectiveConfig) -> CurrentSetup:
    """Two queries and two per stored key, whatever is stored."""
    # The one in use first: its actions follow its facts. Then in the registry's order, and after it those
    # of providers that were taken out of it: they can still be removed.
    order = list(dict.fromkeys([config.provider, *REGISTRY, *sorted(config.credentials)]))
    rows = [config.credentials[provider] for provider in order if provider in config.credentials]
    replaced = {
        kept.credential_id: kept
        for kept in SupersededKey.objects.filter(credential__in=rows, undo_until__gt=timezone.now())
    }
    keys = [
        ShownKey(
            row=row,
            in_use=row.provider == config.provider,
            replaced=replaced.get(row.pk),
            consequences=consequences_of_removal(organization, row.provider),
        )
        for row in rows
    ]
    return CurrentSetup(config, keys, ending_models(organization, config))
