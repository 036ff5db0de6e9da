"""Configurations and keys' rows from memory (see `byok.config.heard`): the resolver answers without a query."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from byok.config import heard
from byok.models import AIConfig, DatedPrice, ProviderCredential

# The columns whose change the triggers tell, and the sealed text, on which an exchange falls back.
_OF_A_KEY = ("id", "organization_id", "provider", "status", "saved_at", "sealed_key")


@dataclass(frozen=True, slots=True)
class KnownConfig:
    """What is stored for one organisation, as it was at `read_at` (monotonic seconds). Read only: threads share it.

    `config` is None where nothing is stored. Of the keys' rows only what a call needs is there.
    """

    config: AIConfig | None
    credentials: Mapping[str, ProviderCredential]
    read_at: float


def known_config(organization_id: int) -> KnownConfig:
    """What is stored for the organisation. No query while nothing changes."""
    return heard.recall(organization_id, "config", partial(_read, organization_id))


def _read(organization_id: int) -> KnownConfig:
    # Before the queries: what is noted while they run is younger than what they find.
    read_at = time.monotonic()
    config = AIConfig.objects.filter(organization_id=organization_id).first()
    rows = ProviderCredential.objects.filter(organization_id=organization_id).only(*_OF_A_KEY)
    return KnownConfig(config, {row.provider: row for row in rows}, read_at)


def _forget_when_committed(instance: AIConfig | ProviderCredential | DatedPrice, **_: Any) -> None:
    """What this process saves itself is known at once: the notice takes its way through PostgreSQL."""
    transaction.on_commit(partial(heard.forget, instance.organization_id))


def listen_to_own_saves() -> None:
    """Called once, when the app is ready."""
    for model in (AIConfig, ProviderCredential, DatedPrice):
        for saved in (post_save, post_delete):
            saved.connect(_forget_when_committed, sender=model, dispatch_uid=f"{model.__name__} is kept")
