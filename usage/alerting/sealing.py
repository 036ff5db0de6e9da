"""How secrets of alert channels are sealed. The key ring stands a floor above and registers itself here at start."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class Sealer(Protocol):
    """Seals a text for one row; it opens nowhere else."""

    def seal(self, text: str, *, organization_id: int, row_id: UUID) -> str: ...

    def open(self, sealed: str, *, organization_id: int, row_id: UUID) -> str:
        """Raises `SecretUnreadable`."""
        ...


class SecretUnreadable(Exception):
    """The sealed text does not open: its secret is gone, or it was moved."""


_registered: list[Sealer] = []


def register(sealer: Sealer) -> None:
    """Called once, when the app with the key ring is ready."""
    _registered[:] = [sealer]


def sealer() -> Sealer:
    return _registered[0]
