"""Stored keys, the choice of provider and models, and the catalog of models with their prices."""

from byok.models.announcement import Announcement
from byok.models.catalog import Capability, CatalogModel, ModelKind, Tier
from byok.models.catalog_sync import CatalogChange, CatalogDigest, CatalogSync, ChangeKind, SyncOutcome
from byok.models.choices import PLATFORM_DEFAULT, CredentialStatus, FallbackConsent, new_id, provider_choices
from byok.models.config import AIConfig
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
from byok.models.prices import DatedPrice, PriceColumns

__all__ = [
    "PLATFORM_DEFAULT",
    "RECHECK_EVERY",
    "ROTATE_AFTER",
    "UNDO_LIFETIME",
    "AIConfig",
    "Announcement",
    "Capability",
    "CatalogChange",
    "CatalogDigest",
    "CatalogModel",
    "CatalogSync",
    "ChangeKind",
    "CredentialStatus",
    "DatedPrice",
    "FallbackConsent",
    "KeyUseDay",
    "ModelKind",
    "PriceColumns",
    "ProviderCredential",
    "SealingSecret",
    "SupersededKey",
    "SyncOutcome",
    "Tier",
    "new_id",
    "provider_choices",
    "superseded_binding",
]
