"""The sentences of a capability report: what was found, and what to do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from byok.checking.probing import Probed
from byok.checking.reports import LineState, ReportLine
from byok.errors import AIError
from byok.provider_names import embedding_providers
from byok.providers import Provider
from byok.providers.key_facts import KeyFacts
from usage.formats import money

EXPIRES_SOON = timedelta(days=14)
# So little of a key's limit is a warning.
_LOW_SHARE = Decimal("0.1")

_KINDS = {"chat_model": "Chat model", "embedding_model": "Embedding model"}

# What happened, and what to do; both may name {provider}, {key_page}, {credit_page} and {wait}.
_WORDS = {
    "invalid_key": (
        "{provider} refused this key (401). It may be mistyped, expired or revoked.",
        "Make a new key at {key_page} and save it here.",
    ),
    "missing_scope": (
        "{provider} knows this key, but the key may not do this.",
        "Give it the missing permission at {key_page}, then test again.",
    ),
    "no_credit": (
        "The account at {provider} has no credit left.",
        "Add credit at {credit_page}, then test again.",
    ),
    "key_limit": (
        "This key has reached the spending limit that was set for it at {provider}.",
        "Raise the limit at {key_page}, then test again.",
    ),
    "model_not_found": (
        "{provider} does not offer this model to this key.",
        "Check the model's name, or choose another model.",
    ),
    "rate_limited": ("{provider} limits how often it may be asked, and the limit is reached.", "Test again {wait}."),
    "overloaded": ("{provider} has a fault or is overloaded at the moment.", "Test again {wait}."),
    "timeout": ("{provider} could not be reached in time.", "Test again {wait}."),
    "unreachable": ("{provider} could not be reached.", "Test again {wait}."),
    "bad_response": ("{provider} sent an answer that could not be read.", "Test again {wait}."),
    "content_refused": ("{provider} refused the content of the test call.", "Choose another model."),
    "context_too_long": ("{provider} did not accept the test call for this model.", "Choose another model."),
    "bad_request": ("{provider} did not accept the question.", "Choose another model, or ask support."),
}
_OTHERWISE = ("{provider} could not be asked.", "Ask support to check the address that is set for {provider}.")
# Nothing is known of the key then: neither that it works, nor that it does not.
_NO_VERDICT = frozenset({"rate_limited", "overloaded", "timeout", "unreachable", "bad_response", "wrong_destination"})


def is_no_verdict(error: AIError) -> bool:
    """Whether the question stayed open: the provider could not be asked, or did not say."""
    return error.code in _NO_VERDICT


def words_for(entry: Provider, error: AIError) -> tuple[str, str]:
    """What happened and what to do next, as two sentences."""
    text, next_step = _WORDS.get(error.code, _OTHERWISE)
    if error.status is not None and 300 <= error.status < 400:
        text = "{provider} sent us on to another address. The key was not sent there."
    wait = "in a few minutes"
    if error.retry_after is not None and error.retry_after >= 1:
        wait = f"in {error.retry_after:.0f} seconds" if error.retry_after < 120 else wait
    names = {"provider": entry.label, "key_page": entry.key_page, "credit_page": entry.credit_page, "wait": wait}
    return text.format(**names), next_step.format(**names)


# --- The key ------------------------------------------------------------------------


def key_accepted(entry: Provider) -> ReportLine:
    return ReportLine("key", "Key", LineState.OK, f"{entry.label} accepts this key.")


def key_restricted(entry: Provider) -> ReportLine:
    """A key that is known, but may not list models: it can be a good one all the same."""
    return ReportLine(
        "key",
        "Key",
        LineState.WARNING,
        f"{entry.label} knows this key, but the key may not list models, so it cannot be seen which it may call.",
        f"Test with one small call, or allow the key to list models at {entry.key_page}.",
        code="missing_scope",
    )


def key_not_accepted(entry: Provider, error: AIError) -> ReportLine:
    """The key was refused, or nothing is known about it."""
    text, next_step = words_for(entry, error)
    state = LineState.FAILED if error.code == "invalid_key" else LineState.UNKNOWN
    if state is LineState.UNKNOWN:
        text = f"{text} Nothing is known about this key yet."
    return ReportLine("key", "Key", state, text, next_step, code=error.code)


def key_unasked_elsewhere(entry: Provider) -> ReportLine:
    """The provider answers nobody where this installation runs."""
    return ReportLine(
        "key",
        "Key",
        LineState.UNKNOWN,
        f"{entry.label} does not answer calls from the place where this product runs. Nothing is known about this key.",
        "Ask support, or choose another provider.",
        code="missing_scope",
    )


def kind_line(entry: Provider, wrong_kind: str = "") -> ReportLine:
    """Whether keys of this kind may call models at all."""
    if not wrong_kind:
        return ReportLine("kind", "Kind of key", LineState.OK, "This kind of key may call models.")
    next_step = f"Make a key for calling models at {entry.key_page} and save it here."
    return ReportLine("kind", "Kind of key", LineState.FAILED, wrong_kind, next_step, code="invalid_key")


# --- Money and time -----------------------------------------------------------------


def credit_line(entry: Provider, facts: KeyFacts) -> ReportLine:
    """What is left to spend, as far as the provider tells."""
    if entry.credit_untold:
        return _credit(LineState.UNKNOWN, entry.credit_untold, "One small call would show whether there is any.")
    if not facts.tells_limit:
        return _credit(LineState.UNKNOWN, f"{entry.label} sent a limit that could not be read.", "Test again later.")
    if facts.is_free_tier:
        return _credit(
            LineState.WARNING,
            f"No credit was ever bought for this account at {entry.label}: only free models answer, a few times a day.",
            f"Add credit at {entry.credit_page}.",
        )
    if facts.limit is None or facts.limit_remaining is None:
        return _credit(
            LineState.OK, "No spending limit is set for this key; what the account has left is not told to a key."
        )
    again = f" It starts afresh {facts.limit_reset}." if facts.limit_reset else ""
    text = (
        f"{money(max(facts.limit_remaining, Decimal(0)))} of this key's limit of {money(facts.limit)} is left.{again}"
    )
    if facts.limit_remaining <= 0:
        return _credit(LineState.FAILED, text, f"Raise the limit at {entry.key_page}.", code="key_limit")
    if facts.limit_remaining <= facts.limit * _LOW_SHARE:
        return _credit(LineState.WARNING, text, f"Raise the limit at {entry.key_page} before it is used up.")
    return _credit(LineState.OK, text)


def credit_refused(entry: Provider, error: AIError) -> ReportLine:
    """The provider said that nothing is left to pay with."""
    text, next_step = words_for(entry, error)
    return _credit(LineState.FAILED, text, next_step, code=error.code)


def credit_shown() -> ReportLine:
    """A call was billed just now: there is something to pay with."""
    return _credit(
        LineState.OK, "The account can pay: a test call was accepted just now. How much is left is not told."
    )


def _credit(state: LineState, text: str, next_step: str = "", *, code: str = "") -> ReportLine:
    return ReportLine("credit", "Credit or limit", state, text, next_step, code=code)


def expiry_line(entry: Provider, facts: KeyFacts, now: datetime) -> ReportLine | None:
    """When the key expires; None where the provider does not tell."""
    if not facts.tells_expiry:
        return None
    expires = facts.expires_at
    if expires is None:
        return ReportLine("expiry", "Expiry", LineState.OK, "This key does not expire.")
    day = f"{expires:%-d %B %Y, %H:%M} UTC"
    next_step = f"Make a new key at {entry.key_page} and save it here."
    if expires <= now:
        text = f"This key expired on {day}."
        return ReportLine("expiry", "Expiry", LineState.FAILED, text, next_step, code="invalid_key")
    text = f"This key expires on {day}."
    if expires <= now + EXPIRES_SOON:
        return ReportLine("expiry", "Expiry", LineState.WARNING, text, f"{next_step[:-1]} before that.")
    return ReportLine("expiry", "Expiry", LineState.OK, text)


# --- Models -------------------------------------------------------------------------


def model_offered(entry: Provider, check: str, model: str) -> ReportLine:
    return ReportLine(check, _KINDS[check], LineState.OK, f"{entry.label} offers {model} to this key.", model=model)


def model_missing(entry: Provider, check: str, model: str) -> ReportLine:
    also = f", {entry.also_unlisted}" if entry.also_unlisted else ""
    return ReportLine(
        check,
        _KINDS[check],
        LineState.FAILED,
        f"{entry.label} does not offer {model} to this key{also}.",
        "Check the model's name, or choose another model.",
        code="model_not_found",
        model=model,
    )


def model_not_told(entry: Provider, check: str, model: str, error: AIError | None) -> ReportLine:
    """The list could not be read, or cannot tell. One call would show it."""
    text = f"A list of models does not show whether {model} can be called."
    next_step = "Test with one small call." if check == "chat_model" else "The first document will show it."
    if error is not None and error.code == "missing_scope":
        text = f"This key may not list models, so it is not known whether it may call {model}."
    elif error is not None:
        happened, next_step = words_for(entry, error)
        text = f"{happened} It is not known whether this key may call {model}."
    return ReportLine(
        check,
        _KINDS[check],
        LineState.UNKNOWN,
        text,
        next_step,
        code=error.code if error else "",
        model=model,
    )


def model_unasked(check: str, model: str, *, refused: bool) -> ReportLine:
    """`refused`: the key was; else nothing is known of it, and its own line says what to do."""
    why = "the key was not accepted" if refused else "nothing is known about the key yet"
    return ReportLine(
        check,
        _KINDS[check],
        LineState.UNKNOWN,
        f"{model} was not asked for, because {why}.",
        "Settle the key first." if refused else "See what is said about the key.",
        model=model,
    )


def no_embeddings(entry: Provider, model: str) -> ReportLine:
    return ReportLine(
        "embedding_model",
        _KINDS["embedding_model"],
        LineState.FAILED,
        f"{entry.label} offers no embeddings.",
        f"Choose {embedding_providers()} for embeddings.",
        code="model_not_found",
        model=model,
    )


# --- The probe ----------------------------------------------------------------------


def probe_line(entry: Provider, model: str, probed: Probed) -> ReportLine:
    """How one real call went, with what it cost."""
    if probed.error is None:
        cost = f"It cost {money(probed.cost)}." if probed.cost is not None else "What it cost is not known."
        return ReportLine("probe", "Test call", LineState.OK, f"{model} answered a test call. {cost}", model=model)
    text, next_step = words_for(entry, probed.error)
    open_question = is_no_verdict(probed.error)
    return ReportLine(
        "probe",
        "Test call",
        LineState.UNKNOWN if open_question else LineState.FAILED,
        f"{model} was called once and did not answer. {text}",
        next_step,
        code=probed.error.code,
        model=model,
    )


def probe_unmade(why: str, next_step: str) -> ReportLine:
    return ReportLine("probe", "Test call", LineState.UNKNOWN, f"No test call was made: {why}.", next_step)
