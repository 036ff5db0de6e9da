"""Looking at OpenRouter's own list. A broken answer changes nothing, and is noted as such."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from byok.catalog.fetching import ListUnavailable, fetch_list
from byok.catalog.merge import merge
from byok.catalog.openrouter_list import ROUTE, read_list
from byok.models import CatalogModel, CatalogSync, SyncOutcome
from byok.providers import REGISTRY

# A list with fewer than this share of what is known to be listed is taken for a broken one.
_SHARE = 0.5
# The first list has nothing to be compared with; OpenRouter named more than 300 in 2025.
_FIRST_AT_LEAST = 100


def sync_openrouter(*, dry_run: bool = False) -> CatalogSync:
    """Fetch, check and merge. Never raises for what OpenRouter does: `outcome` and `error` tell.

    A dry run fetches and checks, and stores nothing.
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
        models, skipped = read_list(fetched.body or b"", today=today)
        embedding_path = REGISTRY[ROUTE].embedding_models_path
        embeddings, skipped_too = read_list(fetch_list(ROUTE, embedding_path).body or b"", today=today)
        listed = [*models, *embeddings]
        is_complete = not _is_sandbox()
        if is_complete:
            _require_plausible(len(listed))
    except ListUnavailable as error:
        sync.outcome, sync.error = SyncOutcome.FAILED, str(error)[:300]
        return _finished(sync, dry_run=dry_run)
    if skipped + skipped_too:
        sync.error = f"{skipped + skipped_too} entries could not be read and were left out."
    if dry_run:
        sync.listed = len(listed)
        return sync
    sync.save()
    return merge(listed, source=ROUTE, route=ROUTE, is_complete=is_complete, sync=sync)


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
