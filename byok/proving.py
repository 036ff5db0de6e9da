"""Saving a configuration for people and programs: a new key is tested on what was chosen before it is kept.

The old key stays until the new one is proved. The provider is asked outside any
transaction; what was read before is guarded by the configuration's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from byok.config import KEEP, InvalidConfig, byok_allowed, check_api_key, get_ai_config, save_ai_config
from byok.connection import test_ai_connection
from byok.models import AIConfig
from byok.providers import REGISTRY
from byok.reports import ConnectionReport, LineState
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User


class KeyNotProved(Exception):
    """The new key was tested and is not kept; what was stored before stays. `report` says why.

    `may_save_untested`: nothing was refused, the provider could just not be asked, so that
    a person may decide to save without the test.
    """

    def __init__(self, report: ConnectionReport) -> None:
        self.report = report
        self.may_save_untested = not report.is_refused
        super().__init__(report.summary)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved configuration, and how the new key's test went (None where no key was given)."""

    config: AIConfig
    report: ConnectionReport | None


def prove_and_save(
    organization: Organization,
    values: Mapping[str, Any],
    *,
    save_untested: bool = False,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> Saved:
    """Test the new key in `values` (arguments of `save_ai_config`), then save.

    `save_untested`: keep a key whose provider could not be asked; one that was refused is never kept.
    Raises `KeyNotProved`, `InvalidConfig` and `ConfigConflict`; then nothing is saved.
    """
    if not byok_allowed(organization):
        raise InvalidConfig("provider", "Own keys are not enabled for this organisation.")
    report = None
    api_key, provider = values.get("api_key", KEEP), values["provider"]
    if api_key not in (KEEP, None) and provider in REGISTRY:
        # What cannot be saved anyway is told before anybody is asked.
        check_api_key(provider, api_key.strip())
        report = check_chosen(organization, values, api_key=api_key.strip())
        if report.is_refused or not (report.is_proved or save_untested):
            note_test(organization, report, last4=api_key.strip()[-4:], actor=actor, request=request)
            raise KeyNotProved(report)
    config = save_ai_config(organization, **values, report=report, actor=actor, request=request)
    return Saved(config, report)


def check_chosen(
    organization: Organization, values: Mapping[str, Any], *, api_key: str, probe: bool = False
) -> ConnectionReport:
    """Test `api_key` on exactly the models that `values` name for its provider."""
    provider = values["provider"]
    entry = REGISTRY[provider]
    stored = get_ai_config(organization)
    operation_models = values.get("operation_models")
    if operation_models is None:
        operation_models = stored.operation_models if stored.provider == provider else {}
    chat_models = [name.strip() for name in (values.get("chat_model") or "", *operation_models.values())]
    embedding_provider = values.get("embedding_provider")
    if embedding_provider is None:
        embedding_provider = provider if entry.offers_embeddings else ""
    embedding_model = ""
    if embedding_provider == provider and entry.embedding_models:
        embedding_model = (values.get("embedding_model") or "").strip() or entry.embedding_models[0]
    return test_ai_connection(
        provider,
        api_key,
        chat_models=list(dict.fromkeys(name for name in chat_models if name)),
        embedding_model=embedding_model,
        organization=organization,
        probe=probe,
    )


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


__all__ = ["KeyNotProved", "Saved", "check_chosen", "note_test", "prove_and_save"]
