"""How log lines look: JSON for collectors, plain text for people; every key scrubbed out of both.

structlog's processors format the lines of Django, Celery, gunicorn and the SDKs as well as our own:
https://www.structlog.org/en/stable/standard-library.html
"""

import logging
import logging.config
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from leadagent.logs import SCRUBBED, scrub
from leadagent.telemetry.routes import route_of

# What these name is left out whatever it looks like.
_SECRET_NAMES = frozenset({
    "api_key", "apikey", "authorization", "cookie", "encryption_secret", "password", "secret", "secret_key", "token",
})  # fmt: skip
# What frameworks attach to their records: whole requests, and Celery's arguments of a task.
_ATTACHED = ("request", "data", "server_time", "status_code")
_DEEPEST = 5


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING dictionary: one handler on stderr, loggers of libraries kept at WARNING."""
    quiet = (
        "openai",
        "anthropic",
        "httpx2",
        "httpcore2",
        "httpx",
        "httpcore",
        "pydantic_ai",
        # A line of our own at the end of each task says more (`telemetry.task_lines`).
        "celery.app.trace",
        "celery.worker.strategy",
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": json_formatter if as_json else plain_formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in quiet},
            # It warns of every page of a stranger's that it cannot make sense of.
            "trafilatura": {"level": "CRITICAL"},
            # Django's own handlers would print without our formatter.
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.server": {"handlers": [], "propagate": True},
            # Whoever is refused has a line of our own (`telemetry.request_lines`); what broke has its traceback.
            "django.request": {"level": "ERROR"},
        },
    }


def configure_logging(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the standard library's loggers, and structlog's on top of them."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_FACTS,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def json_formatter() -> logging.Formatter:
    """One JSON object per line; each value is scrubbed before JSON's escapes can hide where a key begins."""
    return _Scrubbing(
        foreign_pre_chain=_FOREIGN,
        processors=[*_CLEANED, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()],
    )


def plain_formatter() -> logging.Formatter:
    """`<time> <LEVEL> <logger> <message> <name>=<value> …`, then the traceback."""
    return _Scrubbing(foreign_pre_chain=_FOREIGN, processors=[*_CLEANED, _as_plain_text])


class _Scrubbing(ProcessorFormatter):
    """Scrubs the finished line once more, whatever a processor has made of its values."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return scrub(super().format(record))
        except Exception as error:
            # logging itself would print the arguments as they are.
            told = f"A line could not be formatted ({type(error).__name__}): {record.msg!r:.200}"
            facts = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname, "msg": told}
            return scrub(super().format(logging.makeLogRecord(facts)))


def _with_route(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Django ends its lines about a request with its path, which may hold the token of a link: the route does."""
    request = getattr(event.get("_record"), "request", None)
    path = getattr(request, "path", "")
    if path and isinstance(event["event"], str) and event["event"].endswith(path):
        event["event"] = event["event"].removesuffix(path) + route_of(request)
    return event


def _without_attached(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name in _ATTACHED:
        if not event.get("_from_structlog"):
            event.pop(name, None)
    return event


def _scrubbed(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: SCRUBBED if name.lower() in _SECRET_NAMES else _scrub(value) for name, value in event.items()}


def _scrub(value: Any, depth: int = 0) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping() if depth < _DEEPEST:
            return {
                scrub(str(name)): SCRUBBED if str(name).lower() in _SECRET_NAMES else _scrub(inner, depth + 1)
                for name, inner in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [_scrub(inner, depth + 1) for inner in value]
        case bytes():
            return scrub(value.decode(errors="replace"))
    return scrub(str(value))


def _as_plain_text(logger: WrappedLogger, method: str, event: EventDict) -> str:
    at = event.pop("at")[:19].replace("T", " ")
    head = f"{at} {event.pop('level').upper()} {event.pop('logger')} {event.pop('event')}"
    below = [event.pop(name) for name in ("exception", "stack") if event.get(name)]
    pairs = [f"{name}={_one_word(value)}" for name, value in event.items()]
    return "\n".join([" ".join([head, *pairs]), *below])


def _one_word(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


_FACTS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]
_FOREIGN: list[Processor] = [*_FACTS, ExtraAdder(), _with_route, _without_attached]
_CLEANED: list[Processor] = [
    ProcessorFormatter.remove_processors_meta,
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    _scrubbed,
]
