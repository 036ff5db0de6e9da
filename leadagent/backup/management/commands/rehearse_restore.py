"""`manage.py rehearse_restore`: prove that what is backed up can be restored, with the time that it takes."""

import os
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from leadagent.backup import copies
from leadagent.backup.contents import Contents, different_parts, different_rows, read_contents
from leadagent.backup.programs import ProgramFailed, find_programs
from leadagent.backup.proofs import proofs

# More are counted, not listed.
_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Dump the database, restore the dump into a new one beside it, and prove there that nothing is missing: every "
        "row, trigger and partition, stored keys (with the configured secrets), the audit log, the daily sums. The "
        "copy is dropped at the end; the original is only read, and others may go on writing to it. Exit code 1 where "
        "something does not hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dump", metavar="FILE", type=Path, help="restore this dump instead of making one")
        what.add_argument("--save", metavar="FILE", type=Path, help="keep the dump that is made: a backup, proved")
        what.add_argument("--restored", metavar="NAME", help="prove this database on the same server, restored already")
        parser.add_argument("--keep", action="store_true", help="do not drop the copy")

    def handle(self, *args: Any, **options: Any) -> None:
        self._faults = 0
        began = time.monotonic()
        try:
            self._rehearse(options)
        except ProgramFailed as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL refused: {str(error).strip().partition(chr(10))[0]}") from None
        seconds = time.monotonic() - began
        if self._faults:
            raise CommandError(f"The backup is not good: {self._faults:,} faults, after {seconds:.1f} s.", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"Restored and proved in {seconds:.1f} s."))

    def _rehearse(self, options: dict[str, Any]) -> None:
        if options["restored"]:
            with copies.on_copy(options["restored"]):
                self._prove()
            return
        programs = find_programs()
        name = _name_of_copy()
        with _dump_file(options) as file:
            original = None
            if not options["dump"]:
                with self._timed() as seconds:
                    original = copies.dump(programs, file)
                size = file.stat().st_size / 1e6
                self.stdout.write(f"Dumped by pg_dump {programs.version}: {size:,.1f} MB in {seconds[0]:.1f} s.")
            try:
                with self._timed() as seconds:
                    copies.restore(programs, file, name)
                self.stdout.write(f"Restored into {name} in {seconds[0]:.1f} s.")
                with copies.on_copy(name):
                    if original is not None:
                        self._compare(original)
                    self._prove()
            finally:
                if options["keep"]:
                    self.stdout.write(f"The copy stays: {name}.")
                else:
                    copies.drop(name)

    def _compare(self, original: Contents) -> None:
        copy = read_contents()
        rows = f"rows: {original.row_count:,}, the same in each of {len(original.rows):,} tables"
        self._say(rows, different_rows(original, copy))
        told = ", ".join(f"{len(definitions):,} {kind}" for kind, definitions in original.parts.items())
        self._say(f"{told}: the same", different_parts(original, copy))

    def _prove(self) -> None:
        for proof in proofs():
            self._say(proof.holds, proof.faults)

    def _say(self, holds: str, faults: list[str]) -> None:
        if not faults:
            self.stdout.write(f"OK      {holds}")
            return
        self._faults += len(faults)
        for fault in faults[:_SHOWN]:
            self.stdout.write(self.style.ERROR(f"FAILED  {fault}"))
        if len(faults) > _SHOWN:
            self.stdout.write(self.style.ERROR(f"FAILED  … and {len(faults) - _SHOWN:,} more"))

    @staticmethod
    @contextmanager
    def _timed() -> Iterator[list[float]]:
        """A list that holds the block's seconds once it is over."""
        began, told = time.monotonic(), [0.0]
        yield told
        told[0] = time.monotonic() - began


def _name_of_copy() -> str:
    ending = f"_rehearsal_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    # PostgreSQL cuts names off after 63 bytes.
    return str(connection.settings_dict["NAME"])[: 63 - len(ending)] + ending


@contextmanager
def _dump_file(options: dict[str, Any]) -> Iterator[Path]:
    """Where the dump is, or is to be: readable by this account only, and gone afterwards unless it is to be kept."""
    if given := options["dump"]:
        if not given.is_file():
            raise CommandError(f"{given} is not there.")
        yield given
        return
    if kept := options["save"]:
        kept.touch(mode=0o600)
        kept.chmod(0o600)
        yield kept
        return
    handle, path = tempfile.mkstemp(prefix="leadagent-", suffix=".dump")
    os.close(handle)
    try:
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)
