"""What `aiConfig` of the TypeScript system becomes here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from byok.config.values import InvalidConfig, check_api_key
from byok.encryption import has_fingerprint
from byok.migrating.keys import open_legacy_key
from byok.migrating.models import map_chat_model, map_embedding_model
from byok.migrating.tenant_file import AIConfigRecord
from byok.models import PLATFORM_DEFAULT, AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of

# What the old system stored for everybody who had chosen nothing.
_OLD_DEFAULTS = {"gpt-4", "text-embedding-3-small", ""}
KEY_NOT_OPENED = "key not imported: name the variable that holds the old secret with --legacy-secret-env"


@dataclass(frozen=True, slots=True)
class WantedConfig:
    """A tenant's configuration as it is to be stored here.

    `values` are fields of `AIConfig`. `cost_alert` None leaves the stored one. `api_key` is the opened key,
    or empty to leave the key alone. `notes` tell the operator what could not be taken over as it was.
    """

    values: Mapping[str, Any]
    cost_alert: CostAlertChoice | None
    api_key: str = field(repr=False)
    notes: tuple[str, ...]

    def is_stored(self, organization: Organization, config: AIConfig | None) -> bool:
        """Whether nothing is left to do."""
        if config is None or any(getattr(config, name) != value for name, value in self.values.items()):
            return False
        if self.cost_alert is not None and cost_alert_of(organization) != self.cost_alert:
            return False
        return not self.api_key or has_key(organization, self.values["provider"], self.api_key)


def has_key(organization: Organization, provider: str, api_key: str) -> bool:
    """Whether exactly this key is stored; nothing is opened to find out."""
    stored = ProviderCredential.objects.filter(organization=organization, provider=provider).first()
    return stored is not None and has_fingerprint(api_key, stored.fingerprint)


def wanted_config(record: AIConfigRecord, *, secret: bytes | None) -> WantedConfig:
    """Map a record of the old schema; `secret` opens its key. Raises `KeyUnreadable`."""
    provider, site, models = record.provider, record.openrouter_settings, record.models
    api_key = ""
    notes: list[str] = []
    values: dict[str, Any] = {
        "provider": provider,
        "chat_model": "",
        "embedding_provider": PLATFORM_DEFAULT,
        "embedding_model": "",
        "openrouter_site_url": (site and site.site_url) or "",
        "openrouter_site_name": (site and site.site_name) or "",
        "usage_tracking": record.usage_tracking,
    }
    if provider == PLATFORM_DEFAULT:
        if models and not {models.chat, models.embedding} <= _OLD_DEFAULTS:
            notes.append("its models are not kept: the platform's AI has its own")
        if record.encrypted_api_key:
            notes.append("key not imported: the tenant is on the platform's AI, which uses no key of theirs")
    elif models is not None:
        chat, embedding = map_chat_model(provider, models.chat), map_embedding_model(provider, models.embedding)
        values["chat_model"], values["embedding_model"] = chat.name, embedding.name
        values["embedding_provider"] = provider if embedding.name else ""
        api_key, key_note = _key(record, secret)
        notes += [*chat.notes, *embedding.notes, *([key_note] if key_note else [])]
    return WantedConfig(values, _cost_alert(record), api_key, tuple(notes))


def _key(record: AIConfigRecord, secret: bytes | None) -> tuple[str, str]:
    """The opened key, or empty with a note that says why there is none. Raises `KeyUnreadable`."""
    if not record.encrypted_api_key:
        return "", "the file holds no key: calls are refused until one is saved"
    if secret is None:
        return "", KEY_NOT_OPENED
    api_key = open_legacy_key(record.encrypted_api_key, secret=secret).strip()
    entry = REGISTRY[record.provider]
    try:
        check_api_key(record.provider, api_key)
    except InvalidConfig:
        return "", f"key not imported: it does not look like one of {entry.label}'s keys"
    return api_key, ""


def _cost_alert(record: AIConfigRecord) -> CostAlertChoice | None:
    alerts = record.cost_alerts
    if alerts is None:
        return None
    threshold: Decimal | None = alerts.monthly_threshold
    if not alerts.enabled and not threshold:
        # The old form's empty field. An alert that is on needs a sum, and saving says so.
        threshold = None
    return CostAlertChoice(alerts.enabled, threshold, alerts.email or "")
