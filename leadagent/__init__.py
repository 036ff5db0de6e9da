"""Lead Agent: the project that mounts every app."""

from leadagent.celery import app as celery_app

__all__ = ["celery_app"]
