import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from leadagent.telemetry.lines import json_formatter

Lines = Callable[..., list[dict[str, Any]]]


class Kept(logging.Handler):
    """Formats each record when it comes, as a stream would: ids are those of that moment."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(json_formatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """`lines("request")`: the log lines with that message so far, as production would write them; all without one."""
    kept = Kept()
    root = logging.getLogger()
    root.addHandler(kept)
    yield lambda message="": [line for line in kept.lines if message in {"", line["message"]}]
    root.removeHandler(kept)
