"""No shape of a key leaves by the log, however the line is put together; and what a line looks like."""

import json
import logging
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.test import RequestFactory

from leadagent.logs import SCRUBBED
from leadagent.telemetry.context import bound, fresh_context
from leadagent.telemetry.lines import json_formatter, logging_config, plain_formatter
from leadagent.tenants.views.home import home

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
both = pytest.mark.parametrize("formatter", [plain_formatter(), json_formatter()], ids=["plain", "json"])


def formatted(formatter: logging.Formatter, message: str, *, raised: bool = False, **extra: Any) -> str:
    error = ValueError(message)
    record = logging.LogRecord(
        "x", logging.ERROR, "f.py", 1, "%s", (message,), (ValueError, error, None) if raised else None
    )
    record.__dict__ |= extra
    return formatter.format(record)


@both
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("raised", [False, True], ids=["message", "exception"])
def test_a_key_is_removed_wherever_it_stands(formatter: logging.Formatter, frame: str, key: str, raised: bool) -> None:
    line = formatted(formatter, frame.format(key), raised=raised)
    assert "SECRET" not in line
    assert SCRUBBED in line


class Stubborn:
    """A value that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@both
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_removed_from_what_goes_along(formatter: logging.Formatter, frame: str, key: str) -> None:
    text = frame.format(key)
    nested = {"deep": [{"deeper": (text, {text: 1}, {text})}], "bytes": text.encode(), "error": ValueError(text)}
    with bound(about=text):
        line = formatted(formatter, "said", plain=text, nested=nested)
    assert "SECRET" not in line
    assert line.count(SCRUBBED) >= 6


@both
@pytest.mark.parametrize("name", ["api_key", "Authorization", "password"])
def test_what_is_named_a_secret_is_left_out_whatever_it_looks_like(formatter: logging.Formatter, name: str) -> None:
    secret: dict[str, Any] = {name: "hunter2"}
    line = formatted(formatter, "said", **secret, inside=secret)
    assert "hunter2" not in line


@both
def test_a_line_that_cannot_be_formatted_is_told_without_its_arguments(
    formatter: logging.Formatter, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "%d apples", ("sk-proj-0123456789SECRET",), None)
    line = formatter.format(record)
    assert "%d apples" in line
    assert "SECRET" not in line
    assert "RuntimeError" in formatted(formatter, "said", value=Stubborn())


@pytest.mark.parametrize("key", KEYS[:3])
def test_an_encoded_separator_before_a_key_does_not_hide_it(key: str) -> None:
    assert "SECRET" not in formatted(plain_formatter(), f"/?k%3D{key}&x")


@pytest.mark.parametrize(
    "text", ["a risk-averse reader", "task-12345 is done", "the bearer of news", "mask-image: none"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert json.loads(formatted(json_formatter(), text))["message"] == text
    assert formatted(plain_formatter(), text).endswith(f" ERROR x {text}")


def test_a_json_line_is_json() -> None:
    with bound(run_id="0193"):
        line = json.loads(formatted(json_formatter(), "said:\nsk-or-v1-0123456789abcdef", raised=True, rows=3))
    assert line["message"] == f"said:\n{SCRUBBED}"
    assert (line["level"], line["logger"], line["run_id"], line["rows"]) == ("error", "x", "0193", 3)
    assert line["exception"].startswith("ValueError: said:")
    assert line["at"].endswith("Z")


def test_a_plain_line_is_one_line_with_its_traceback_below() -> None:
    with bound(said="two\nlines"):
        first, *below = formatted(plain_formatter(), "Broke", raised=True).splitlines()
    assert first.endswith(r" ERROR x Broke said='two\nlines'")
    assert below == ["ValueError: Broke"]


def test_lines_of_structlogs_own_loggers_have_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", seen.append)
    logging.getLogger("ours").addHandler(handler)
    with fresh_context(request_id="0123456789"):
        structlog.stdlib.get_logger("ours").warning("said %s", "sk-proj-0123456789SECRET", api_key="x", n=1)
    line = json.loads(json_formatter().format(seen[0]))
    assert line["message"] == f"said {SCRUBBED}"
    assert (line["api_key"], line["n"], line["request_id"], line["logger"]) == (SCRUBBED, 1, "0123456789", "ours")


def test_djangos_lines_name_the_route_and_not_the_path(rf: RequestFactory) -> None:
    request = rf.get("/invitations/the-token-of-a-link/?key=x")
    line = json.loads(formatted(json_formatter(), "Internal Server Error: " + request.path, request=request))
    assert line["message"] == "Internal Server Error: unmatched"
    assert "the-token" not in json.dumps(line)
    request.resolver_match = type("Match", (), {"view_name": "home", "func": home})()
    line = json.loads(formatted(json_formatter(), "Internal Server Error: " + request.path, request=request))
    assert line["message"] == "Internal Server Error: home"


def test_production_writes_json_and_everybody_else_text() -> None:
    for as_json, formatter in ((True, json_formatter), (False, plain_formatter)):
        config = logging_config(level="INFO", as_json=as_json)
        assert config["formatters"]["lines"]["()"] is formatter
        assert config["root"] == {"handlers": ["stderr"], "level": "INFO"}
    assert settings.LOGGING_CONFIG == "leadagent.telemetry.lines.configure_logging"
