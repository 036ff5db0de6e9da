"""What gunicorn is told in Python (`--config python:leadagent.web_server`); numbers stand on its command line.

It runs in gunicorn's first process, too, which forks the workers: settings that are wrong end it
with their sentence before any worker starts.
"""

from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from leadagent.telemetry.lines import configure_logging


class Lines(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's own lines through our formatter. Requests have a line of ours, so there is no access log."""

    def setup(self, cfg: Any) -> None:
        """Called at the start and whenever gunicorn reads its configuration again."""
        super().setup(cfg)
        configure_logging(settings.LOGGING)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Lines
