"""What the model says: by plain rules on the prompt, so that the demo makes sense and tests can predict it.

It serves a research agent (tools first, then a report), typed output (any JSON schema,
as text or through an output tool), email drafts, and anything else with one sentence.
"""

import json
import re
from dataclasses import replace
from typing import Any, cast

from leadagent.sandbox import texts
from leadagent.sandbox.conversation import Prompt, Reply, Tool, ToolCall, compact_json
from leadagent.sandbox.lead_facts import Lead, read_lead
from leadagent.sandbox.quoting import reasons
from leadagent.sandbox.schema_filling import Schema, fill, same_word
from leadagent.sandbox.verdict import Category, Verdict, judge

# In the order in which a researcher would reach for them.
_RESEARCH_TOOLS = ("search", "query_knowledge_base", "crm_search", "tech_stack_analysis", "fetch_url")
_CALLS_PER_ROUND = 4
_MOST_ROUNDS = 2
# pydantic-ai's default name and description of the tool that carries typed output.
_OUTPUT_TOOL = re.compile(r"^final_result|final response which ends this conversation")
_PROMPTED_SCHEMA = re.compile(r"compatible with this schema:\s*")
_EMAIL_WANTED = re.compile(
    r"\b(?:write|draft|compose|reply|respond|answer)\w*\b[^.\n]{0,80}\b(?:e-?mails?|repl(?:y|ies)|responses?|messages?)\b"
    r"|\be-?mail (?:draft|reply|response|copywriter|writer)",
    re.IGNORECASE,
)
_REPORT_WANTED = re.compile(r"\bresearch|\breport\b", re.IGNORECASE)
_SETTLED = re.compile(
    r"<(\w*qualification\w*)>(?:(?!</\1>).)*?\b(?P<category>QUALIFIED|UNQUALIFIED|SUPPORT|FOLLOW_UP)\b", re.DOTALL
)
_SIGN_AS = re.compile(r"\b[Ss]ign (?:it )?as ([^.\n]{1,80})")
# What a person wants to be different about an email.
_ASKED = re.compile(r"\bThey ask: (.{1,300})")
_URL = re.compile(r"https?://[^\s<>()\[\]\"'`]+")


def reply_to(prompt: Prompt) -> Reply:
    """Answer a prompt: with tool calls, JSON or prose, whichever it asks for."""
    lead = read_lead(prompt.text_of("user") or prompt.text_of("system"))
    signature = _SIGN_AS.search(prompt.text_of("system"))
    if signature:
        lead = replace(lead, seller=signature.group(1).strip())
    verdict = _settled(prompt) or judge(lead)
    calls = _tool_calls(prompt, lead, verdict)
    if calls:
        return Reply(tool_calls=tuple(calls[:1] if prompt.one_call_only else calls))
    schema = prompt.output_schema or _schema_in_text(prompt)
    if schema is not None:
        return Reply(text=compact_json(fill(schema, _Suggestions(prompt, lead, verdict))))
    if prompt.json_mode:
        return Reply(text=compact_json({"answer": texts.answer(lead), "category": verdict.category}))
    return Reply(text=_prose(prompt, lead, verdict))


def _settled(prompt: Prompt) -> Verdict | None:
    """The verdict that an earlier step reached and the prompt hands on in a `qualification` tag, or None."""
    given = _SETTLED.search(prompt.text_of("user"))
    return Verdict(cast("Category", given["category"]), "Settled before. (Sandbox.)", 0.9) if given else None


def _prose(prompt: Prompt, lead: Lead, verdict: Verdict) -> str:
    if prompt.tool_results:
        return texts.report(lead, prompt.tool_results)
    if _wants_email(prompt):
        wants_subject = re.search(r"\bsubject\b", prompt.text_of("system", "user"), re.IGNORECASE)
        body = _email(prompt, lead, verdict)
        return f"Subject: {texts.subject(lead)}\n\n{body}" if wants_subject else body
    if _REPORT_WANTED.search(_instructions(prompt)):
        return texts.report(lead, [])
    return texts.answer(lead)


def _email(prompt: Prompt, lead: Lead, verdict: Verdict) -> str:
    asked = _ASKED.search(prompt.text_of("system"))
    return texts.email(lead, verdict, asked=asked[1].strip() if asked else "")


def _wants_email(prompt: Prompt) -> bool:
    return bool(_EMAIL_WANTED.search(_instructions(prompt)))


def _instructions(prompt: Prompt) -> str:
    """What the caller asks for. A lead's own words come later: they must not be mistaken for it."""
    return f"{prompt.text_of('system')}\n{prompt.text_of('user').strip().partition(chr(10))[0]}"


