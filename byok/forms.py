"""The AI configuration form."""

from __future__ import annotations

from typing import Any

from django import forms

from byok.config import KEEP, EffectiveConfig, InvalidConfig, check_api_key
from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY, Provider

NO_EMBEDDINGS = ""


class AIConfigForm(forms.Form):
    """Provider, key and models. The key is write-only: it is never rendered, bound or not."""

    provider = forms.ChoiceField(widget=forms.RadioSelect, label="Provider")
    api_key = forms.CharField(
        required=False,
        strip=True,
        max_length=500,
        label="API key",
        widget=forms.PasswordInput(render_value=False, attrs={"class": "input mono", "autocomplete": "off"}),
    )
    chat_model = forms.CharField(
        required=False,
        max_length=200,
        label="Chat model",
        widget=forms.TextInput(attrs={"class": "input mono", "list": "chat-models", "autocomplete": "off"}),
    )
    embedding_provider = forms.ChoiceField(
        required=False,
        label="Embeddings",
        help_text="The knowledge base is searched with embeddings.",
    )
    embedding_model = forms.CharField(
        required=False,
        max_length=200,
        label="Embedding model",
        widget=forms.TextInput(attrs={"class": "input mono", "list": "embedding-models", "autocomplete": "off"}),
    )
    openrouter_site_url = forms.URLField(
        required=False, assume_scheme="https", label="Site address", help_text="Shown in OpenRouter's own statistics."
    )
    openrouter_site_name = forms.CharField(required=False, max_length=80, label="Site name")
    usage_tracking = forms.BooleanField(
        required=False,
        label="Keep details of each call",
        help_text="Off: usage keeps tokens and costs, but not the lead, the run or error texts.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, config: EffectiveConfig, provider: str = "") -> None:
        """`provider`: the choice that the page shows; the stored one unless another was picked."""
        known = {PLATFORM_DEFAULT, *REGISTRY}
        picked = (data or {}).get("provider") or provider
        self.picked = picked if picked in known else config.provider
        super().__init__(data, initial=self._initial(config))
        choices = [(entry.id, entry.label) for entry in REGISTRY.values()]
        self._choice("provider").choices = [*choices, (PLATFORM_DEFAULT, "Platform AI, free tier")]
        self._choice("embedding_provider").choices = self._embedding_choices(config)
        self.fields["chat_model"].required = self.entry is not None
        if self.entry is not None:
            self.fields["api_key"].label = f"{self.entry.label} API key"
            self.fields[
                "api_key"
            ].help_text = f"Make one at {self.entry.key_page}. It looks like {self.entry.key_example}"
        self.stored_key = self._stored_key(config)

    @property
    def entry(self) -> Provider | None:
        """The picked provider, or None for the platform's own AI."""
        return REGISTRY.get(self.picked)

    @property
    def key_prefixes(self) -> list[tuple[str, str]]:
        """Prefix and provider, longest first, for the guess while typing."""
        pairs = [(prefix, entry.label) for entry in REGISTRY.values() for prefix in entry.key_prefixes]
        return sorted(pairs, key=lambda pair: -len(pair[0]))

    def show_version(self, version: int) -> None:
        """Render the form again as made from another version than the one that was sent."""
        self.data = {**{name: self.data.get(name) for name in self.data}, "version": version}

    def values(self) -> dict[str, Any]:
        """The cleaned fields as arguments of `save_ai_config`; an empty key keeps the stored one."""
        return {**self.cleaned_data, "api_key": self.cleaned_data["api_key"] or KEEP}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.entry is not None and cleaned.get("api_key"):
            try:
                check_api_key(self.entry.id, cleaned["api_key"])
            except InvalidConfig as exc:
                self.add_error(exc.field, str(exc))
        return cleaned

    def _choice(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def _initial(self, config: EffectiveConfig) -> dict[str, Any]:
        same = self.picked == config.provider
        entry = REGISTRY.get(self.picked)
        offers_embeddings = entry is not None and entry.offers_embeddings
        default_embedding = entry.embedding_models[0] if entry and offers_embeddings else ""
        return {
            "provider": self.picked,
            "chat_model": config.chat_model if same else (entry.chat_models[0][0] if entry else ""),
            "embedding_provider": config.embedding_provider if same else (self.picked if offers_embeddings else ""),
            "embedding_model": config.embedding_model if same else default_embedding,
            "openrouter_site_url": config.openrouter_site_url,
            "openrouter_site_name": config.openrouter_site_name,
            "usage_tracking": config.usage_tracking,
            "version": config.version,
        }

    def _embedding_choices(self, config: EffectiveConfig) -> list[tuple[str, str]]:
        """The picked provider and those whose key is stored, as far as they offer embeddings."""
        usable = [
            entry
            for entry in REGISTRY.values()
            if entry.offers_embeddings and (entry.id == self.picked or entry.id in config.credentials)
        ]
        return [*((entry.id, f"{entry.label}, with its key") for entry in usable), (NO_EMBEDDINGS, "None")]

    def _stored_key(self, config: EffectiveConfig) -> str:
        credential = config.credentials.get(self.picked)
        return credential.masked if credential else ""
