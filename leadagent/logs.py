"""Every shape of an AI key, scrubbed out of whatever is written down; how lines look is in `telemetry.lines`."""

import re

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


def scrub(text: str) -> str:
    """Return `text` with everything that looks like a key or bearer token removed."""
    return _KEY_SHAPES.sub(lambda found: (found["bearer"] or "") + SCRUBBED, text)
