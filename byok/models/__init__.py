"""Stored keys and the choice of provider and models, one configuration per organisation."""

from byok.models.choices import PLATFORM_DEFAULT, CredentialStatus, FallbackConsent, ProviderName, new_id
from byok.models.config import AIConfig, Announcement
from byok.models.credential import (
    RECHECK_EVERY,
    ROTATE_AFTER,
    UNDO_LIFETIME,
    KeyUseDay,
    ProviderCredential,
    SealingSecret,
    SupersededKey,
    superseded_binding,
)

__all__ = [
    "PLATFORM_DEFAULT",
    "RECHECK_EVERY",
    "ROTATE_AFTER",
    "UNDO_LIFETIME",
    "AIConfig",
    "Announcement",
    "CredentialStatus",
    "FallbackConsent",
    "KeyUseDay",
    "ProviderCredential",
    "ProviderName",
    "SealingSecret",
    "SupersededKey",
    "new_id",
    "superseded_binding",
]
