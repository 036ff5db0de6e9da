"""Logging: structured lines, with every shape of an AI key scrubbed out of them."""

import logging
import re
from typing import Any

# Shapes of the providers' keys (OpenRouter, OpenAI, Anthropic, Google), also half masked as
# providers echo them, of our API tokens and of bearer values. The telling prefixes count
# wherever they stand: escapes and encodings put letters before them.
_KEY_SHAPES = re.compile(
    r"sk-(?:or|ant|proj|svcacct|admin)-[A-Za-z0-9_\-*•.…]{3,}"
    r"|(?<![A-Za-z0-9])sk-[A-Za-z0-9_\-*•.…]{6,}"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_\-]{20,}"
    r"|lat_[A-Za-z0-9_\-]{16,}"
    r"|(?P<bearer>(?i:bearer)\s+)[A-Za-z0-9_\-.=+/]{12,}"
)
SCRUBBED = "[key removed]"


def scrub(text: str) -> str:
    """Return `text` with everything that looks like a key or bearer token removed."""
    return _KEY_SHAPES.sub(lambda found: (found["bearer"] or "") + SCRUBBED, text)


class ScrubbingFormatter(logging.Formatter):
    """Scrubs the finished line, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class ScrubbingJSONFormatter(logging.Formatter):
    """One JSON object per line for log collectors; scrubbed before JSON's escapes can hide where a key begins."""

    def format(self, record: logging.LogRecord) -> str:
        import json

        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return scrub(json.dumps(line, ensure_ascii=False))


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING dictionary: one handler on stderr, SDK loggers kept at WARNING."""
    quiet = (
        "openai",
        "anthropic",
        "httpx2",
        "httpcore2",
        "httpx",
        "httpcore",
        "pydantic_ai",
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {
                "()": ScrubbingFormatter,
                "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
            },
            "json": {"()": ScrubbingJSONFormatter},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json" if as_json else "plain",
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in quiet},
            # It warns of every page of a stranger's that it cannot make sense of.
            "trafilatura": {"level": "CRITICAL"},
            # Django's own handlers would print without our formatter.
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.server": {"handlers": [], "propagate": True},
        },
    }
