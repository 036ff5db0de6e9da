"""What a test of a key found: one line per question, each with a state and a next step.

A report holds no key and nothing that a provider said unscrubbed; it can be stored and shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from byok.models import CredentialStatus


class LineState(StrEnum):
    """How one question was answered. `UNKNOWN` is no verdict: it could not be asked, or nobody tells."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One question to the provider and its answer.

    `check` names the question: key, kind, credit, expiry, chat_model, embedding_model, probe.
    `code` is the error's code (`byok.error_kinds.KINDS`) where there was one. `model` is filled for
    questions about one model. `next_step` is a sentence that says what to do, or empty.
    """

    check: str
    label: str
    state: LineState
    text: str
    next_step: str = ""
    code: str = ""
    model: str = ""


def _is_about_money(line: ReportLine) -> bool:
    return line.check == "credit" or line.code in {"no_credit", "key_limit"}


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A capability report: what a key may do, as far as its provider tells."""

    provider: str
    checked_at: datetime
    lines: Sequence[ReportLine]
    # From the provider, where it tells.
    expires_at: datetime | None = None

    @property
    def state(self) -> LineState:
        """The worst line that says something: failed before unknown before warning before ok."""
        worst = self._worst
        return worst.state if worst else LineState.OK

    @property
    def is_refused(self) -> bool:
        """The key, or something that the organisation chose, does not work: adding credit would not mend it."""
        return any(line.state is LineState.FAILED and not _is_about_money(line) for line in self.lines)

    @property
    def lacks_credit(self) -> bool:
        """The key is accepted, but calls with it cannot be paid at present."""
        return not self.is_refused and any(line.state is LineState.FAILED for line in self.lines)

    @property
    def is_proved(self) -> bool:
        """The provider took the key and offers every chosen model to it."""
        asked = [line for line in self.lines if line.check in {"key", "kind", "chat_model", "embedding_model"}]
        return bool(asked) and all(line.state in {LineState.OK, LineState.WARNING} for line in asked)

    @property
    def credential_status(self) -> CredentialStatus:
        """What the report says about the key itself, as its row stores it."""
        by_check = {line.check: line for line in self.lines}
        key, credit = by_check.get("key"), by_check.get("credit")
        if any(line.check in {"key", "kind", "expiry"} and line.state is LineState.FAILED for line in self.lines):
            return CredentialStatus.REJECTED
        if key is None or key.state is LineState.UNKNOWN:
            return CredentialStatus.UNREACHABLE
        if credit is not None and credit.state is LineState.FAILED:
            return CredentialStatus.NO_CREDIT
        return CredentialStatus.OK

    @property
    def summary(self) -> str:
        """The worst line as one text for the status line; empty where all is well."""
        worst = self._worst
        return f"{worst.text} {worst.next_step}".strip()[:500] if worst else ""

    @property
    def _worst(self) -> ReportLine | None:
        for state in (LineState.FAILED, LineState.UNKNOWN, LineState.WARNING):
            for line in self.lines:
                # Most providers tell nobody about credit and expiry: that is not a finding.
                untold = line.state is LineState.UNKNOWN and line.check in {"credit", "expiry"}
                if line.state is state and not untold:
                    return line
        return None

    def refused_models(self) -> list[ReportLine]:
        """The lines of chosen models that the provider does not offer to this key."""
        asked = {"chat_model", "embedding_model"}
        return [line for line in self.lines if line.check in asked and line.state is LineState.FAILED]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the row and for the API."""
        return {
            "provider": self.provider,
            "state": self.state.value,
            "checked_at": self.checked_at.isoformat(),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "lines": [
                {
                    "check": line.check,
                    "label": line.label,
                    "state": line.state.value,
                    "text": line.text,
                    "next_step": line.next_step,
                    "code": line.code,
                    "model": line.model,
                }
                for line in self.lines
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ConnectionReport:
        """The report that `as_json` stored."""
        return cls(
            provider=stored["provider"],
            checked_at=datetime.fromisoformat(stored["checked_at"]),
            expires_at=datetime.fromisoformat(stored["expires_at"]) if stored["expires_at"] else None,
            lines=[
                ReportLine(**{**line, "state": LineState(line["state"])})  # every name is one of ReportLine's
                for line in stored["lines"]
            ],
        )
