"""`manage.py import_tenants FILE`: bring tenants of the TypeScript system over. Safe to run again."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from byok.migrating.first_admins import DamagedList, invite_first_admin, read_admins
from byok.migrating.importing import Outcome, State, TenantImport
from byok.migrating.keys import InvalidLegacySecret, parse_legacy_secret
from byok.migrating.tenant_file import DamagedFile, read_array
from leadagent.logs import scrub
from leadagent.progress import Progress
from leadagent.tenants.models import Invitation, Organization

_HELP = """\
Bring tenants of the TypeScript system over.

FILE is a JSON array of {id, clerkOrgId, name, aiConfig} as the old schema has them; - reads standard
input. Each tenant is one transaction and one line of the report. Running it again changes nothing, except
where the file says something else by now; what somebody has changed here since is left alone.
docs/migration.md has the query that writes the file and the order of all steps.
"""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the exported tenants; - for standard input")
        parser.add_argument(
            "--legacy-secret-env",
            metavar="NAME",
            help="name of the environment variable that holds the old system's ENCRYPTION_SECRET; "
            "without it tenants come over without their keys",
        )
        parser.add_argument(
            "--invite-admins",
            metavar="CSV",
            help="clerkOrgId,email: invite these people as admins by email, each once",
        )
        parser.add_argument("--overwrite", action="store_true", help="also replace what was changed here since")
        parser.add_argument("--dry-run", action="store_true", help="report the same, write and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = _legacy_secret(options["legacy_secret_env"]) if options["legacy_secret_env"] else None
        run = TenantImport(legacy_secret=secret, overwrite=options["overwrite"], dry_run=options["dry_run"])
        if options["dry_run"]:
            self._say("Dry run: nothing is written or sent.")
        with _opened(options["file"]) as stream:
            tenants = self._report("tenants", _numbered(read_array(stream)), run.bring)
        invitations: Counter[State] = Counter()
        if options["invite_admins"]:
            with _opened(options["invite_admins"]) as stream:
                invitations = self._report(
                    "invitations",
                    _numbered(read_admins(stream)),
                    lambda position, pair: invite_first_admin(
                        position, *pair, is_coming=run.is_known, dry_run=options["dry_run"]
                    ),
                )
        self._tell_about_admins()
        if failed := tenants[State.FAILED] + invitations[State.FAILED]:
            raise CommandError(f"{failed} failed: see the lines above. Mend the file and run this again.")

    def _report(
        self, what: str, items: Iterator[tuple[int, Any]], act: Callable[[int, Any], Outcome]
    ) -> Counter[State]:
        """Act on each item and tell what became of it; the summary comes even when it ends early."""
        progress, counts = Progress(self.stderr, what), Counter[State]()
        try:
            for position, item in items:
                outcome = act(position, item)
                counts[outcome.state] += 1
                progress.clear()
                self._say(_line(outcome))
                progress.show(position)
        except (DamagedFile, DamagedList) as error:
            raise CommandError(f"{error} What was reported before is done; mend the file and run this again.") from None
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database went away ({type(error).__name__}). What was reported before is done; run this again."
            ) from None
        finally:
            progress.clear()
            total = sum(counts.values())
            parts = ", ".join(f"{counts[state]:,} {state}" for state in State)
            self._say(f"{total:,} {what}: {parts}")
        return counts

    def _tell_about_admins(self) -> None:
        imported = Organization.objects.filter(memberships=None).exclude(external_id=None)
        if count := imported.exclude(pk__in=Invitation.objects.open().values("organization")).count():
            self._say(
                f"{count:,} imported organisations have neither members nor an open invitation. "
                "Invite their first admins by email: put "
                "clerkOrgId,email into a CSV file and run this again with --invite-admins CSV."
            )

    def _say(self, text: str) -> None:
        # Names come from a file: no key and no control character of theirs reaches the terminal.
        self.stdout.write("".join(c if c.isprintable() else "�" for c in scrub(text)))


class _Formatter(RawDescriptionHelpFormatter):
    pass


def _line(outcome: Outcome) -> str:
    where = f"{outcome.external_id} as {outcome.slug}" if outcome.slug else outcome.external_id
    details = "; ".join(part for part in (outcome.reason, *outcome.notes) if part)
    return f"{outcome.position:>6}  {outcome.state:<9}  {where}{f': {details}' if details else ''}"


def _numbered(items: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    return enumerate(items, start=1)


def _legacy_secret(name: str) -> bytes:
    """The secret in the environment variable `name`; only its name is ever told."""
    value = os.environ.get(name, "")
    if not value.strip():
        raise CommandError(f"The environment variable {name} is not set: put the old system's ENCRYPTION_SECRET there.")
    try:
        return parse_legacy_secret(value)
    except InvalidLegacySecret as error:
        raise CommandError(f"The environment variable {name} does not hold it: {error}.") from None


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdin
        return
    try:
        stream = open(path, encoding="utf-8-sig", newline="")  # noqa: SIM115  # closed below; its errors are not ours
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    with stream:
        yield stream
