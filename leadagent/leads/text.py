"""Text from outside, made storable: people, models and mail servers send anything."""

import unicodedata


def clean(text: str) -> str:
    """`text` without control characters except line breaks and tabs, without halves of characters, without blank ends.

    PostgreSQL refuses NUL in text and JSON, and what UTF-8 cannot write; the others only hide things from a reader.
    """
    return "".join(
        c for c in text.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"}
    ).strip()


def one_line(text: str, *, limit: int) -> str:
    """`text` on one line, whitespace squeezed, at most `limit` characters: fit for a mail header."""
    return " ".join(clean(text).split())[:limit].rstrip()
