"""Keys: whose shape they have, and the misbehaviour their text asks for."""

import re
from dataclasses import dataclass
from hashlib import sha256

_BODY = r"[A-Za-z0-9_-]{4,}"
# OpenRouter's and Anthropic's keys, and both kinds of admin key, are no use on the other wires.
_SHAPES = {
    "openai": re.compile(rf"sk-(?!or-v1-|ant-|admin-){_BODY}"),
    "anthropic": re.compile(rf"sk-ant-(?!admin){_BODY}"),
    "openrouter": re.compile(rf"sk-or-v1-{_BODY}"),
}

# A key whose text (any case) contains the word behaves so; words can be combined.
MODES = {
    "invalid": "401 everywhere, as for a key that was never issued",
    "noscope": "a restricted OpenAI key: model list 401 'Missing scopes', generation works",
    "management": "an OpenRouter management key: /key says so, generation 403",
    "forbidden": "403 (OpenAI: region, Anthropic: permission, OpenRouter: moderation)",
    "nocredit": "generation refused for billing: OpenAI 429 insufficient_quota, Anthropic 400, OpenRouter 402; "
    "lists still work and /key shows nothing left",
    "keylimit": "OpenRouter 403 'Key limit exceeded'; elsewhere as nocredit",
    "unlimited": "OpenRouter /key shows no limit",
    "freetier": "OpenRouter /key says that the account never bought credit",
    "expired": "an OpenRouter key that expired yesterday: 401 everywhere, as for a deleted one",
    "revoked": "401 everywhere once two calls of a model were answered, as for a key revoked then (`revoked5`: five)",
    "expiring": "OpenRouter /key names the day after tomorrow as the end",
    "ratelimit": "429 with Retry-After: 2 (`ratelimit7`: 7 seconds)",
    "overloaded": "OpenAI 503, Anthropic 529, OpenRouter 503",
    "servererror": "500",
    "slow": "answers after 3 seconds (`slow30`: 30 seconds); a stream drips evenly over that time",
    "broken": "200 with a body cut in half (invalid JSON); a stream breaks off in the middle",
    "reset": "the connection is closed without an answer",
    "huge": "200 with 32 MiB of padding inside the JSON body",
    "errorin200": "generation fails after it began: an error inside a 200 body (OpenRouter) or inside the stream; "
    "OpenAI and Anthropic without streaming answer 500 and 529",
    "gone": "404 for every model, as on the day after its last",
    "refuse": "the model declines: finish_reason content_filter, stop_reason refusal",
    "cached": "half of the prompt (with cache markers: the marked prefix) counts as read from the cache",
    "tuned": "an OpenAI account with a fine-tuned model of its own, listed and called by its keys only",
    "ownupstream": "OpenRouter bills only its fee, as with an upstream provider's key stored there, and reports the "
    "upstream cost beside it",
}
_WORDS = re.compile(rf"({'|'.join(sorted(MODES, key=len, reverse=True))})(\d*)")
# Followed by letters: models with these letters in their name answer as if the key asked for nothing, and so do key and
# lists (`overloaded-sparehaiku`: every model but a Haiku is overloaded).
_SPARED = re.compile(r"spare([a-z]+)")
_DEFAULTS = {"slow": 3, "ratelimit": 2, "revoked": 2}


@dataclass(frozen=True, slots=True)
class KeyModes:
    """The mode words found in a key, and the numbers that some ask for (0 without the word).

    `slow_seconds`, `retry_after` (seconds) and `revoked_after` (answered calls of a model).
    """

    words: frozenset[str] = frozenset()
    slow_seconds: int = 0
    retry_after: int = 0
    revoked_after: int = 0
    # Letters in the name of the models that the words are not for; empty: they are for all.
    spared: str = ""

    def __contains__(self, word: str) -> bool:
        return word in self.words


def has_shape(wire: str, key: str) -> bool:
    """Whether the key looks like one that this provider issues for calling models."""
    return _SHAPES[wire].fullmatch(key) is not None


def read_modes(key: str) -> KeyModes:
    """Find the mode words in a key."""
    numbers = {word: int(digits or _DEFAULTS.get(word, 0)) for word, digits in _WORDS.findall(key.lower())}
    spared = _SPARED.search(key.lower())
    return KeyModes(
        words=frozenset(numbers),
        slow_seconds=numbers.get("slow", 0),
        retry_after=numbers.get("ratelimit", 0),
        revoked_after=numbers.get("revoked", 0),
        spared=spared.group(1) if spared else "",
    )


def fingerprint(key: str) -> str:
    """SHA-256 of the key in hex, by which recorded requests are matched to it; empty for no key."""
    return sha256(key.encode()).hexdigest() if key else ""
