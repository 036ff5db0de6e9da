"""`manage.py announce_byok`: tell organisations, once, that they can bring their own key."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.validators import URLValidator
from django.db.models import QuerySet

from byok.migrating.announcing import State, Told, announce_byok
from leadagent.progress import Progress
from leadagent.tenants.models import Organization


class Command(BaseCommand):
    help = (
        "Email the admins of each organisation that may use own keys and is still on the platform's AI: one mail "
        "per admin, once per organisation. Run it again after an interruption or a failure of the mail server: it "
        "sends what is missing. As a single message about the service to its customers' admins it carries no "
        "List-Unsubscribe. Answers go to DEFAULT_FROM_EMAIL."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one")
        parser.add_argument("--limit", type=int, metavar="N", help="tell at most N organisations in this run")
        parser.add_argument("--per-minute", type=int, metavar="N", help="send at most N mails a minute")
        parser.add_argument("--documentation-url", default="", metavar="URL", help="where the mail sends for more")
        parser.add_argument("--dry-run", action="store_true", help="report the same, write and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _chosen(options)
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing is written or sent.")
        counts, mails = Counter[State](), 0
        progress = Progress(self.stderr, "organisations", total=rows.count())
        pace = _Pace(options["per_minute"])
        try:
            for position, organization in enumerate(rows.iterator(chunk_size=500), start=1):
                if options["limit"] and counts[State.SENT] + counts[State.FAILED] >= options["limit"]:
                    break
                told = announce_byok(
                    organization,
                    documentation_url=options["documentation_url"],
                    dry_run=options["dry_run"],
                    pace=pace.wait,
                )
                counts[told.state] += 1
                mails += told.mails
                progress.clear()
                self.stdout.write(_line(told))
                progress.show(position)
        finally:
            progress.clear()
            parts = ", ".join(f"{counts[state]:,} {state}" for state in State)
            self.stdout.write(f"{sum(counts.values()):,} organisations: {parts}; {mails:,} mails")
        if counts[State.FAILED]:
            raise CommandError(
                f"{counts[State.FAILED]} organisations were not told in full. Look at the mail server, run this again."
            )


def _chosen(options: dict[str, Any]) -> QuerySet[Organization]:
    """The organisations to look at, in order. Raises `CommandError` for options that cannot be."""
    for name in ("limit", "per_minute"):
        if options[name] is not None and options[name] < 1:
            raise CommandError(f"--{name.replace('_', '-')} must be 1 or more.")
    if options["documentation_url"]:
        URLValidator(schemes=["https", "http"])(options["documentation_url"])
    rows = Organization.objects.order_by("pk")
    if options["organization"]:
        rows = rows.filter(slug=options["organization"])
        if not rows.exists():
            raise CommandError(f"There is no organisation with the address {options['organization']}.")
    return rows


def _line(told: Told) -> str:
    admins = f"{told.mails} admin{'' if told.mails == 1 else 's'}" if told.mails else ""
    return f"{told.state:<7}  {told.slug}: {'; '.join(part for part in (admins, told.reason) if part)}"


class _Pace:
    """Waits so long that no more than `per_minute` mails go out in a minute."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._next = 0.0

    def wait(self) -> None:
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._seconds
