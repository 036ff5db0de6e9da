"""Sort a lead by plain rules on its words, mailbox and team size."""

import re
from dataclasses import dataclass
from typing import Literal

from leadagent.sandbox.lead_facts import Lead

Category = Literal["QUALIFIED", "UNQUALIFIED", "SUPPORT", "FOLLOW_UP"]

_BUYING = (
    "pricing|price|quote|demo|trial|buy|purchase|budget|rollout|roll-out|evaluate|evaluating|vendor|proposal|contract|"
    "procurement|seats|licence|license|licences|licenses|subscribe|enterprise|plan|plans|implementation|onboard|"
    "migrate|switch|replace"
)
_SUPPORT = (
    "bug|crash(?:es|ed)?|error|invoice|refund|password|log ?in|sign ?in|locked out|not working|does ?n[o']t work|"
    "broken|outage|reset my|my account|existing customer|cancel (?:my|our)|billing (?:issue|problem|question)"
)
_WEAK_SUPPORT = "help me|need help|please help|support ticket|technical support"
_WORTHLESS = (
    "student|homework|thesis|assignment|dissertation|seo|backlinks?|guest post|crypto|casino|lottery|"
    "make money|viagra|loan offer|first page of google|internship|job application"
)
_SHORTEST_MESSAGE = 15


@dataclass(frozen=True, slots=True)
class Verdict:
    """A category, why, and how sure (0 to 1)."""

    category: Category
    reason: str
    confidence: float


def judge(lead: Lead) -> Verdict:
    """Sort a lead: support and spam first, then buying words with a company mailbox, else follow up."""
    words = lead.message or lead.text
    who = lead.name or "The sender"
    buying = list(dict.fromkeys(word.lower() for word in re.findall(rf"\b(?:{_BUYING})\b", words, re.IGNORECASE)))
    support = _found(_SUPPORT, words) or ("" if buying else _found(_WEAK_SUPPORT, words))
    worthless = _found(_WORTHLESS, words)
    team = f" for a team of {lead.team_size}" if lead.team_size else ""
    if support:
        return _verdict("SUPPORT", f"{who} asks for help ('{support}') rather than to buy.", 0.85)
    if worthless:
        return _verdict("UNQUALIFIED", f"The message mentions '{worthless}', which no buyer of ours does.", 0.9)
    if buying and lead.email and not lead.free_mail:
        reason = f"{who} of {lead.company} writes from a company address about {_and(buying)}{team}."
        return _verdict("QUALIFIED", reason, 0.95 if lead.team_size >= 10 else 0.8)
    if buying:
        return _verdict("FOLLOW_UP", f"{who} asks about {_and(buying)}{team}, but the company is unclear.", 0.6)
    if lead.email and lead.free_mail:
        return _verdict("UNQUALIFIED", f"{who} writes from a private mailbox and names nothing to buy.", 0.7)
    if len(lead.message) < _SHORTEST_MESSAGE and lead.message:
        return _verdict("UNQUALIFIED", "The message is too short to tell what is wanted.", 0.6)
    return _verdict("FOLLOW_UP", f"{who} shows interest, but neither budget nor timing is known yet.", 0.55)


def _verdict(category: Category, reason: str, confidence: float) -> Verdict:
    return Verdict(category, f"{reason} (Judged by the sandbox's rules.)", confidence)


def _found(pattern: str, text: str) -> str:
    match = re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
    return match.group(0).lower() if match else ""


def _and(words: list[str]) -> str:
    return " and ".join(words[:2])
