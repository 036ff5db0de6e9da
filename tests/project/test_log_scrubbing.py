"""No shape of a key leaves by the log, however the line is put together."""

import json
import logging

import pytest

from leadagent.logs import SCRUBBED, ScrubbingFormatter, ScrubbingJSONFormatter

KEYS = (
    "sk-or-v1-0123456789abcdefSECRET",
    "sk-ant-api03-0123456789abcdefSECRET",
    "sk-proj-0123456789abcdefSECRET",
    "sk-0123456789abcdefSECRET",
    "lat_0123456789abcdefSECRET",
)
FRAMES = (
    "{}",
    "said:\n{}",
    "said:\t{}",
    "said:\r\n{} again",
    '{{"key": "{}"}}',
    "Bearer {}",
    "authorization: bearer {}",
)


def formatted(formatter: logging.Formatter, message: str, *, raised: bool = False) -> str:
    error = ValueError(message)
    record = logging.LogRecord(
        "x", logging.ERROR, "f.py", 1, "%s", (message,), (ValueError, error, None) if raised else None
    )
    return formatter.format(record)


@pytest.mark.parametrize(
    "formatter", [ScrubbingFormatter("%(message)s"), ScrubbingJSONFormatter()], ids=["plain", "json"]
)
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("raised", [False, True], ids=["message", "exception"])
def test_a_key_is_removed_wherever_it_stands(formatter: logging.Formatter, frame: str, key: str, raised: bool) -> None:
    line = formatted(formatter, frame.format(key), raised=raised)
    assert "SECRET" not in line
    assert SCRUBBED in line


@pytest.mark.parametrize("key", KEYS[:3])
def test_an_encoded_separator_before_a_key_does_not_hide_it(key: str) -> None:
    assert "SECRET" not in formatted(ScrubbingFormatter("%(message)s"), f"/?k%3D{key}&x")


@pytest.mark.parametrize(
    "text", ["a risk-averse reader", "task-12345 is done", "the bearer of news", "mask-image: none"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert formatted(ScrubbingFormatter("%(message)s"), text) == text


def test_a_json_line_is_json() -> None:
    line = json.loads(formatted(ScrubbingJSONFormatter(), "said:\nsk-or-v1-0123456789abcdef"))
    assert line["message"] == f"said:\n{SCRUBBED}"
