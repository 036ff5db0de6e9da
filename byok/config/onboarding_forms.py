"""The questions of the onboarding wizard, one form per step."""

from __future__ import annotations

from typing import Any

from django import forms

from byok.catalog.offered_models import ModelOption, find_model, search_models
from byok.config.ai_config import EffectiveConfig
from byok.config.forms import key_hint
from byok.config.versioned_form import MadeFromVersion
from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY, Provider
from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys

OTHER = "other"
NONE = "none"


class ChoiceForm(RefusesMisplacedKeys):
    """Whose AI: the platform's, or one of the providers."""

    choice = forms.ChoiceField(
        label="Whose AI should work for you?",
        choices=[(PLATFORM_DEFAULT, "Platform AI"), *((entry.id, entry.label) for entry in REGISTRY.values())],
        error_messages={"required": "Choose the platform's AI or a provider."},
    )


class KeyForm(forms.Form):
    """A provider's key, write-only. Empty keeps the stored one, where there is one."""

    api_key = forms.CharField(
        required=False,
        strip=True,
        max_length=500,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
    )
    save_untested = forms.BooleanField(
        required=False,
        label="Save the key without its test",
        help_text="It is tested again by itself within a day.",
    )

    def __init__(self, data: Any = None, *, entry: Provider, has_stored: bool) -> None:
        super().__init__(data)
        self.fields["api_key"].label = f"{entry.label} API key"
        self.fields["api_key"].help_text = key_hint(entry)
        self.fields["api_key"].required = not has_stored
        self.fields["api_key"].error_messages["required"] = f"Paste your {entry.label} key."


class ModelsForm(MadeFromVersion, RefusesMisplacedKeys):
    """A chat model, recommended or named, and where embeddings come from."""

    chat_choice = forms.ChoiceField(label="Chat model", error_messages={"required": "Choose a chat model."})
    chat_model = forms.CharField(
        max_length=200,
        strip=True,
        label="Name of the model",
        error_messages={"required": "Name the model, or choose one of those above."},
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    embedding = forms.ChoiceField(
        label="Embedding model",
        help_text="It finds the documents of your knowledge base that fit a lead.",
    )

    def __init__(self, data: Any = None, *, config: EffectiveConfig, entry: Provider) -> None:
        self.recommended = [option for option in search_models(entry.id, "chat") if option.reason]
        known = [option.id for option in self.recommended]
        is_recommended = config.chat_model in known
        super().__init__(
            data,
            initial={
                "chat_choice": config.chat_model if is_recommended else OTHER,
                "chat_model": "" if is_recommended else config.chat_model,
                "embedding": _embedding_value(config.embedding_provider, config.embedding_model),
                "version": config.version,
            },
        )
        for name, choices in (
            ("chat_choice", [(name, name) for name in (*known, OTHER)]),
            ("embedding", _embedding_choices(config, entry)),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("chat_choice") != OTHER:
            # Its field belongs to the last choice only.
            self.errors.pop("chat_model", None)
        return cleaned

    def values(self) -> dict[str, Any]:
        """The choices as arguments of `save_ai_config`."""
        cleaned = self.cleaned_data
        provider, _, model = cleaned["embedding"].removeprefix(NONE).partition(":")
        return {
            "chat_model": cleaned["chat_model"] if cleaned["chat_choice"] == OTHER else cleaned["chat_choice"],
            "embedding_provider": provider,
            "embedding_model": model,
            "version": cleaned["version"],
        }


def _embedding_value(provider: str, model: str) -> str:
    """`openai:text-embedding-3-small`; the platform decides on its model itself."""
    return f"{provider}:" if provider == PLATFORM_DEFAULT else f"{provider}:{model}" if provider else NONE


def _embedding_choices(config: EffectiveConfig, entry: Provider) -> list[tuple[str, str]]:
    """Models of the provider and of those whose key is stored; the platform's where the provider has none."""
    payers = [entry, *(other for other in REGISTRY.values() if other.id in config.credentials and other is not entry)]
    choices = []
    for payer in payers:
        for name in payer.embedding_models:
            more = _price(payer.id, name) if payer is entry else f", with your {payer.label} key"
            choices.append((_embedding_value(payer.id, name), f"{name}{more}"))
    stored = _embedding_value(config.embedding_provider, config.embedding_model)
    if not entry.offers_embeddings or config.embedding_provider == PLATFORM_DEFAULT:
        choices.append((f"{PLATFORM_DEFAULT}:", "The platform's AI, within the free requests"))
    if stored != NONE and stored not in dict(choices):
        choices.append((stored, config.embedding_model))
    return [*choices, (NONE, "None: the knowledge base cannot be searched")]


def _price(provider: str, name: str) -> str:
    option: ModelOption | None = find_model(provider, "embedding", name)
    return f", ${option.price_in} per 1M tokens" if option and option.price_in is not None else ""
