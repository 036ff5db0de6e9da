"""The AI configuration form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from byok.config.ai_config import EffectiveConfig
from byok.config.provider_setup import setup_for
from byok.config.saving import KEEP
from byok.config.values import CHAT_OPERATIONS, MAX_FURTHER_MODELS, OPERATIONS, InvalidConfig, check_api_key
from byok.config.versioned_form import MadeFromVersion
from byok.models import PLATFORM_DEFAULT, FallbackConsent
from byok.providers import REGISTRY, Provider
from usage.alerting.cost_alert import CostAlertChoice
from usage.alerting.cost_alert_form import CostAlertForm, initial_cost_alert

NO_EMBEDDINGS = ""
# One field for each model that may take over.
PLACES = tuple(range(1, MAX_FURTHER_MODELS + 1))
# What only an organisation with a key of its own chooses; the form has these fields for nobody else.
_OWN_KEY_FIELDS = (
    "api_key",
    "save_untested",
    "probe",
    "chat_model",
    *(f"model_{operation}" for operation in CHAT_OPERATIONS),
    *(f"further_{operation}_{place}" for operation in CHAT_OPERATIONS for place in PLACES),
    "embedding_provider",
    "embedding_model",
    *(f"fallback_{operation}" for operation in OPERATIONS),
)
_OPENROUTER_FIELDS = ("openrouter_site_url", "openrouter_site_name")


def _model_field(label: str, *, required: bool = False) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(required=required, max_length=200, label=label, widget=widget)


def _further_names(operation: str) -> list[str]:
    return [f"further_{operation}_{place}" for place in PLACES]


def key_hint(entry: Provider) -> SafeString:
    """Where a key of this provider is made and what it looks like."""
    return format_html(
        'Make one at <a href="https://{page}" target="_blank" rel="noopener">{page}</a>. It looks like {example}',
        page=entry.key_page,
        example=entry.key_example,
    )


class AIConfigForm(MadeFromVersion, CostAlertForm):
    """Provider, key and models. The key is write-only: it is never rendered, bound or not."""

    provider = forms.ChoiceField(widget=forms.RadioSelect, label="Provider")
    api_key = forms.CharField(
        required=False,
        strip=True,
        max_length=500,
        label="API key",
        widget=forms.PasswordInput(render_value=False, attrs={"class": "mono", "autocomplete": "off"}),
    )
    probe = forms.BooleanField(required=False, label="Also send a one-token test message (costs a fraction of a cent)")
    save_untested = forms.BooleanField(required=False, label="Save without the test")
    chat_model = _model_field("Chat model", required=True)
    model_research = _model_field("Model for research")
    model_qualification = _model_field("Model for qualification")
    model_email_generation = _model_field("Model for email drafts")
    further_research_1 = _model_field("Research: second model")
    further_research_2 = _model_field("Research: third model")
    further_research_3 = _model_field("Research: fourth model")
    further_qualification_1 = _model_field("Qualification: second model")
    further_qualification_2 = _model_field("Qualification: third model")
    further_qualification_3 = _model_field("Qualification: fourth model")
    further_email_generation_1 = _model_field("Email drafts: second model")
    further_email_generation_2 = _model_field("Email drafts: third model")
    further_email_generation_3 = _model_field("Email drafts: fourth model")
    embedding_provider = forms.ChoiceField(required=False, label="Embeddings")
    embedding_model = _model_field("Embedding model")
    fallback_research = forms.ChoiceField(required=False, choices=FallbackConsent.choices, label="Research")
    fallback_qualification = forms.ChoiceField(required=False, choices=FallbackConsent.choices, label="Qualification")
    fallback_email_generation = forms.ChoiceField(required=False, choices=FallbackConsent.choices, label="Email drafts")
    fallback_embedding = forms.ChoiceField(required=False, choices=FallbackConsent.choices, label="Embeddings")
    openrouter_site_url = forms.URLField(
        required=False,
        assume_scheme="https",
        label="Site address",
        error_messages={"invalid": "Enter a web address, for example https://acme.example."},
    )
    openrouter_site_name = forms.CharField(required=False, max_length=80, label="Site name")
    usage_tracking = forms.BooleanField(
        required=False,
        label="Keep details of each call",
        help_text="Off: usage keeps tokens and costs, but not the lead, the run or error texts.",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        config: EffectiveConfig,
        cost_alert: CostAlertChoice,
        provider: str = "",
        typed: Mapping[str, str] | None = None,
    ) -> None:
        """`provider`: the choice that the page shows; the stored one unless another was picked.

        `typed`: what was in the form before the provider was changed; it is taken over where it still has a meaning.
        """
        known = {PLATFORM_DEFAULT, *REGISTRY}
        picked = (data if data is not None else {}).get("provider") or provider
        self.picked = picked if picked in known else config.provider
        self.config = config
        super().__init__(data, initial=self._initial(cost_alert, typed or {}))
        # Errors are listed as the page is read: the alert stands near its end.
        self.order_fields([name for name in self.fields if not name.startswith("alert_")])
        choices = [(entry.id, entry.label) for entry in REGISTRY.values()]
        self._choice("provider").choices = [*choices, (PLATFORM_DEFAULT, "Platform AI, free tier")]
        self._choice("embedding_provider").choices = self._embedding_choices()
        if self.entry is not None:
            key = self.fields["api_key"]
            key.label = f"{self.entry.label} API key"
            key.help_text = key_hint(self.entry)
            self.fields["chat_model"].error_messages["required"] = "Choose a chat model."
        for name in self._unshown():
            del self.fields[name]
        credential = config.credentials.get(self.picked)
        self.stored_key = credential.masked if credential else ""

    @property
    def entry(self) -> Provider | None:
        """The picked provider, or None for the platform's own AI."""
        return REGISTRY.get(self.picked)

    @property
    def model_fields(self) -> list[forms.BoundField]:
        """A chat model per operation; empty means the general one."""
        return [self[f"model_{operation}"] for operation in CHAT_OPERATIONS]

    @property
    def further_fields(self) -> list[forms.BoundField]:
        """The models that take over, per operation those that are named and one more."""
        shown = []
        for operation in CHAT_OPERATIONS:
            fields = [self[name] for name in _further_names(operation)]
            filled = [place for place, field in enumerate(fields) if field.value() or field.errors]
            shown += fields[: max(filled, default=-1) + 2]
        return shown

    @property
    def fallback_fields(self) -> list[forms.BoundField]:
        return [self[f"fallback_{operation}"] for operation in OPERATIONS]

    @property
    def has_own_models(self) -> bool:
        """Some operation has, or asked for, a model of its own: its fields are shown open."""
        return any(field.value() or field.errors for field in self.model_fields)

    def values(self) -> dict[str, Any]:
        """The cleaned fields as arguments of `save_ai_config`; an empty key and what is not shown stay as stored."""
        cleaned = self.cleaned_data
        values: dict[str, Any] = {
            "provider": cleaned["provider"],
            "api_key": cleaned.get("api_key") or KEEP,
            "chat_model": cleaned.get("chat_model", ""),
            "embedding_provider": cleaned.get("embedding_provider"),
            "embedding_model": cleaned.get("embedding_model", ""),
            "openrouter_site_url": cleaned.get("openrouter_site_url", self.config.openrouter_site_url),
            "openrouter_site_name": cleaned.get("openrouter_site_name", self.config.openrouter_site_name),
            "usage_tracking": cleaned["usage_tracking"],
            "cost_alert": self.changed_cost_alert(),
            "version": cleaned["version"],
        }
        if self.entry is not None:
            values["operation_models"] = {operation: cleaned[f"model_{operation}"] for operation in CHAT_OPERATIONS}
            values["further_models"] = self._named_further_models() | self._further_embeddings()
            # A program that leaves a consent out does not withdraw it.
            values["fallback"] = {
                operation: cleaned[f"fallback_{operation}"] or self.config.consent_for(operation)
                for operation in OPERATIONS
            }
        return values

    def values_to_test(self) -> dict[str, Any]:
        """Provider and models, as far as they were filled in correctly: what is not is told when it is saved."""
        cleaned = self.cleaned_data
        return {
            "provider": self.picked,
            "chat_model": cleaned.get("chat_model", ""),
            "operation_models": {operation: cleaned.get(f"model_{operation}", "") for operation in CHAT_OPERATIONS},
            "further_models": self._named_further_models(),
            "embedding_provider": cleaned.get("embedding_provider"),
            "embedding_model": cleaned.get("embedding_model", ""),
        }

    def _named_further_models(self) -> dict[str, list[str]]:
        """The models that take over, as far as they were filled in correctly."""
        cleaned = self.cleaned_data
        return {
            operation: [cleaned[name] for name in _further_names(operation) if cleaned.get(name)]
            for operation in CHAT_OPERATIONS
        }

    def place_error(self, field: str, message: str, *, value: str = "") -> None:
        """Show what a save refused at the field where it was given, or above the form."""
        if field.startswith("further_"):
            names = [name for name in _further_names(field.removeprefix("further_")) if name in self.fields]
            field = next((name for name in names if value and self.cleaned_data.get(name) == value), field)
        self.add_error(field if field in self.fields else None, message)

    def _further_embeddings(self) -> dict[str, list[str]]:
        """Those are not on the page: they stay while what they compare with does."""
        kept = list(self.config.further_models.get("embedding", ()))
        same = self.cleaned_data.get("embedding_model") == self.config.embedding_model
        return {"embedding": kept} if kept and same and self.picked == self.config.provider else {}

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

    def _unshown(self) -> tuple[str, ...]:
        if self.entry is None:
            return (*_OWN_KEY_FIELDS, *_OPENROUTER_FIELDS)
        names_us = self.entry.attribution_headers(site_url="https://example.org", site_name="Example")
        return () if names_us else _OPENROUTER_FIELDS

    def _initial(self, cost_alert: CostAlertChoice, typed: Mapping[str, str]) -> dict[str, Any]:
        config = self.config
        initial: dict[str, Any] = {
            "openrouter_site_url": config.openrouter_site_url,
            "openrouter_site_name": config.openrouter_site_name,
            **initial_cost_alert(cost_alert),
            "usage_tracking": config.usage_tracking,
            **{f"fallback_{operation}": config.consent_for(operation).value for operation in OPERATIONS},
            "version": config.version,
        }
        if typed:
            initial |= {name: typed[name] for name in initial.keys() & typed.keys()}
            initial |= {name: name in typed for name in ("usage_tracking", "alert_enabled")}
        return initial | {"provider": self.picked} | self._initial_models()

    def _initial_models(self) -> dict[str, str]:
        """Names of models mean nothing to another provider: each starts with what is stored, or with our choice."""
        config, entry = self.config, self.entry
        if self.picked == config.provider:
            return {
                "chat_model": config.chat_model,
                **{f"model_{operation}": config.operation_models.get(operation, "") for operation in CHAT_OPERATIONS},
                **{
                    name: model
                    for operation in CHAT_OPERATIONS
                    for name, model in zip(
                        _further_names(operation), config.further_models.get(operation, ()), strict=False
                    )
                },
                "embedding_provider": config.embedding_provider,
                "embedding_model": config.embedding_model,
            }
        if entry is None:
            return {}
        setup = setup_for(config, entry.id)
        return {name: setup[name] for name in ("chat_model", "embedding_provider", "embedding_model")}

    def _embedding_choices(self) -> list[tuple[str, str]]:
        """The picked provider, those whose key is stored, as far as they offer embeddings, and the platform."""
        usable = [
            entry
            for entry in REGISTRY.values()
            if entry.offers_embeddings and (entry.id == self.picked or entry.id in self.config.credentials)
        ]
        own = [(entry.id, f"{entry.label}, with your key") for entry in usable]
        return [*own, (PLATFORM_DEFAULT, "Platform AI, free tier"), (NO_EMBEDDINGS, "None")]
