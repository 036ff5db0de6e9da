"""`manage.py rotate_keys`: seal every stored key with the current secret. Safe to stop and to run beside itself."""

import signal
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from byok.keys.alert_secrets import rewrap_alert_secrets
from byok.keys.inventory import KeyInventory, take_inventory
from byok.keys.rotation import Progress as Rotated
from byok.keys.rotation import rotate
from byok.keys.secret_age import current_secret_since, is_old, note_current_secret
from leadagent.progress import Progress
from leadagent.tenants.models import Organization

# More are counted, not named.
_NAMED_FAILURES = 100


class Command(BaseCommand):
    help = (
        "Seal every stored key that an earlier encryption secret has sealed with the current one. Nothing has to stop "
        "for it. Run it again after an interruption: it goes on with what is left. Exit code 1 where a key could not "
        "be opened or is left; 130 or 143 after SIGINT or SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="count which secret the stored keys need; open nothing")
        what.add_argument("--dry-run", action="store_true", help="open and seal in memory, write nothing")
        parser.add_argument(
            "--batch", type=int, default=500, metavar="N", help="keys in one transaction (default: %(default)s)"
        )

    def handle(self, *args: Any, check: bool, dry_run: bool, batch: int, **options: Any) -> None:
        if batch < 1:
            raise CommandError("--batch must be 1 or more.")
        if check:
            self._check()
            return
        if not dry_run:
            note_current_secret()
        before = take_inventory()
        with _stop_signals() as stopped:
            done = self._rotate(before, batch=batch, dry_run=dry_run, stopped=stopped)
        if not dry_run and not stopped:
            self._rewrap_alert_secrets()
        self._name_failures(done)
        self._sum_up(before, done, dry_run=dry_run)
        if not dry_run:
            self._end(done, stopped)
        elif done.failed:
            raise CommandError(f"{_keys(len(done.failed))} would not open.")

    def _rotate(self, before: KeyInventory, *, batch: int, dry_run: bool, stopped: list[int]) -> Rotated:
        progress = Progress(self.stderr, "keys", total=before.left)
        shown = progress if self.stderr.isatty() else _Lines(self.stdout, before.left)
        done = rotate(
            batch=batch,
            dry_run=dry_run,
            on_batch=lambda so_far: shown.show(so_far.looked_at),
            should_stop=lambda: bool(stopped),
        )
        progress.clear()
        return done

    def _rewrap_alert_secrets(self) -> None:
        rewrapped, unopened = rewrap_alert_secrets()
        if rewrapped or unopened:
            self.stdout.write(
                f"Secrets of alert channels: {rewrapped:,} rewrapped, {unopened:,} failed (save the channel again)"
            )

    def _end(self, done: Rotated, stopped: list[int]) -> None:
        """Say which secrets are no longer needed; fail where a key is left that needs another one."""
        after = take_inventory()
        self._say_which_secrets_can_go(after)
        if stopped:
            raise CommandError(
                f"Stopped with {_keys(after.left)} left. Nothing is half done: run `manage.py rotate_keys` to go on.",
                returncode=128 + stopped[0],
            )
        if done.failed:
            raise CommandError(
                f"{_keys(len(done.failed))} did not open: add the secret that sealed them to "
                "ENCRYPTION_SECRET_PREVIOUS and run this again, or have their owners enter them again."
            )
        if after.left:
            raise CommandError(
                f"{_keys(after.left)} left: stored with an earlier secret meanwhile, or held by others all the time. "
                "See that every process runs with the current secret, then run this again."
            )

    # --- --check ---

    def _check(self) -> None:
        inventory = take_inventory()
        self._say_age(inventory)
        for name in inventory.previous:
            self.stdout.write(f"{name}  earlier secret  {_keys(inventory.counts.get(name, 0))}")
        for name in inventory.unknown:
            self.stdout.write(f"{name or '(none)  '}  unknown secret  {_keys(inventory.counts[name])}")
        if inventory.left:
            raise CommandError(f"{_keys(inventory.left)} not under the current secret: run `manage.py rotate_keys`.")
        self._say_which_secrets_can_go(inventory)

    def _say_age(self, inventory: KeyInventory) -> None:
        since = current_secret_since()
        age = "not seen in use yet"
        if since is not None:
            age = f"in use for {(timezone.now() - since).days} days"
            if is_old(since):
                age += ", due to be changed"
        self.stdout.write(f"{inventory.current}  current secret  {_keys(inventory.under_current)}  ({age})")

    # --- After a run ---

    def _name_failures(self, done: Rotated) -> None:
        failures = list(done.failed.values())[:_NAMED_FAILURES]
        slugs = dict(
            Organization.objects.filter(pk__in={failure.organization_id for failure in failures}).values_list(
                "pk", "slug"
            )
        )
        for failure in failures:
            what = "the replaced key of credential" if failure.is_superseded else "credential"
            slug = slugs.get(failure.organization_id, "an organisation that is gone")
            self.stderr.write(
                f"Not opened: {what} {failure.credential_id} ({failure.provider}) of {slug}: {failure.reason}"
            )
        if (more := len(done.failed) - len(failures)) > 0:
            self.stderr.write(f"Not opened: {more:,} more")

    def _sum_up(self, before: KeyInventory, done: Rotated, *, dry_run: bool) -> None:
        verb = "would be rewrapped" if dry_run else "rewrapped"
        self.stdout.write(
            f"{done.looked_at + before.under_current:,} processed: {done.rewrapped:,} {verb}, "
            f"{before.under_current:,} already current, {len(done.missed):,} changed meanwhile, "
            f"{len(done.failed):,} failed"
        )

    def _say_which_secrets_can_go(self, inventory: KeyInventory) -> None:
        for name in inventory.previous:
            if count := inventory.counts.get(name, 0):
                self.stdout.write(f"{_keys(count)} still sealed by {name}: keep it in ENCRYPTION_SECRET_PREVIOUS.")
            else:
                self.stdout.write(
                    self.style.SUCCESS(
                        f"No stored key needs {name} any more: remove it from ENCRYPTION_SECRET_PREVIOUS."
                    )
                )


class _Lines:
    """How far the run is, for a log: a line when a tenth more is done."""

    def __init__(self, stream: Any, total: int) -> None:
        self._stream = stream
        self._total = total
        self._next = 0.0

    def show(self, done: int) -> None:
        if self._total and done >= self._next:
            self._stream.write(f"{done:,} of {self._total:,} keys")
            self._next = done + self._total / 10


def _keys(count: int) -> str:
    return f"{count:,} key{'' if count == 1 else 's'}"


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """The list holds the signal that asked to stop. A second one ends the process at once: nothing is lost by it."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield asked
    finally:
        restore()
