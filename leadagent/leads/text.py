"""Text from outside, made storable: people, models and mail servers send anything."""

import unicodedata


def clean(text: str) -> str:
    """`text` without control characters except line breaks and tabs, and without blank ends.

    PostgreSQL refuses NUL in text and JSON; the others only hide things from a reader.
    """
    return "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) != "Cc").strip()


def one_line(text: str, *, limit: int) -> str:
    """`text` on one line, whitespace squeezed, at most `limit` characters: fit for a mail header."""
    return " ".join(clean(text).split())[:limit].rstrip()
