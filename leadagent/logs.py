"""Every shape of an AI key, scrubbed out of whatever is written down; how lines look is in `telemetry.lines`."""

import re
from collections.abc import Iterable

# Shapes of the providers' keys (OpenRouter, OpenAI, Anthropic, Google), also half masked as
# providers echo them, of our API tokens and of bearer values. The telling prefixes count
# wherever they stand: escapes and encodings put letters before them.
_KEY_SHAPES = re.compile(
    r"sk-(?:or|ant|proj|svcacct|admin)-[A-Za-z0-9_\-*•.…]{3,}"
    r"|(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))sk-[A-Za-z0-9_\-*•.…]{6,}"
    r"|(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))AIza[A-Za-z0-9_\-]{20,}"
    r"|lat_[A-Za-z0-9_\-]{16,}"
    r"|(?P<bearer>(?i:bearer)\s+)[A-Za-z0-9_\-.=+/]{12,}"
)
SCRUBBED = "[key removed]"
# Where no letter stands before; an escaped line break is none.
_WORD_ENDS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
# The same for further providers, whose own files name the prefixes.
_prefixes: set[str] = set()
_further_shapes: re.Pattern[str] | None = None


def know_key_prefixes(prefixes: Iterable[str]) -> None:
    """Scrub keys that begin so, too. A prefix of one or two characters begins too many words to tell anything."""
    global _further_shapes  # lines are scrubbed by whoever writes them: there is nobody to hand it to
    _prefixes.update(prefix for prefix in prefixes if len(prefix) > 2 and not _KEY_SHAPES.match(f"{prefix}{'x' * 40}"))
    # Letters may stand before a prefix that ends in a mark, as above; others are told from words by what precedes them.
    told = [
        f"{'' if prefix[-1] in '-_' else _WORD_ENDS}{re.escape(prefix)}"
        for prefix in sorted(_prefixes, key=len, reverse=True)
    ]
    _further_shapes = re.compile(rf"(?:{'|'.join(told)})[A-Za-z0-9_\-*•.…]{{6,}}") if told else None


def scrub(text: str) -> str:
    """Return `text` with everything that looks like a key or bearer token removed."""
    text = _KEY_SHAPES.sub(lambda found: (found["bearer"] or "") + SCRUBBED, text)
    return _further_shapes.sub(SCRUBBED, text) if _further_shapes else text


def is_key_shaped(value: object) -> bool:
    """Whether a text holds what may be a key, ours or a provider's."""
    return isinstance(value, str) and scrub(value) != value
