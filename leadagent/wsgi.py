"""WSGI entry point: gunicorn's threads serve it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadagent.settings")
application = get_wsgi_application()
