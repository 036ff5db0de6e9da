"""`manage.py seed_demo`: the demo organisation with its people, leads and usage. Safe to run at every start."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from leadagent.leads.demo import seed_demo


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.MODE == "production":
            raise CommandError("seed_demo makes accounts with a known password: it does not run in production.")
        if not settings.DEMO_PASSWORD:
            raise CommandError("Set LEADAGENT_DEMO_PASSWORD to the password that the demo accounts shall have.")
        seed_demo()
