"""Testing a key: what its provider lets it do, on exactly the models that are chosen.

Three kinds of answers are kept apart: the provider refuses (failed), it could not be asked
or does not tell (unknown), and all is well. A timeout is never a verdict on a key.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from byok.calls.json_answers import json_object
from byok.checking import report_lines as say
from byok.checking.asking import Answer, ask
from byok.checking.probing import probe_model
from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.errors import AIError
from byok.providers import REGISTRY, Provider, WrongKey
from byok.providers.key_facts import KeyFacts, model_ids
from leadagent.tenants.models import Organization

# For all questions together; a probe has its own ten seconds (`byok.checking.probing`).
SECONDS = 10.0


def test_ai_connection(
    provider: str,
    api_key: str,
    *,
    chat_models: Sequence[str] = (),
    embedding_model: str = "",
    organization: Organization | None = None,
    probe: bool = False,
) -> ConnectionReport:
    """Ask `provider` what `api_key` may do. Nothing is stored; takes up to about ten seconds.

    `chat_models`, `embedding_model`: names as stored; each gets a line. `probe`: call the first
    chat model once, which is billed to the key and booked on `organization` (then required).
    Not to be called inside a database transaction. Never raises for what a provider does.
    """
    if probe and organization is None:
        raise ValueError("A probe is booked on an organisation: name it.")
    entry = REGISTRY[provider]
    now = timezone.now()
    questions = _Questions(entry, api_key, deadline=time.monotonic() + SECONDS)
    lines, facts = _about_the_key(entry, api_key, questions)
    accepted = all(line.state in {LineState.OK, LineState.WARNING} for line in lines)
    refused = any(line.state is LineState.FAILED for line in lines)
    if accepted:
        if not any(line.check == "credit" for line in lines):
            lines.append(say.credit_line(entry, facts))
        if expiry := say.expiry_line(entry, facts, now):
            lines.append(expiry)
    wanted = [("chat_model", name) for name in chat_models]
    wanted += [("embedding_model", embedding_model)] if embedding_model else []
    for check, name in wanted:
        if accepted or (check == "embedding_model" and not entry.embedding_models_path):
            lines.append(_model_line(entry, check, name, questions))
        else:
            lines.append(say.model_unasked(check, name, refused=refused))
    if probe and organization is not None:
        lines = _with_probe(entry, api_key, organization, chat_models, lines)
    return ConnectionReport(provider=provider, checked_at=now, lines=lines, expires_at=facts.expires_at)


test_ai_connection.__test__ = False  # type: ignore[attr-defined]  # the seed's name; pytest would collect it


@dataclass(slots=True)
class _Questions:
    """The questions of one test: all before one deadline, none asked twice."""

    entry: Provider
    api_key: str = field(repr=False)
    deadline: float
    asked: dict[str, Mapping[str, Any] | AIError] = field(default_factory=dict)

    def ask(self, path: str) -> Mapping[str, Any] | AIError:
        """The JSON object at `path`, or why there is none."""
        if path not in self.asked:
            answer = ask(self.entry.id, self.api_key, path, deadline=self.deadline, headers=self.entry.api_headers)
            self.asked[path] = _json_object(self.entry, answer)
        return self.asked[path]


def _json_object(entry: Provider, answer: Answer | AIError) -> Mapping[str, Any] | AIError:
    if isinstance(answer, AIError):
        return answer
    body = json_object(answer.body)
    return AIError("bad_response", provider=entry.id) if body is None else body


def _about_the_key(entry: Provider, api_key: str, questions: _Questions) -> tuple[list[ReportLine], KeyFacts]:
    """The lines on the key itself, and what the provider told about it."""
    if wrong := _wrong_text(entry, api_key):
        return [say.kind_line(entry, wrong)], KeyFacts()
    answer = questions.ask(entry.key_path)
    if not isinstance(answer, AIError):
        if facts := entry.read_key(answer):
            return [say.key_accepted(entry), say.kind_line(entry, facts.wrong_kind)], facts
        answer = AIError("bad_response", provider=entry.id)
    match answer.code:
        case "missing_scope" if answer.status == 403 and not answer.detail:
            # No provider of these refuses without a word: something in between does.
            return [say.key_not_accepted(entry, AIError("bad_response", provider=entry.id))], KeyFacts()
        case "missing_scope" if entry.is_about_the_caller(answer.detail):
            return [say.key_unasked_elsewhere(entry)], KeyFacts()
        case "missing_scope":
            return [say.key_restricted(entry), say.kind_line(entry)], KeyFacts()
        case "no_credit" | "key_limit":
            return [say.key_accepted(entry), say.kind_line(entry), say.credit_refused(entry, answer)], KeyFacts()
    return [say.key_not_accepted(entry, _about_a_list(entry, answer))], KeyFacts()


# What a refusal of a question that names no model, and sends no text, can mean.
_MEANT = frozenset(
    {"invalid_key", "missing_scope", "rate_limited", "overloaded", "timeout", "unreachable", "wrong_destination"}
)


def _about_a_list(entry: Provider, error: AIError) -> AIError:
    """Codes follow from statuses: a 404 here is no missing model, but an address that does not answer."""
    if error.code in _MEANT or error.status is None or error.status < 400:
        return error
    return AIError("bad_response", provider=entry.id)


def _wrong_text(entry: Provider, api_key: str) -> str:
    """Why this text cannot be a key for calling models; empty where it can. Nothing is sent for the verdict."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        return "A key is one line of letters, digits and dashes."
    try:
        entry.check_key(api_key)
    except WrongKey as exc:
        return str(exc)
    return ""


