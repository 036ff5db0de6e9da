"""What it means that a mail could not be handed over: refused for good, for now, or not known. Pure."""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from enum import StrEnum

from leadagent.leads.text import one_line

_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\b")
_TEXT = 300


class Meaning(StrEnum):
    """`FOR_NOW`: nothing was sent, and trying again can help. `UNKNOWN`: it may have gone out."""

    FOR_GOOD = "for good"
    FOR_NOW = "for now"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` and `status` as RFC 5321 and RFC 3463 have them; None and empty where the server said none."""

    meaning: Meaning
    code: int | None
    status: str
    text: str

    @property
    def words(self) -> str:
        """What the server said, as it follows "(": "550 5.1.1 no such user"."""
        return " ".join(filter(None, [str(self.code or ""), self.text])) or "no reason given"


def refusal_of(error: Exception, *, handed_over: bool) -> Refusal:
    """`handed_over`: the error came after the mail had begun to be handed over, not while connecting."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # One recipient, so one answer.
        code, said = next(iter(error.recipients.values()), (0, b""))
        return _answered(code, said, handed_over=handed_over)
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(error.smtp_code, error.smtp_error, handed_over=handed_over)
    text = one_line(str(error) or type(error).__name__, limit=_TEXT)
    if isinstance(error, smtplib.SMTPNotSupportedError | ValueError):
        return Refusal(Meaning.FOR_GOOD, None, "", text)
    return Refusal(Meaning.UNKNOWN if handed_over else Meaning.FOR_NOW, None, "", text)


def _answered(code: int, said: bytes | str, *, handed_over: bool) -> Refusal:
    text = one_line(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said), limit=_TEXT)
    enhanced = _ENHANCED.match(text)
    status = enhanced[1] if enhanced else ""
    if 500 <= code <= 599:
        return Refusal(Meaning.FOR_GOOD, code, status, text)
    if 400 <= code <= 499:
        return Refusal(Meaning.FOR_NOW, code, status, text)
    # No answer that SMTP knows.
    known = code if 100 <= code <= 999 else None
    return Refusal(Meaning.UNKNOWN if handed_over else Meaning.FOR_NOW, known, status, text)
