"""Testing the stored key on models that are about to be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from byok.encryption import decrypt_api_key
from byok.models import ProviderCredential
from byok.proving import check_chosen, note_test
from byok.reports import ConnectionReport, LineState


def check_stored_key(
    credential: ProviderCredential, values: Mapping[str, Any], *, request: HttpRequest
) -> ConnectionReport:
    """What the stored key may do with the models in `values`; leaves an audit event. Raises `KeyUnreadable`."""
    api_key = decrypt_api_key(credential.sealed_key, binding=credential.binding)
    report = check_chosen(credential.organization, values, api_key=api_key)
    note_test(credential.organization, report, last4=credential.last4, request=request)
    return report


def refused_models(report: ConnectionReport) -> dict[str, str]:
    """The sentence for each field (`chat_model`, `embedding_model`) whose model the provider does not offer."""
    return {
        line.check: f"{line.text} {line.next_step}".strip()
        for line in report.lines
        if line.check in {"chat_model", "embedding_model"} and line.state is LineState.FAILED
    }