def _tool_calls(prompt: Prompt, lead: Lead, verdict: Verdict) -> list[ToolCall]:
    if prompt.tool_choice == "none" or not prompt.tools:
        return []
    if prompt.forced_tool:
        chosen = [tool for tool in prompt.tools if tool.name == prompt.forced_tool]
    else:
        output = [tool for tool in prompt.tools if _OUTPUT_TOOL.search(f"{tool.name}\n{tool.description}")]
        chosen = _research(prompt, [tool for tool in prompt.tools if tool not in output])
        if not chosen and (output or prompt.tool_choice == "required"):
            chosen = (output or list(prompt.tools))[:1]
    return [ToolCall(tool.name, _arguments(tool, prompt, lead, verdict)) for tool in chosen]


def _research(prompt: Prompt, offered: list[Tool]) -> list[Tool]:
    """The tools to call now: all but pages in the first round, then a page that a search brought up, then none."""
    if prompt.tool_rounds == 0:
        known = [tool for name in _RESEARCH_TOOLS for tool in offered if tool.name == name]
        first = [tool for tool in known if tool.name != "fetch_url"]
        return (first or known or offered)[:_CALLS_PER_ROUND]
    if prompt.tool_rounds < _MOST_ROUNDS and "fetch_url" not in prompt.called_tools and _found_url(prompt):
        return [tool for tool in offered if tool.name == "fetch_url"]
    return []


def _found_url(prompt: Prompt) -> str:
    for _, text in prompt.tool_results:
        match = _URL.search(text)
        if match:
            return match.group(0).rstrip(".,;:!?*")
    return ""


def _arguments(tool: Tool, prompt: Prompt, lead: Lead, verdict: Verdict) -> dict[str, Any]:
    is_output = bool(_OUTPUT_TOOL.search(f"{tool.name}\n{tool.description}")) or tool.name == prompt.forced_tool
    filled = fill(tool.schema, _Suggestions(prompt, lead, verdict, tool=tool.name), optional=is_output)
    return filled if isinstance(filled, dict) else {}


def _schema_in_text(prompt: Prompt) -> Schema | None:
    """The JSON schema that the instructions spell out (pydantic-ai's prompted output), or None."""
    text = prompt.text_of("system", "user")
    marker = _PROMPTED_SCHEMA.search(text)
    if marker is None:
        return None
    try:
        schema, _ = json.JSONDecoder().raw_decode(text[marker.end() :])
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None


class _Suggestions:
    """Proposes values by a property's name, from the lead's data. For a tool call these are search terms."""

    def __init__(self, prompt: Prompt, lead: Lead, verdict: Verdict, *, tool: str = "") -> None:
        self.prompt, self.lead, self.verdict, self.tool = prompt, lead, verdict, tool

    def __call__(self, name: str, schema: Schema) -> Any:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
        if "enum" in schema:
            sorts = any(same_word(value, self.verdict.category) for value in schema["enum"])
            return self.verdict.category if sorts else self._level()
        for known, value in self._values().items():
            if known in words and value not in ("", None):
                return value
        return None

    def _level(self) -> str:
        return "high" if self.verdict.confidence >= 0.8 else "medium" if self.verdict.confidence >= 0.6 else "low"

    def _values(self) -> dict[str, Any]:
        lead, verdict = self.lead, self.verdict
        url = (_found_url(self.prompt) if self.tool == "fetch_url" else "") or (
            lead.domain and f"https://{lead.domain}/"
        )
        about = lead.company or lead.name or lead.topic
        query = lead.topic if "knowledge" in self.tool else lead.email if self.tool == "crm_search" else about
        summary = (
            f"Sandbox summary: {lead.name or 'A lead'} of {lead.company or 'an unknown company'} writes: {lead.topic}."
        )
        email = _email(self.prompt, lead, verdict)
        prose = email if _wants_email(self.prompt) else summary
        return {
            "qualified": verdict.category == "QUALIFIED",
            "category": verdict.category,
            "verdict": verdict.category,
            "confidence": verdict.confidence,
            "probability": verdict.confidence,
            "score": verdict.confidence,
            "reason": verdict.reason,
            "reasoning": verdict.reason,
            "rationale": verdict.reason,
            "explanation": verdict.reason,
            "reasons": reasons(self.prompt.text_of("user"), lead),
            "subject": texts.subject(lead),
            "body": email,
            "draft": email,
            "report": texts.report(lead, self.prompt.tool_results),
            "summary": summary,
            "text": prose,
            "content": prose,
            "message": prose,
            "query": query or about,
            "q": query or about,
            "question": lead.topic,
            "topic": lead.topic,
            "domain": lead.domain,
            "url": url,
            "website": url,
            "email": lead.email,
            "company": lead.company,
            "organisation": lead.company,
            "organization": lead.company,
            "name": lead.name,
            "contact": lead.name,
            "team": lead.team_size or None,
            "employees": lead.team_size or None,
        }
