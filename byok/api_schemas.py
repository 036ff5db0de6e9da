"""The shapes of the JSON API of keys and configuration."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, WithJsonSchema

from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY


def _one_of(*names: str) -> Any:
    """A text that is one of these; the documentation lists them."""

    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"Use one of {', '.join(name or 'an empty text' for name in names)}.")
        return text

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(names)})]


_WITH_EMBEDDINGS = [entry.id for entry in REGISTRY.values() if entry.offers_embeddings]


def _one_line(text: str) -> str:
    """Refuse line breaks and NUL: the one has no place in a name, the other PostgreSQL cannot store."""
    if not text.isprintable():
        raise ValueError("Use one line of plain text.")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
ModelName = Annotated[Line, Field(max_length=200)]
ApiKey = Annotated[str, Field(max_length=500)]


class Models(Schema):
    """Names as the provider knows them. `embedding` is empty where there is no provider for embeddings."""

    chat: str
    embedding: str


class KeyStatus(Schema):
    """What is known about the stored key, and since when. `message` says what to do where something is wrong."""

    status: str
    message: str
    checked_at: datetime | None
    expires_at: datetime | None


class OpenRouterSettings(Schema):
    model_config = ConfigDict(extra="forbid")
    site_url: Annotated[str, Field(max_length=200)] = ""
    site_name: Annotated[str, Field(max_length=80)] = ""


class OpenRouterSettingsIn(OpenRouterSettings):
    site_url: Annotated[Line, Field(max_length=200)] = ""
    site_name: Annotated[Line, Field(max_length=80)] = ""


class CostAlertValues(Schema):
    """A monthly threshold in US dollars, as text so that nothing is rounded."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool = False
    monthly_threshold: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None = None
    email: Annotated[str, Field(max_length=254)] = ""


class CostAlertIn(CostAlertValues):
    email: Annotated[Line, Field(max_length=254)] = ""


class FreeTierOut(Schema):
    """Requests on the platform's key in the UTC month that begins on `month`."""

    used: int
    limit: int
    month: str


class ConfigOut(Schema):
    """What the organisation's calls use right now.

    `masked_key` and `key_status` are those of the chat provider's key; null where none is stored.
    `byok_enabled` is false while the operator has not enabled own keys for this organisation: then the
    platform's default is in force, and what is stored stays untouched. `provider` is one of those that can be
    saved, or the id of one that was chosen and is no longer offered.
    """

    provider: str
    models: Models
    embedding_provider: str
    operation_models: dict[str, str]
    further_models: dict[str, list[str]]
    is_customer_key: bool
    masked_key: str | None
    key_status: KeyStatus | None
    openrouter_settings: OpenRouterSettings
    usage_tracking: bool
    fallback: dict[str, str]
    cost_alert: CostAlertValues
    free_tier: FreeTierOut
    byok_enabled: bool
    version: int


class ModelsIn(Schema):
    model_config = ConfigDict(extra="forbid")
    chat: ModelName | None = None
    embedding: ModelName | None = None


class ConfigIn(Schema):
    """What to save. Everything that is left out stays as it is; another `provider` needs its chat model and key.

    `api_key`: left out keeps the stored key, a text replaces it (after a test on the chosen models), null
    removes it; it is the key of the `provider` that is saved, and the platform's default has none.
    `further_models`: per operation up to three models of the same provider that take over, in order, when the
    operation's own one is limited, down or gone; embeddings only go on with the same model.
    `version`: the one that was read; a stale one gets 409; left out, it is the current one.
    `save_untested`: keep a new key whose provider could not be asked just now.
    """

    model_config = ConfigDict(extra="forbid")
    provider: _one_of(*REGISTRY, PLATFORM_DEFAULT) | None = None  # type: ignore[valid-type]
    models: ModelsIn = ModelsIn()
    embedding_provider: _one_of(*_WITH_EMBEDDINGS, PLATFORM_DEFAULT, "") | None = None  # type: ignore[valid-type]
    operation_models: dict[str, ModelName] | None = None
    further_models: dict[str, list[ModelName]] | None = None
    api_key: ApiKey | None = Field(default=None, repr=False)
    openrouter_settings: OpenRouterSettingsIn | None = None
    usage_tracking: bool | None = None
    fallback: dict[str, Literal["never", "ask", "allow"]] | None = None
    cost_alert: CostAlertIn | None = None
    version: int | None = None
    save_untested: bool = False


class KeyTestIn(Schema):
    """A key to test. `api_key` left out tests the stored one. `probe` sends a message of one token, which is billed.

    `models`: what to ask for; left out, the stored ones.
    """

    model_config = ConfigDict(extra="forbid")
    provider: _one_of(*REGISTRY)  # type: ignore[valid-type]
    api_key: ApiKey | None = Field(default=None, repr=False)
    models: ModelsIn = ModelsIn()
    probe: bool = False


class ReportLineOut(Schema):
    """One question. `state` is ok, warning, failed or unknown; `next_step` says what to do where it is not ok."""

    check: str
    label: str
    state: str
    text: str
    next_step: str
    code: str
    model: str


class ReportOut(Schema):
    """A capability report; `state` is that of its worst line."""

    provider: str
    state: str
    checked_at: datetime
    expires_at: datetime | None
    lines: list[ReportLineOut]
