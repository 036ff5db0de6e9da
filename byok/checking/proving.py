"""Saving a configuration for people and programs: what is chosen is tried at the provider before it is kept.

A new key is tested on exactly the chosen models, and the old one stays until the new one is
proved. Other models for a stored key are looked for at its provider. Nobody is asked inside a
transaction; what was read before is guarded by the configuration's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from byok.checking.connection import test_ai_connection
from byok.checking.limit import KeyTestsExhausted, count_key_test
from byok.checking.rechecking import store_report
from byok.checking.reports import ConnectionReport, LineState
from byok.config.ai_config import EffectiveConfig, byok_allowed, get_ai_config
from byok.config.saving import KEEP, ConfigConflict, save_ai_config
from byok.config.values import CHAT_OPERATIONS, InvalidConfig, check_api_key, refuse_key, validated_choice
from byok.encryption import KeyUnreadable, decrypt_api_key, has_fingerprint
from byok.models import AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User


class KeyNotProved(Exception):
    """The new key was tested and is not kept; what was stored before stays. `report` says why.

    `may_save_untested`: nothing was refused. The provider could just not be asked, or the new key
    has no credit while the old one may have some: a person may decide to save all the same.
    """

    def __init__(self, report: ConnectionReport) -> None:
        self.report = report
        self.may_save_untested = not report.is_refused
        super().__init__(report.summary)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved configuration, and how the test of its key went (None where nobody was asked)."""

    config: AIConfig
    report: ConnectionReport | None


@dataclass(frozen=True, slots=True)
class ChosenModels:
    """The models that one provider's key has to reach, each once."""

    chat: tuple[str, ...]
    embedding: str


