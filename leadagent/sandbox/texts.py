"""The prose the sandbox writes: research report, reply email, plain answer."""

import json
import re
from collections.abc import Iterator

from leadagent.sandbox.lead_facts import Lead
from leadagent.sandbox.verdict import Verdict

_LONGEST_FINDING = 280


def report(lead: Lead, results: list[tuple[str, str]]) -> str:
    """A short research report in Markdown that repeats what each tool found."""
    who = lead.name or "Unknown sender"
    lines = [
        f"# Research report: {lead.company or who}",
        "",
        f"Written by the sandbox provider for {who}" + (f" ({lead.email})." if lead.email else "."),
        "",
        "## Lead",
        f"- Contact: {who}",
        f"- Company: {lead.company or 'not given'}" + (f" ({lead.domain})" if lead.domain else ""),
        f"- Team size: {lead.team_size or 'not given'}",
        f"- Asks for: {lead.topic}",
        "",
        "## Findings",
    ]
    lines += [f"- **{tool}**: {_shortened(text)}{_cited(text)}" for tool, text in results]
    if not results:
        lines.append("- No tool was used; this report rests on the lead's own words.")
    return "\n".join(lines)


def subject(lead: Lead) -> str:
    """A subject line for the reply."""
    return f"Re: {lead.topic[0].upper()}{lead.topic[1:]}"


def email(lead: Lead, verdict: Verdict, *, asked: str = "") -> str:
    """The body of a reply to the lead's message, fitting how the lead was judged; it says what a person `asked` for."""
    middle = {
        "QUALIFIED": "I would be glad to show you how we can help"
        + (f" {lead.company}" if lead.company else "")
        + (f" and its team of {lead.team_size}" if lead.team_size else "")
        + ". Would a 30-minute call this week suit you?",
        "SUPPORT": "I am sorry for the trouble. I have passed your message to our support team, who will write to "
        "you with the next steps.",
        "UNQUALIFIED": "At the moment we may not be the right fit for what you describe, but our documentation is "
        "open to you at any time.",
        "FOLLOW_UP": "To point you to the right offer, could you tell me a little more: how large is your team, and "
        "when would you like to start?",
    }[verdict.category]
    return (
        f"Hi {lead.first_name},\n\n"
        f'Thank you for your message: "{lead.topic}".\n\n'
        f"{middle}\n\n"
        f"Best regards,\n{lead.seller or 'The team'}\n\n"
        + (
            f"(Rewritten by the sandbox provider, asked for: {asked})"
            if asked
            else "(Drafted by the sandbox provider.)"
        )
    )


def answer(lead: Lead) -> str:
    """What to say when nothing in particular is asked for."""
    asked = " ".join((lead.message or lead.text).split())
    return f"Sandbox answer: I read {len(lead.text)} characters, beginning with '{asked[:80]}'."


def _words_of(result: str) -> str:
    """The texts inside of a JSON result, without its names and numbers; anything else as it is."""
    try:
        found = json.loads(result)
    except ValueError:
        return result
    words = [value for value in _leaves(found) if not value.startswith("http")]
    return "; ".join(words) or result


def _leaves(found: object) -> Iterator[str]:
    if isinstance(found, str) and found.strip():
        yield found.strip()
    elif isinstance(found, dict | list):
        for inner in found.values() if isinstance(found, dict) else found:
            yield from _leaves(inner)


def _cited(result: str) -> str:
    """The sources that a result says it comes from, as citations; nothing where it names none."""
    numbers = dict.fromkeys(re.findall(r'"source"\s*:\s*(\d{1,4})\b', result))
    return f" [{', '.join(numbers)}]" if numbers else ""


def _shortened(text: str) -> str:
    words = " ".join(_words_of(text).split())
    return words if len(words) <= _LONGEST_FINDING else f"{words[: _LONGEST_FINDING - 3]}..."
