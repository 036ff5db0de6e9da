"""Looking at OpenRouter's own list. A broken answer changes nothing, and is noted as such."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from byok.catalog.fetching import ListUnavailable, fetch_list
from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.catalog.openrouter_list import ROUTE, names_in, read_list
from byok.models import CatalogModel, CatalogSync, ModelKind, SyncOutcome
from byok.providers import REGISTRY

# A list with fewer than this share of what is known to be listed is taken for a broken one.
_SHARE = 0.5
# The first list has nothing to be compared with; OpenRouter named more than 300 in 2025.
_FIRST_AT_LEAST = 100


def sync_openrouter(*, dry_run: bool = False) -> CatalogSync:
    """Fetch, check and merge. Never raises for what OpenRouter does: `outcome` and `error` tell.

    A dry run does the same and stores nothing.
    """
    sync = CatalogSync(source=ROUTE)
    last = (
        CatalogSync.objects.filter(source=ROUTE, organization=None)
        .exclude(outcome__in=[SyncOutcome.FAILED, ""])
        .order_by("-started_at")
        .first()
    )
    try:
        fetched = fetch_list(ROUTE, "/models", etag=last.etag if last else "")
        sync.etag = fetched.etag
        if fetched.body is None and last is not None:
            # The last look still holds, with what came of it: no further row a day for nothing.
            last.finished_at = timezone.now()
            if not dry_run:
                last.save(update_fields=["finished_at"])
            last.outcome = SyncOutcome.UNCHANGED
            return last
        today = timezone.now().date()
        found = _Found()
        found.take(fetched.body or b"", today)
        found.take_embeddings(today)
        is_complete = not _is_sandbox()
        if is_complete:
            _require_plausible(len(found.models))
    except ListUnavailable as error:
        sync.outcome, sync.error = SyncOutcome.FAILED, str(error)[:300]
        return _finished(sync, dry_run=dry_run)
    sync.error = found.remarks()[:300]
    with transaction.atomic():
        sync.save()
        merge(found.models, source=ROUTE, route=ROUTE, is_complete=is_complete, unread=found.names, sync=sync)
        if dry_run:
            # Done but for the last step: what it tells is what would be.
            transaction.set_rollback(True)
    return sync


@dataclass
class _Found:
    """What the parts of the list told: models, all names, and why anything was left out."""

    models: list[ListedModel] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    skipped: int = 0
    missing: str = ""

    def take(self, body: bytes, today: date) -> None:
        """Read one part. Raises `ListUnavailable`."""
        models, skipped = read_list(body, today=today)
        self.models += models
        self.names |= names_in(body)
        self.skipped += skipped

    def take_embeddings(self, today: date) -> None:
        """Read the part with the embedding models; without it those that are known stay as they are."""
        try:
            self.take(fetch_list(ROUTE, REGISTRY[ROUTE].embedding_models_path).body or b"", today)
        except ListUnavailable as error:
            # Documented with a key, and a public list is no reason to open anybody's.
            self.missing = f"Embedding models stay as they are: {error}"
            known = CatalogModel.objects.filter(route=ROUTE, organization=None, kind=ModelKind.EMBEDDING)
            self.names.update(known.values_list("model_id", flat=True))

    def remarks(self) -> str:
        """What was left out, in sentences; empty where nothing was."""
        entries = f"{self.skipped} entries could not be read and were left out." if self.skipped else ""
        if self.skipped == 1:
            entries = "1 entry could not be read and was left out."
        return f"{entries} {self.missing}".strip()


def _finished(sync: CatalogSync, *, dry_run: bool) -> CatalogSync:
    sync.finished_at = timezone.now()
    if not dry_run:
        sync.save()
    return sync


def _is_sandbox() -> bool:
    """The sandbox lists a handful of models: what it leaves out is not gone from OpenRouter."""
    host = urlsplit(settings.PROVIDER_URLS[ROUTE]).hostname or ""
    return settings.SANDBOX_ENABLED and host in {"127.0.0.1", "::1", "localhost"}


def _require_plausible(listed: int) -> None:
    known = CatalogModel.objects.filter(route=ROUTE, organization=None, source=ROUTE, vanished_at=None).count()
    least = int(known * _SHARE) if known else _FIRST_AT_LEAST
    if listed < least:
        raise ListUnavailable(f"The list names {listed} models, and at least {least} were to be expected.")
