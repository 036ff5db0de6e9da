"""Looking at stored keys again: once a day by itself, and whenever a person asks for it.

What was found is written only if the row still holds the key that was tested.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from byok.checking.connection import test_ai_connection
from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.config.ai_config import byok_allowed, get_ai_config
from byok.encryption import KeyUnreadable, decrypt_api_key
from byok.keys.credentials import FAILING, REFUSED
from byok.models import RECHECK_EVERY, CredentialStatus, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants import audit

RETRY_UNREACHABLE = timedelta(hours=1)
# A key that was claimed is not asked about again before this, whoever dies meanwhile.
_CLAIM = timedelta(hours=1)
_BATCH = 20


def recheck_credential(credential: ProviderCredential, *, probe: bool = False) -> ConnectionReport:
    """Test a stored key on what its organisation chose for that provider, and store what was found.

    A key that cannot be opened any more is reported as such, and nobody is asked. A key that
    was replaced meanwhile is left alone. Not to be called inside a transaction.
    """
    organization = credential.organization
    config = get_ai_config(organization)
    is_chat, is_embedding = config.provider == credential.provider, config.embedding_provider == credential.provider
    try:
        api_key = decrypt_api_key(credential.sealed_key, binding=credential.binding)
    except KeyUnreadable:
        report = _unreadable(credential)
        _store(credential, report, CredentialStatus.UNREADABLE)
        return report
    report = test_ai_connection(
        credential.provider,
        api_key,
        chat_models=[name for name in config.chosen_chat_models if name] if is_chat else [],
        embedding_model=config.embedding_model if is_embedding else "",
        organization=organization,
        probe=probe,
    )
    _store(credential, report, report.credential_status)
    return report


def recheck_due(*, seconds: float = 600.0, clock: Callable[[], float] = time.monotonic) -> int:
    """Look again at the keys whose time has come, for up to `seconds`; returns how many were looked at.

    Safe to run twice and side by side: each batch is claimed before anybody is asked.
    """
    deadline = clock() + seconds
    looked_at = 0
    while clock() < deadline:
        claimed = _claim()
        if not claimed:
            break
        for credential in claimed:
            # Switched off means untouched.
            if byok_allowed(credential.organization):
                recheck_credential(credential)
                looked_at += 1
    return looked_at


def _claim() -> list[ProviderCredential]:
    with transaction.atomic():
        due = ProviderCredential.objects.select_for_update(skip_locked=True, of=("self",))
        # A provider that was taken out of the registry has no address any more.
        due = due.filter(next_check_at__lte=timezone.now(), provider__in=REGISTRY)
        due = due.select_related("organization").order_by("next_check_at")
        claimed = list(due[:_BATCH])
        ProviderCredential.objects.filter(pk__in=[row.pk for row in claimed]).update(
            next_check_at=timezone.now() + _CLAIM
        )
    return claimed


def store_report(credential: ProviderCredential, report: ConnectionReport) -> None:
    """Write what a test of the stored key found, unless another key has taken its place."""
    _store(credential, report, report.credential_status)


def _store(credential: ProviderCredential, report: ConnectionReport, found: CredentialStatus) -> None:
    """Write the report, unless another key has taken this one's place; audit a change of state."""
    with transaction.atomic():
        rows = ProviderCredential.objects.select_for_update(of=("self",)).select_related("organization")
        row = rows.filter(pk=credential.pk, saved_at=credential.saved_at).first()
        if row is None:
            return
        before = CredentialStatus(row.status)
        if before in REFUSED and row.checked_at != credential.checked_at and found not in REFUSED:
            # Real traffic was refused while the provider was asked: the younger word stands until the next round.
            return
        status = _settled(before, found, report)
        row.report = report.as_json()
        row.checked_at = report.checked_at
        row.next_check_at = _next_check(found)
        if status is found:
            row.status, row.status_message = found, report.summary
        if found is not CredentialStatus.UNREACHABLE:
            row.expires_at = report.expires_at
        if status not in REFUSED:
            row.refused_since = row.rejection_told_at = None
        elif before not in REFUSED:
            row.refused_since, row.rejection_told_at = report.checked_at, None
        row.save(
            update_fields=[
                "report",
                "checked_at",
                "next_check_at",
                "status",
                "status_message",
                "expires_at",
                "refused_since",
                "rejection_told_at",
            ]
        )
        if status is not before:
            audit.record(
                "credential.rechecked",
                organization=row.organization,
                target=row.provider,
                before={"last4": row.last4, "status": before.value},
                after={"last4": row.last4, "status": status.value},
            )


def _settled(before: CredentialStatus, found: CredentialStatus, report: ConnectionReport) -> CredentialStatus:
    """The state after a test: what could not be asked takes nothing back that is known."""
    if found is CredentialStatus.UNREACHABLE and before in FAILING:
        # Opened just now, so it is readable again; whether it is accepted is still open.
        return found if before is CredentialStatus.UNREADABLE else before
    untold = all(line.state is LineState.UNKNOWN for line in report.lines if line.check == "credit")
    if found is CredentialStatus.OK and before is CredentialStatus.NO_CREDIT and untold:
        return before
    return found


def _next_check(found: CredentialStatus) -> datetime:
    """A day from now, spread so that keys saved together are not asked for together."""
    every = RETRY_UNREACHABLE if found is CredentialStatus.UNREACHABLE else RECHECK_EVERY
    return timezone.now() + every * random.uniform(0.9, 1.1)  # noqa: S311  # nosec B311  # no secret


def _unreadable(credential: ProviderCredential) -> ConnectionReport:
    label = credential.get_provider_display()
    line = ReportLine(
        "key",
        "Key",
        LineState.FAILED,
        f"The saved key for {label} can no longer be opened, so {label} was not asked.",
        "Enter the key again.",
        code="key_unreadable",
    )
    return ConnectionReport(provider=credential.provider, checked_at=timezone.now(), lines=[line])
