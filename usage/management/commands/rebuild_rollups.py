"""`manage.py rebuild_rollups`: make the daily sums equal to the single calls they sum."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leadagent.progress import Progress
from leadagent.tenants.models import Organization
from usage.ledger import rebuilding

# Whoever has more wrong rows than this to look at has another question than which.
_SHOWN = 20


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no month: write it as 2026-11.") from None


class Command(BaseCommand):
    help = (
        "Compare every daily sum with the single calls behind it and mend what differs. Safe beside a running "
        "drain and beside itself; months are done one by one, so it can be stopped and run again. Months whose "
        "single calls were deleted are left alone. With --check nothing is written: exit code 1 if anything differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare only")
        parser.add_argument("--organization", metavar="SLUG", help="one organisation (all)")
        parser.add_argument("--month", type=_month, metavar="YYYY-MM", help="one UTC month (all)")

    def handle(self, *args: Any, **options: Any) -> None:
        organization_id = self._organization_id(options["organization"])
        months, without_calls = self._months(options["month"])
        progress = Progress(self.stderr, "months", total=len(months))
        wrong = 0
        try:
            for done, month in enumerate(months, start=1):
                found = self._one(month, organization_id, check=options["check"], progress=progress)
                wrong += found
                progress.show(done)
        finally:
            progress.clear()
        if without_calls:
            named = ", ".join(f"{month:%Y-%m}" for month in without_calls)
            self.stdout.write(f"Left alone, their single calls being deleted: {named}.")
        if options["check"] and wrong:
            raise CommandError(f"{wrong:,} daily sums differ from their calls: run it without --check to mend them.")
        self.stdout.write(
            f"{len(months):,} months compared: "
            + (f"{wrong:,} daily sums mended." if wrong else "every daily sum equals its calls.")
        )

    def _one(self, month: date, organization_id: int | None, *, check: bool, progress: Progress) -> int:
        found = rebuilding.differences(month, organization_id=organization_id)
        if found:
            progress.clear()
            for difference in found[:_SHOWN]:
                self.stdout.write(str(difference))
            if len(found) > _SHOWN:
                self.stdout.write(f"… and {len(found) - _SHOWN:,} more in {month:%Y-%m}")
        if found and not check:
            return rebuilding.rebuild(month, organization_id=organization_id)
        return len(found)

    @staticmethod
    def _organization_id(slug: str | None) -> int | None:
        if slug is None:
            return None
        organization = Organization.objects.filter(slug=slug).first()
        if organization is None:
            raise CommandError(f"There is no organisation {slug!r}.")
        return organization.pk

    @staticmethod
    def _months(wanted: date | None) -> tuple[list[date], list[date]]:
        months, without_calls = rebuilding.provable_months()
        if wanted is None:
            return months, without_calls
        if wanted in months:
            return [wanted], []
        if wanted in without_calls:
            return [], [wanted]
        raise CommandError(f"Nothing is stored of {wanted:%Y-%m}.")
