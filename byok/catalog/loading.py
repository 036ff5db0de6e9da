"""Loading the packaged catalog: after every migration, so that an installation has it without a further step."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from byok.catalog.merge import merge
from byok.catalog.packaged import SOURCE, read_packaged
from byok.models import CatalogSync, SyncOutcome


def load_packaged(*, force: bool = False) -> CatalogSync | None:
    """Merge the packaged facts where they differ from what was loaded last; None where they do not."""
    packaged = read_packaged()
    last = CatalogSync.objects.filter(source=SOURCE).exclude(outcome=SyncOutcome.FAILED).order_by("-started_at").first()
    if last is not None and last.etag == packaged.etag and not force:
        return None
    with transaction.atomic():
        sync = CatalogSync.objects.create(source=SOURCE, etag=packaged.etag)
        for route in dict.fromkeys(model.route for model in packaged.models):
            merge([model for model in packaged.models if model.route == route], source=SOURCE, route=route, sync=sync)
    return sync


def load_after_migrate(**_: Any) -> None:
    """The receiver of `post_migrate`."""
    load_packaged()