def prove_and_save(
    organization: Organization,
    values: Mapping[str, Any],
    *,
    save_untested: bool = False,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> Saved:
    """Test what is new in `values` (arguments of `save_ai_config`), then save.

    `save_untested`: keep a key whose provider could not be asked; one that was refused is never kept.
    Raises `KeyNotProved`, `InvalidConfig` and `ConfigConflict`; then nothing is saved.
    """
    if not byok_allowed(organization):
        raise InvalidConfig("provider", "Own keys are not enabled for this organisation.")
    api_key, provider = values.get("api_key", KEEP), values["provider"]
    if provider not in REGISTRY or api_key is None:
        return Saved(save_ai_config(organization, **values, actor=actor, request=request), None)
    # What cannot be saved anyway is told before anybody is asked.
    stored = get_ai_config(organization)
    values = _of_version(stored.version, values)
    validated_choice(
        provider,
        chat_model=values.get("chat_model", ""),
        embedding_provider=values.get("embedding_provider"),
        embedding_model=values.get("embedding_model", ""),
        operation_models=values.get("operation_models"),
        further_models=values.get("further_models"),
    )
    credential = ProviderCredential.objects.filter(organization=organization, provider=provider).first()
    if api_key == KEEP:
        report = _look_for_new_models(organization, stored, credential, values, actor=actor, request=request)
        config = save_ai_config(organization, **values, actor=actor, request=request)
        if credential is not None and report is not None:
            store_report(credential, report)
        return Saved(config, report)
    api_key = api_key.strip()
    check_api_key(provider, api_key)
    report = check_chosen(organization, values, api_key=api_key)
    if not _may_be_kept(api_key, report, credential, save_untested=save_untested):
        note_test(organization, report, last4=api_key[-4:], actor=actor, request=request)
        raise KeyNotProved(report)
    config = save_ai_config(organization, **values, report=report, actor=actor, request=request)
    return Saved(config, report)


def _of_version(stored: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values` with the version they change, so that what is tested is what is saved: a save in between is a conflict.

    Raises `ConfigConflict` where the caller has read an older one.
    """
    if values.get("version") is None:
        return {**values, "version": stored}
    if values["version"] != stored:
        raise ConfigConflict
    return values


def _may_be_kept(
    api_key: str, report: ConnectionReport, replaced: ProviderCredential | None, *, save_untested: bool
) -> bool:
    """Whether a new key may take the place of the stored one, by how its test went."""
    is_other = replaced is not None and not has_fingerprint(api_key, replaced.fingerprint)
    is_doubtful = not report.is_proved or (report.lacks_credit and is_other)
    return not report.is_refused and (save_untested or not is_doubtful)


def check_chosen(
    organization: Organization, values: Mapping[str, Any], *, api_key: str, probe: bool = False
) -> ConnectionReport:
    """Test `api_key` on exactly the models that `values` name for its provider.

    Raises `InvalidConfig` for a name that is a key: it would travel in an address.
    """
    chosen = _chosen(get_ai_config(organization), values)
    for name in chosen.chat:
        refuse_key(field_of_model(name, "chat_model", values), name)
    refuse_key("embedding_model", chosen.embedding)
    return test_ai_connection(
        values["provider"],
        api_key,
        chat_models=chosen.chat,
        embedding_model=chosen.embedding,
        organization=organization,
        probe=probe,
    )


def _chosen(stored: EffectiveConfig, values: Mapping[str, Any]) -> ChosenModels:
    """What would be in force once `values` are saved, as far as their provider serves it."""
    provider = values["provider"]
    entry = REGISTRY[provider]
    operation_models = values.get("operation_models")
    if operation_models is None:
        operation_models = stored.operation_models if stored.provider == provider else {}
    further_models = values.get("further_models")
    if further_models is None:
        further_models = stored.further_models if stored.provider == provider else {}
    further = [name for operation in CHAT_OPERATIONS for name in further_models.get(operation, ())]
    names = [name.strip() for name in (values.get("chat_model") or "", *operation_models.values(), *further)]
    embedding_provider = values.get("embedding_provider")
    if embedding_provider is None:
        embedding_provider = provider if entry.offers_embeddings else ""
    embedding = ""
    if embedding_provider == provider and entry.embedding_models:
        embedding = (values.get("embedding_model") or "").strip() or entry.embedding_models[0]
    return ChosenModels(tuple(dict.fromkeys(name for name in names if name)), embedding)


def _in_force(stored: EffectiveConfig, provider: str) -> ChosenModels:
    chat = [name for name in stored.chosen_chat_models if name] if stored.provider == provider else []
    return ChosenModels(tuple(chat), stored.embedding_model if stored.embedding_provider == provider else "")


def _look_for_new_models(
    organization: Organization,
    stored: EffectiveConfig,
    credential: ProviderCredential | None,
    values: Mapping[str, Any],
    *,
    actor: User | None,
    request: HttpRequest | None,
) -> ConnectionReport | None:
    """Ask for models that the stored key was not asked about yet; raises `InvalidConfig` at the field of a missing one.

    None where there is nothing to ask (the same models, or no key) or too much was asked lately. A
    provider that could not be asked, or a key without credit, stops no save.
    """
    chosen, known = _chosen(stored, values), _in_force(stored, values["provider"])
    is_known = set(chosen.chat) <= set(known.chat) and chosen.embedding in {"", known.embedding}
    if credential is None or is_known:
        return None
    try:
        count_key_test(organization, who=f"organization:{organization.pk}")
    except KeyTestsExhausted:
        # Somebody is trying names: what is saved is looked at by the next round.
        return None
    try:
        api_key = decrypt_api_key(credential.sealed_key, binding=credential.binding)
    except KeyUnreadable:
        raise InvalidConfig("api_key", "The stored key can no longer be opened. Enter it again.") from None
    report = check_chosen(organization, values, api_key=api_key)
    note_test(organization, report, last4=credential.last4, actor=actor, request=request)
    for line in report.refused_models():
        field = field_of_model(line.model, line.check, values)
        raise InvalidConfig(field, f"{line.text} {line.next_step}".strip(), value=line.model)
    return report


def field_of_model(model: str, check: str, values: Mapping[str, Any]) -> str:
    """The field of the configuration in which a model was named; `check` and `model` are a report line's."""
    if check == "embedding_model" or (values.get("chat_model") or "").strip() == model:
        return check
    for operation, name in (values.get("operation_models") or {}).items():
        if name.strip() == model:
            return f"model_{operation}"
    for operation, names in (values.get("further_models") or {}).items():
        if model in (name.strip() for name in names):
            return f"further_{operation}"
    return check


def note_test(
    organization: Organization,
    report: ConnectionReport,
    *,
    last4: str,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> None:
    """Leave the audit event of a test: what was asked, how it ended, by the key's last four."""
    failed = [f"{line.check}:{line.code or line.state}" for line in report.lines if line.state is not LineState.OK]
    audit.record(
        "connection.test_failed" if report.is_refused else "connection.tested",
        organization=organization,
        actor=actor,
        target=report.provider,
        after={"last4": last4, "state": report.state.value, "not_ok": failed},
        request=request,
    )
