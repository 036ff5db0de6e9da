"""Storing, replacing, removing and bringing back an organisation's keys.

Each act is one transaction with its audit event. The caller has locked the organisation's
configuration (see `byok.config.saving`) where the act is part of a save.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from byok.checking.reports import ConnectionReport
from byok.encryption import KeyUnreadable, decrypt_api_key, encrypt_api_key, fingerprint, has_fingerprint, key_id_of
from byok.keys.credentials import REFUSED
from byok.models import (
    PLATFORM_DEFAULT,
    RECHECK_EVERY,
    UNDO_LIFETIME,
    AIConfig,
    CredentialStatus,
    ProviderCredential,
    SupersededKey,
    superseded_binding,
)
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

# What goes with a key from row to row.
_ABOUT_A_KEY = ("prefix", "last4", "status", "status_message", "checked_at", "saved_at", "created_by_id")


class NothingToUndo(Exception):
    """No replaced key is left, or its 24 hours are over."""


def store_key(
    organization: Organization,
    provider: str,
    api_key: str,
    *,
    prefix: str,
    report: ConnectionReport | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> ProviderCredential:
    """Seal `api_key` as the organisation's key for `provider`; the one before it can be brought back for a day.

    `prefix` is what pages show of it (from `check_api_key`), `report` how its test went, if it was tested.
    """
    with transaction.atomic():
        stored = _locked(organization, provider)
        credential = stored or ProviderCredential(organization=organization, provider=provider)
        before = {"last4": stored.last4, "status": stored.status} if stored else None
        if stored is not None and not has_fingerprint(api_key, stored.fingerprint):
            _supersede(stored)
        _seal_into(credential, api_key)
        credential.prefix = prefix
        credential.last4 = api_key[-4:]
        credential.saved_at = timezone.now()
        credential.created_by = actor
        credential.last_used_at = credential.rejection_told_at = credential.refused_since = None
        _take_report(credential, report)
        credential.save()
        audit.record(
            "credential.replaced" if before else "credential.saved",
            organization=organization,
            actor=actor,
            target=provider,
            before=before,
            after={"last4": credential.last4, "status": credential.status},
            request=request,
        )
    return credential


def remove_api_key(
    organization: Organization, provider: str, *, actor: User | None = None, request: HttpRequest | None = None
) -> None:
    """Delete a stored key. Calls that need it are refused from now on; no other key takes its place."""
    with transaction.atomic():
        credential = _locked(organization, provider)
        if credential is None:
            return
        audit.record(
            "credential.removed",
            organization=organization,
            actor=actor,
            target=provider,
            before={"provider": provider, "last4": credential.last4},
            request=request,
        )
        credential.delete()


def undo_replacement(
    organization: Organization, provider: str, *, actor: User | None = None, request: HttpRequest | None = None
) -> ProviderCredential:
    """Bring the replaced key back; the one that replaced it is dropped. Raises `NothingToUndo`.

    A key that can no longer be opened (its secret is gone) raises `KeyUnreadable`, and nothing changes.
    """
    with transaction.atomic():
        credential = _locked(organization, provider)
        superseded = SupersededKey.objects.filter(credential=credential).first() if credential else None
        if credential is None or superseded is None or superseded.undo_until <= timezone.now():
            raise NothingToUndo
        before = {"last4": credential.last4, "status": credential.status}
        api_key = decrypt_api_key(superseded.sealed_key, binding=superseded_binding(credential.binding))
        _seal_into(credential, api_key)
        for name in _ABOUT_A_KEY:
            setattr(credential, name, getattr(superseded, name))
        # A key of its own again: what was noted about the other one must not be taken for its state.
        credential.saved_at = timezone.now()
        credential.report = credential.expires_at = credential.last_used_at = None
        credential.rejection_told_at = None
        credential.next_check_at = timezone.now()
        credential.refused_since = timezone.now() if credential.status in REFUSED else None
        credential.save()
        superseded.delete()
        audit.record(
            "credential.replacement_undone",
            organization=organization,
            actor=actor,
            target=provider,
            before=before,
            after={"last4": credential.last4, "status": credential.status},
            request=request,
        )
    return credential


def drop_expired_superseded_keys() -> int:
    """Delete replaced keys whose time to be brought back is over. Safe to run twice."""
    deleted, _ = SupersededKey.objects.filter(undo_until__lte=timezone.now()).delete()
    return deleted


def consequences_of_removal(organization: Organization, provider: str) -> list[str]:
    """What stops working once the key of `provider` is gone, as sentences. Empty where nothing uses it."""
    config = AIConfig.objects.filter(organization=organization).first()
    if config is None or provider not in REGISTRY:
        return []
    sentences = []
    if config.provider == provider:
        sentences += [
            "Research, qualification and email drafts stop: their runs pause until a key is saved again.",
            "No other key takes its place; allow the platform's AI per operation if it should help out.",
        ]
    if config.embedding_provider == provider:
        sentences.append("The knowledge base can no longer be searched, and documents cannot be added.")
    if SupersededKey.objects.filter(credential__organization=organization, credential__provider=provider).exists():
        sentences.append("The key that it replaced is dropped too: the replacement can no longer be undone.")
    return sentences


def _locked(organization: Organization, provider: str) -> ProviderCredential | None:
    if provider == PLATFORM_DEFAULT:
        return None
    rows = ProviderCredential.objects.select_for_update(of=("self",))
    return rows.filter(organization=organization, provider=provider).first()


def _supersede(credential: ProviderCredential) -> None:
    """Keep the stored key for the undo. One that does not open any more is of no use to anybody."""
    now = timezone.now()
    SupersededKey.objects.filter(credential=credential).delete()
    try:
        api_key = decrypt_api_key(credential.sealed_key, binding=credential.binding)
    except KeyUnreadable:
        return
    kept = SupersededKey(credential=credential, superseded_at=now, undo_until=now + UNDO_LIFETIME)
    _seal_into(kept, api_key)
    for name in _ABOUT_A_KEY:
        setattr(kept, name, getattr(credential, name))
    kept.save()


def _seal_into(row: ProviderCredential | SupersededKey, api_key: str) -> None:
    """Seal the key for `row` by the current secret, which its name and its fingerprint follow."""
    row.sealed_key = encrypt_api_key(api_key, binding=row.binding)
    row.key_id = key_id_of(row.sealed_key)
    row.fingerprint = fingerprint(api_key)


def _take_report(credential: ProviderCredential, report: ConnectionReport | None) -> None:
    credential.report = report.as_json() if report else None
    credential.status = report.credential_status if report else CredentialStatus.UNTESTED
    credential.status_message = report.summary if report else ""
    credential.checked_at = report.checked_at if report else None
    credential.expires_at = report.expires_at if report else None
    # An untested key is looked at by the next round.
    credential.next_check_at = timezone.now() + RECHECK_EVERY if report else timezone.now()
