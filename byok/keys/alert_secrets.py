"""Secrets of alert channels and webhooks on the key ring: sealed as keys are, and sealed anew with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from byok.encryption import KeyBinding, KeyUnreadable, decrypt_api_key, encrypt_api_key, envelope_head, reseal_api_key
from usage.alerting.sealing import SealedRow, SecretUnreadable, sealed_tables


def _binding(organization_id: int, row_id: UUID) -> KeyBinding:
    return KeyBinding(organization_id, "alerts", row_id, purpose="alert_secret")


class KeyRingSealer:
    """`usage.alerting.sealing.Sealer` over the encryption secrets."""

    def seal(self, text: str, *, organization_id: int, row_id: UUID) -> str:
        return encrypt_api_key(text, binding=_binding(organization_id, row_id))

    def open(self, sealed: str, *, organization_id: int, row_id: UUID) -> str:
        try:
            return decrypt_api_key(sealed, binding=_binding(organization_id, row_id))
        except KeyUnreadable as error:
            raise SecretUnreadable(str(error)) from None


def rewrap_alert_secrets() -> tuple[int, int]:
    """Seal what an earlier secret has sealed with the current one; returns (done, could not be opened).

    Row by row and only where it is still as it was read. Safe to stop and to run beside itself.
    """
    done = failed = 0
    for table in sealed_tables():
        rows = table._default_manager
        for row in cast("Iterable[SealedRow]", rows.exclude(sealed__startswith=envelope_head()).order_by("pk")):
            try:
                resealed = reseal_api_key(row.sealed, binding=_binding(row.organization_id, row.pk))
            except KeyUnreadable:
                failed += 1
                continue
            done += rows.filter(pk=row.pk, sealed=row.sealed).update(sealed=resealed.sealed_key)
    return done, failed
