"""`manage.py backfill_ai_config`: store the platform's default where nothing is stored."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from byok.config.backfill import BATCH, backfill_ai_config, count_without_config
from leadagent.progress import Progress


class Command(BaseCommand):
    help = (
        "Give every organisation without an AI configuration an explicit row with the platform's default. "
        "Nothing changes for them: no row means the platform's default too. It is for reports and queries "
        "that want a row for everybody. Safe to run again; forms that are open can still be saved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=BATCH, help=f"organisations per transaction ({BATCH})")
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, *args: Any, **options: Any) -> None:
        total = count_without_config()
        if options["dry_run"]:
            self.stdout.write(f"{total:,} organisations have no AI configuration. Dry run: nothing is written.")
            return
        progress = Progress(self.stderr, "organisations", total=total)
        try:
            made = backfill_ai_config(batch=max(1, options["batch"]), on_batch=progress.show)
        finally:
            progress.clear()
        self.stdout.write(f"{made:,} organisations got an explicit platform default.")
