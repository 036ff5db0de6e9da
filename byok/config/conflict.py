"""Two people saved the same configuration: what each of them chose, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from byok.catalog.recommendations import OPERATION_LABELS
from byok.config.ai_config import EffectiveConfig
from byok.config.saving import KEEP
from byok.config.values import CHAT_OPERATIONS, OPERATIONS
from byok.models import PLATFORM_DEFAULT, AIConfig, FallbackConsent
from byok.provider_names import provider_label
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization
from usage.alerting.cost_alert import CostAlertChoice


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs, both sides in words."""

    label: str
    theirs: str
    yours: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """What was saved meanwhile, by whom (empty where nobody knows any more) and when, against what is in the form."""

    saved_by: str
    saved_at: datetime | None
    differences: list[Difference]


# On the platform's AI there is no model to choose.
NOT_CHOSEN = "Not chosen"


def conflict_with(
    organization: Organization, theirs: EffectiveConfig, alert: CostAlertChoice, yours: Mapping[str, Any]
) -> Conflict:
    """Compare the stored configuration with `yours`, the arguments of a save that came too late."""
    row = AIConfig.objects.select_related("updated_by").filter(organization=organization).first()
    differences = differences_between(theirs, alert, yours)
    if yours.get("api_key", KEEP) != KEEP:
        stored = theirs.credentials.get(yours["provider"])
        differences.append(Difference("API key", stored.masked if stored else "None", "A new key"))
    saved_by = row.updated_by.email if row and row.updated_by else ""
    return Conflict(saved_by, row.updated_at if row else None, differences)


def differences_between(stored: EffectiveConfig, alert: CostAlertChoice, values: Mapping[str, Any]) -> list[Difference]:
    """Field by field, what is stored against `values`, whole arguments of a save; keys are left out."""
    # None keeps what is stored.
    values = {**values, "cost_alert": values.get("cost_alert") or alert}
    left, right = _in_words(_stored_values(stored, alert)), _in_words(values)
    return [
        Difference(label, left.get(label, NOT_CHOSEN), right.get(label, NOT_CHOSEN))
        for label in dict.fromkeys([*left, *right])
        if left.get(label, NOT_CHOSEN) != right.get(label, NOT_CHOSEN)
    ]


def _stored_values(config: EffectiveConfig, alert: CostAlertChoice) -> dict[str, Any]:
    names = (
        "provider",
        "chat_model",
        "operation_models",
        "further_models",
        "embedding_provider",
        "embedding_model",
        "openrouter_site_url",
        "openrouter_site_name",
        "usage_tracking",
        "fallback",
    )
    return {name: getattr(config, name) for name in names} | {"cost_alert": alert}


def _in_words(values: Mapping[str, Any]) -> dict[str, str]:
    """Label and value of every field, as the page calls them."""
    alert: CostAlertChoice = values["cost_alert"]
    words = {
        "Provider": provider_label(values["provider"]),
        "Cost alert": alert.in_words,
        "Details of each call": "Kept" if values["usage_tracking"] else "Not kept",
    }
    return words if values["provider"] == PLATFORM_DEFAULT else words | _own_key_words(values)


def _first_embedding_model(provider: str) -> str:
    """What a save without a name takes; empty for a provider that was taken out of the registry."""
    return REGISTRY[provider].embedding_models[0] if provider in REGISTRY else ""


def _own_key_words(values: Mapping[str, Any]) -> dict[str, str]:
    words = {"Chat model": values["chat_model"]}
    for operation in CHAT_OPERATIONS:
        if chosen := (values.get("operation_models") or {}).get(operation):
            words[f"{OPERATION_LABELS[operation]}: model"] = chosen
    for operation in OPERATIONS:
        if further := (values.get("further_models") or {}).get(operation):
            words[f"{OPERATION_LABELS[operation]}: models that take over"] = ", ".join(further)
    if source := values["embedding_provider"]:
        words["Embeddings"] = provider_label(source)
        if source != PLATFORM_DEFAULT:
            words["Embedding model"] = values["embedding_model"] or _first_embedding_model(source)
    for operation in OPERATIONS:
        consent = FallbackConsent((values.get("fallback") or {}).get(operation) or FallbackConsent.NEVER)
        if consent != FallbackConsent.NEVER:
            words[f"{OPERATION_LABELS[operation]}: when the key fails"] = consent.name.capitalize()
    for name, label in (("openrouter_site_url", "Site address"), ("openrouter_site_name", "Site name")):
        if values[name]:
            words[label] = values[name]
    return words
