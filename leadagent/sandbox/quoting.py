"""Reasons with passages of what the prompt holds: a line of the report, a sentence of the lead's message."""

import re

from leadagent.sandbox.lead_facts import Lead

_REPORT = re.compile(r"<(\w*report\w*)>(.*?)</\1>", re.DOTALL)
_CITATIONS = re.compile(r"\s*\[\d{1,4}(?:, \d{1,4})*\]")
_FEWEST_WORDS = 3
_LONGEST = 200
# What a report says first of all: which lead it is about.
_TELLING = ("Asks for", "Company", "Team size")


def reasons(prompt: str, lead: Lead) -> list[dict[str, str]]:
    """One reason for each of report and message that has a passage to quote."""
    found = []
    report = _REPORT.search(prompt)
    if report and (line := _line_of(report[2])):
        found.append({"statement": "The research shows what they need.", "quote": line, "source": "report"})
    if sentence := _sentence_of(lead.message):
        found.append({"statement": "They say so themselves.", "quote": sentence, "source": "message"})
    return found


def _line_of(report: str) -> str:
    lines = [_CITATIONS.sub("", line.strip().lstrip("-*# ")).rstrip() for line in report.splitlines()]
    prose = [line for line in lines if len(line.split()) >= _FEWEST_WORDS]
    telling = [line for name in _TELLING for line in prose if line.startswith(name)]
    return next(iter(telling or prose), "")


def _sentence_of(message: str) -> str:
    sentences = re.split(r"(?<=[.!?])\s+", message.strip())
    return next((one for one in sentences if len(one.split()) >= _FEWEST_WORDS and len(one) <= _LONGEST), "")
