"""How secrets of alerts and webhooks are sealed. The key ring stands a floor above and registers itself at start."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from django.db import models


class Sealer(Protocol):
    """Seals a text for one row; it opens nowhere else."""

    def seal(self, text: str, *, organization_id: int, row_id: UUID) -> str: ...

    def open(self, sealed: str, *, organization_id: int, row_id: UUID) -> str:
        """Raises `SecretUnreadable`."""
        ...


class SecretUnreadable(Exception):
    """The sealed text does not open: its secret is gone, or it was moved."""


class SealedRow(Protocol):
    """A row with such a secret, in a table with these columns."""

    pk: UUID
    organization_id: int
    sealed: str


_registered: list[Sealer] = []
_tables: list[type[models.Model]] = []


def register(sealer: Sealer) -> None:
    """Called once, when the app with the key ring is ready."""
    _registered[:] = [sealer]


def sealer() -> Sealer:
    return _registered[0]


def add_sealed_table(model: type[models.Model]) -> None:
    """Called once for each table of `SealedRow`s, so that its secrets are sealed anew with the others."""
    if model not in _tables:
        _tables.append(model)


def sealed_tables() -> tuple[type[models.Model], ...]:
    return tuple(_tables)
