"""An explicit row for organisations that have chosen nothing: the platform's default, as no row means it too."""

from collections.abc import Callable

from django.db import transaction

from byok.models import PLATFORM_DEFAULT, AIConfig
from leadagent.tenants import audit
from leadagent.tenants.models import Organization

BATCH = 500


def backfill_ai_config(*, batch: int = BATCH, on_batch: Callable[[int], None] | None = None) -> int:
    """Store the platform's default for every organisation without a row; returns how many were made.

    The rows have version 0, which is what a form reads while there is none: an open one can still be
    saved, and whoever saves first makes version 1. Safe to run twice and beside people who save.
    """
    made, last = 0, 0
    while ids := list(
        Organization.objects.filter(ai_config=None, pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch]
    ):
        made += _backfill(ids)
        last = ids[-1]
        if on_batch:
            on_batch(made)
    return made


@transaction.atomic
def _backfill(ids: list[int]) -> int:
    # The lock of `save_ai_config`: once it is ours, nobody is about to store a first row.
    rows = Organization.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    organizations = {row.pk: row for row in rows}
    stored = set(AIConfig.objects.filter(organization_id__in=ids).values_list("organization_id", flat=True))
    missing = [row for pk, row in organizations.items() if pk not in stored]
    configs = [AIConfig(organization=row, embedding_provider=PLATFORM_DEFAULT, version=0) for row in missing]
    for config in AIConfig.objects.bulk_create(configs):
        audit.record(
            "ai_config.backfilled",
            organization=config.organization,
            target=config.provider,
            after=config.snapshot(),
        )
    return len(configs)


def count_without_config() -> int:
    """How many organisations have no row."""
    return Organization.objects.filter(ai_config=None).count()
