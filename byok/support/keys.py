"""One stored key as support sees it: its state in words and colours. The key itself is never opened."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from byok.checking.report_lines import EXPIRES_SOON
from byok.checking.reports import ConnectionReport, LineState
from byok.models import CredentialStatus, ProviderCredential, SupersededKey
from leadagent.tenants.support_page import Cell, Fact, facts, row

_STATUS_TONES = {
    CredentialStatus.OK: "good",
    CredentialStatus.UNTESTED: "warn",
    CredentialStatus.UNREACHABLE: "warn",
}
_LINE_TONES = {LineState.OK: "good", LineState.WARNING: "warn", LineState.FAILED: "bad", LineState.UNKNOWN: "warn"}

REPORT_HEADERS = ("Question", "Answer", "What was found", "Next step")


def report_rows(credential: ProviderCredential) -> list[list[Cell]]:
    """The stored capability report, line by line; empty before the first test."""
    if credential.report is None:
        return []
    report = ConnectionReport.from_json(credential.report)
    return [
        row(
            f"{line.label} ({line.model})" if line.model else line.label,
            Cell(line.state.value, tone=_LINE_TONES[line.state]),
            line.text,
            line.next_step,
        )
        for line in report.lines
    ]


def credential_facts(credential: ProviderCredential) -> list[Fact]:
    """What follows from a key's row but is no column of it."""
    return facts(
        state=status_cell(credential),
        key_age=age_in_words(credential),
        expires=expiry_cell(credential.expires_at),
        can_be_undone_to=undo_in_words(credential),
        sealed_by=credential.key_id,
    )


def status_cell(credential: ProviderCredential) -> Cell:
    status = CredentialStatus(credential.status)
    return Cell(str(status.label), tone=_STATUS_TONES.get(status, "bad"))


def expiry_cell(expires_at: datetime | None) -> Cell:
    """The day a key ends; soon is a warning, past is bad, and where the provider tells none it is unknown."""
    if expires_at is None:
        return Cell("unknown")
    left = expires_at - timezone.now()
    return Cell(
        f"{expires_at:%Y-%m-%d %H:%M}",
        tone="bad" if left <= timedelta() else "warn" if left < EXPIRES_SOON else "",
    )


def age_in_words(credential: ProviderCredential) -> str:
    days = credential.age_in_days
    return "today" if days < 1 else "1 day" if days == 1 else f"{days} days"


def undo_in_words(credential: ProviderCredential) -> str:
    """The replaced key that can still be brought back, and until when; empty where there is none."""
    kept = SupersededKey.objects.filter(credential=credential, undo_until__gt=timezone.now()).first()
    return f"{kept.masked} until {kept.undo_until:%Y-%m-%d %H:%M}" if kept else ""
