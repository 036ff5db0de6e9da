"""Whether every stored key opens with the configured secrets: for the copy that a restore has made.

Each is opened and dropped at once. On a running installation keys are opened on the wire only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from byok.encryption import KeyBinding, KeyUnreadable, decrypt_api_key
from byok.models import ProviderCredential, SupersededKey
from usage.alerting.sealing import SealedRow, SecretUnreadable, sealed_tables, sealer


@dataclass(frozen=True, slots=True)
class KeyProof:
    """How many sealed texts there are, and for each that does not open where it stands and why."""

    total: int
    unopened: list[str]


def prove_stored_keys() -> KeyProof:
    """Open provider keys, replaced ones that can still be brought back, and secrets of alert channels and webhooks."""
    total, unopened = 0, []
    for where, reason in _opened():
        total += 1
        if reason:
            unopened.append(f"{where}: {reason}")
    return KeyProof(total, unopened)


def _opened() -> Iterator[tuple[str, str]]:
    for key in ProviderCredential.objects.order_by("pk").iterator():
        yield f"key {key.pk} of organisation {key.organization_id}", _reason(key.sealed_key, key.binding)
    for old in SupersededKey.objects.select_related("credential").order_by("pk").iterator():
        yield f"replaced key of {old.credential_id}", _reason(old.sealed_key, old.binding)
    for table in sealed_tables():
        for row in cast("Iterable[SealedRow]", table._default_manager.order_by("pk").iterator()):
            where = f"{table._meta.verbose_name} {row.pk} of organisation {row.organization_id}"
            try:
                sealer().open(row.sealed, organization_id=row.organization_id, row_id=row.pk)
            except SecretUnreadable as error:
                yield where, str(error)
            else:
                yield where, ""


def _reason(sealed: str, binding: KeyBinding) -> str:
    try:
        decrypt_api_key(sealed, binding=binding)
    except KeyUnreadable as error:
        return str(error)
    return ""
