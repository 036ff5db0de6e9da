"""The Celery app. Redis carries nudges only; every fact a task needs is in PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadagent.settings")

app = Celery("leadagent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