def _model_line(entry: Provider, check: str, name: str, questions: _Questions) -> ReportLine:
    is_chat = check == "chat_model"
    if not is_chat and not entry.embedding_models_path:
        return say.no_embeddings(entry, name)
    model_id = entry.model_id(name) if is_chat else entry.embedding_model_id(name)
    answer = questions.ask(entry.chat_models_path if is_chat else entry.embedding_models_path)
    if isinstance(answer, AIError):
        return say.model_not_told(entry, check, name, _about_a_list(entry, answer))
    listed = model_ids(answer)
    if listed is None:
        return say.model_not_told(entry, check, name, AIError("bad_response", provider=entry.id))
    match entry.lists(model_id, listed):
        case True:
            return say.model_offered(entry, check, name)
        case None:
            return say.model_not_told(entry, check, name, None)
    if path := entry.model_path(model_id):
        single = questions.ask(path)
        if not isinstance(single, AIError) and isinstance(single.get("id"), str):
            return say.model_offered(entry, check, name)
        if not isinstance(single, AIError):
            single = AIError("bad_response", provider=entry.id)
        if single.code != "model_not_found":
            return say.model_not_told(entry, check, name, _about_a_list(entry, single))
    return say.model_missing(entry, check, name)


def _with_probe(
    entry: Provider, api_key: str, organization: Organization, chat_models: Sequence[str], lines: list[ReportLine]
) -> list[ReportLine]:
    """The lines with a real call's outcome, which settles what the lists left open."""
    if not chat_models:
        return [*lines, say.probe_unmade("no chat model is chosen", "Choose a chat model.")]
    if any(line.check in {"key", "kind"} and line.state not in {LineState.OK, LineState.WARNING} for line in lines):
        if any(line.state is LineState.FAILED for line in lines):
            return [*lines, say.probe_unmade("the key was not accepted", "Settle the key first.")]
        return [*lines, say.probe_unmade("nothing is known about the key yet", "See what is said about the key.")]
    if any(line.check in {"credit", "expiry"} and line.state is LineState.FAILED for line in lines):
        return [*lines, say.probe_unmade("it would not be paid for", "Settle the credit or the expiry first.")]
    model = chat_models[0]
    probed = probe_model(organization, entry.id, api_key, entry.model_id(model))
    if probed.error is None:
        lines = _replaced(lines, say.model_offered(entry, "chat_model", model))
        if entry.credit_untold:
            lines = _replaced(lines, say.credit_shown())
    elif probed.error.code in {"no_credit", "key_limit"}:
        lines = _replaced(lines, say.credit_refused(entry, probed.error))
    elif probed.error.code == "model_not_found":
        lines = _replaced(lines, say.model_missing(entry, "chat_model", model))
    return [*lines, say.probe_line(entry, model, probed)]


def _replaced(lines: list[ReportLine], better: ReportLine) -> list[ReportLine]:
    return [better if (line.check, line.model) == (better.check, better.model) else line for line in lines]
