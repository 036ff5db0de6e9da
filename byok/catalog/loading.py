"""Loading the packaged catalog: after every migration, so that an installation has it without a further step."""

from __future__ import annotations

from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model

from byok.catalog.merge import merge
from byok.catalog.packaged import SOURCE, Packaged, read_packaged
from byok.models import CatalogChange, CatalogModel, CatalogSync, SyncOutcome
from leadagent.advisory_locks import AdvisoryLock
from leadagent.tenants.models import Organization

_NEEDED = (CatalogModel, CatalogSync, CatalogChange, Organization)


def load_packaged(*, force: bool = False) -> CatalogSync | None:
    """Merge the packaged facts where they differ from what was loaded last; None where they do not."""
    packaged = read_packaged()
    if _is_loaded(packaged) and not force:
        return None
    with transaction.atomic():
        AdvisoryLock.CATALOG.hold()
        # Somebody else may just have done it.
        if _is_loaded(packaged) and not force:
            return None
        sync = CatalogSync.objects.create(source=SOURCE, etag=packaged.etag)
        for route in dict.fromkeys(model.route for model in packaged.models):
            merge([model for model in packaged.models if model.route == route], source=SOURCE, route=route, sync=sync)
    return sync


def _is_loaded(packaged: Packaged) -> bool:
    last = CatalogSync.objects.filter(source=SOURCE).exclude(outcome=SyncOutcome.FAILED).order_by("-started_at").first()
    return last is not None and last.etag == packaged.etag


def load_after_migrate(*, using: str = DEFAULT_DB_ALIAS, apps: Apps = current_apps, **_: Any) -> None:
    """The receiver of `post_migrate`: loads where the tables are as this code knows them.

    They are not while migrations are taken back, or taken only so far.
    """
    if using == DEFAULT_DB_ALIAS and all(_is_as_known(apps, model) for model in _NEEDED):
        load_packaged()


def _is_as_known(apps: Apps, model: type[Model]) -> bool:
    try:
        migrated = apps.get_model(model._meta.label)
    except LookupError:
        return False
    return {field.column for field in migrated._meta.local_fields} == {
        field.column for field in model._meta.local_fields
    }
