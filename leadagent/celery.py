"""The Celery app. Redis carries nudges only; every fact a task needs is in PostgreSQL."""

import os

from celery import Celery

# Its lines and ids of tasks come by signals, which its import connects.
import leadagent.telemetry.task_lines  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadagent.settings")

app = Celery("leadagent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
