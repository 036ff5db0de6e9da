"""`manage.py sync_catalog`: bring the model catalog up to date. Safe to run twice and side by side."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from byok.catalog.loading import load_packaged
from byok.catalog.own_models import sync_own_models
from byok.catalog.packaged import read_packaged
from byok.catalog.syncing import sync_openrouter
from byok.config.ai_config import byok_allowed
from byok.models import CatalogSync, ProviderCredential, SyncOutcome
from leadagent.progress import Progress

_SOURCES = ("packaged", "openrouter", "openai")


class Command(BaseCommand):
    help = (
        "Take in the packaged facts, OpenRouter's list of models and prices, and the fine-tuned models of OpenAI "
        "accounts. A broken answer changes nothing. Exit code 1 where a source failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", choices=[*_SOURCES, "all"], default="all", help="default: %(default)s")
        parser.add_argument(
            "--organization", metavar="SLUG", help="only this organisation's account (with --source openai)"
        )
        parser.add_argument("--dry-run", action="store_true", help="fetch and check, write nothing")

    def handle(self, *args: Any, source: str, organization: str | None, dry_run: bool, **options: Any) -> None:
        if organization and source != "openai":
            raise CommandError("--organization goes with --source openai.")
        failed = 0
        if source in {"packaged", "all"}:
            self._packaged(dry_run)
        if source in {"openrouter", "all"}:
            failed += not self._report("OpenRouter", sync_openrouter(dry_run=dry_run))
        if source in {"openai", "all"}:
            failed += self._accounts(organization, dry_run)
        if failed:
            raise CommandError(f"{failed} source{'' if failed == 1 else 's'} failed; the catalog is as it was there.")

    def _packaged(self, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write(f"Packaged facts: {len(read_packaged().models):,} models")
            return
        sync = load_packaged()
        if sync is None:
            self.stdout.write("Packaged facts: nothing new")
        else:
            self._report("Packaged facts", sync)

    def _accounts(self, slug: str | None, dry_run: bool) -> int:
        keys = ProviderCredential.objects.filter(provider="openai").select_related("organization").order_by("pk")
        if slug:
            keys = keys.filter(organization__slug=slug)
            if not keys.exists():
                raise CommandError(f"No organisation {slug!r} has an OpenAI key.")
        allowed = [key for key in keys if byok_allowed(key.organization)]
        if dry_run:
            self.stdout.write(f"OpenAI accounts: {len(allowed):,} to be looked at")
            return 0
        progress = Progress(self.stderr, "accounts", total=len(allowed))
        failed = 0
        for number, credential in enumerate(allowed, start=1):
            sync = sync_own_models(credential)
            progress.show(number)
            if sync.outcome == SyncOutcome.FAILED:
                progress.clear()
                failed += 1
                self.stderr.write(f"OpenAI account of {credential.organization.slug}: {sync.error}")
        progress.clear()
        self.stdout.write(f"OpenAI accounts: {len(allowed) - failed:,} looked at, {failed:,} failed")
        return failed

    def _report(self, name: str, sync: CatalogSync) -> bool:
        """Say what came of it; whether it went well."""
        if sync.outcome == SyncOutcome.FAILED:
            self.stderr.write(f"{name}: {sync.error}")
            return False
        if sync.outcome == SyncOutcome.UNCHANGED:
            self.stdout.write(f"{name}: nothing new")
        else:
            self.stdout.write(
                f"{name}: {sync.listed:,} listed, {sync.added:,} added, {sync.removed:,} gone, "
                f"{sync.repriced:,} repriced"
            )
        if sync.error:
            self.stdout.write(f"{name}: {sync.error}")
        return True
