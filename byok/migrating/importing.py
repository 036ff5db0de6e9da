"""Bringing tenants of the TypeScript system over, each in one transaction.

A tenant is found again by its Clerk id (`Organization.external_id`). What is here already is
written only where the file says something else, and where nobody has changed it here since:
the last `tenant.imported` event knows which version of the configuration the import left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from byok.config.saving import KEEP, save_ai_config
from byok.config.values import InvalidConfig
from byok.encryption import KeyUnreadable
from byok.migrating.config import KEY_NOT_OPENED, WantedConfig, has_key, wanted_config
from byok.migrating.tenant_file import InvalidTenant, TenantRecord, parse_tenant
from byok.models import AIConfig, ProviderCredential
from leadagent.tenants import audit
from leadagent.tenants.models import AuditEvent, Organization
from leadagent.tenants.names import slug_from_name, suggest_slugs, validate_slug
from leadagent.tenants.onboarding import slug_is_taken

NAME_LENGTH = 80
IMPORTED = "tenant.imported"
# What people do to a key outside a save of the configuration, whose version tells the rest.
_KEY_CHANGES = ("credential.saved", "credential.replaced", "credential.removed", "credential.replacement_undone")
_PATHS = {
    "name": "name",
    "provider": "aiConfig.provider",
    "chat_model": "aiConfig.models.chat",
    "embedding_model": "aiConfig.models.embedding",
    "openrouter_site_url": "aiConfig.openrouterSettings.siteUrl",
    "openrouter_site_name": "aiConfig.openrouterSettings.siteName",
    "cost_alert_threshold": "aiConfig.costAlerts.monthlyThreshold",
    "cost_alert_email": "aiConfig.costAlerts.email",
    "api_key": "aiConfig.encryptedApiKey",
}


class State(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one tenant of the file. Holds no key; `notes` are for the operator."""

    position: int
    external_id: str
    state: State
    slug: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()


class TenantImport:
    """One run over one file."""

    def __init__(self, *, legacy_secret: bytes | None = None, overwrite: bool = False, dry_run: bool = False) -> None:
        self._secret = legacy_secret
        self._overwrite = overwrite
        self._dry_run = dry_run
        self._positions: dict[str, int] = {}
        # Addresses given in this run: a dry run takes each back at once.
        self._slugs: set[str] = set()

    def is_known(self, external_id: str) -> bool:
        """Whether this run came by a tenant of this id and did not fail on it."""
        return external_id in self._positions

    def bring(self, position: int, raw: object) -> Outcome:
        """Import one element of the file; never raises for what is wrong with this one tenant."""
        try:
            tenant = parse_tenant(raw)
        except InvalidTenant as error:
            return Outcome(position, _id_of(raw), State.FAILED, reason=str(error))
        external_id = tenant.clerk_org_id
        if first := self._positions.get(external_id):
            return Outcome(position, external_id, State.FAILED, reason=f"clerkOrgId: tenant {first} has the same")
        try:
            with transaction.atomic():
                outcome = self._bring(position, tenant)
                if self._dry_run:
                    transaction.set_rollback(True)
        except InvalidConfig as error:
            path = _PATHS.get(error.field, f"aiConfig ({error.field})")
            return Outcome(position, external_id, State.FAILED, reason=f"{path}: {error}")
        except KeyUnreadable as error:
            reason = f"aiConfig.encryptedApiKey: {error}"
            return Outcome(position, external_id, State.FAILED, reason=reason)
        except (IntegrityError, DataError) as error:
            # Its text repeats values; the kind is enough to look further.
            reason = f"the database refused it ({type(error).__name__})"
            return Outcome(position, external_id, State.FAILED, reason=reason)
        self._positions[external_id] = position
        self._slugs.add(outcome.slug)
        return outcome

    def _bring(self, position: int, tenant: TenantRecord) -> Outcome:
        name, notes = _clean_name(tenant.name)
        if unknown := tenant.unknown_fields:
            notes += (f"ignored: {', '.join(unknown)}",)
        organization, is_new = self._organization(tenant.clerk_org_id, name)

        def outcome(state: State, reason: str = "", more: tuple[str, ...] = ()) -> Outcome:
            return Outcome(position, tenant.clerk_org_id, state, organization.slug, reason, notes + more)

        imported = AuditEvent.objects.filter(organization=organization, action=IMPORTED).order_by("-pk").first()
        config = AIConfig.objects.filter(organization=organization).first()
        wanted = wanted_config(tenant.ai_config, secret=self._secret) if tenant.ai_config else None
        more = self._notes(organization, wanted) if wanted else ()
        renames = organization.name != name and (self._overwrite or organization.name == _noted(imported, "name"))
        is_configured = wanted is None or wanted.is_stored(organization, config)
        if is_configured and not renames and not is_new:
            return outcome(State.UNCHANGED, more=more)
        if not is_configured and not self._overwrite and _changed_here(organization, config, imported):
            return outcome(State.SKIPPED, "changed here since the import; --overwrite replaces that", more)
        if renames:
            organization.name = name
            organization.save(update_fields=["name"])
        if wanted and not is_configured:
            config = self._save(organization, wanted)
        audit.record(
            IMPORTED,
            organization=organization,
            target=organization.slug,
            after={
                "name": organization.name,
                "external_id": tenant.clerk_org_id,
                "source_id": None if tenant.id is None else str(tenant.id),
                "config_version": config.version if config else 0,
                "with_own_key": bool(wanted and wanted.api_key),
            },
        )
        return outcome(State.CREATED if is_new else State.UPDATED, more=more)

    def _organization(self, external_id: str, name: str) -> tuple[Organization, bool]:
        """The organisation with this id, locked against saves until the end of the transaction; True where made."""
        rows = Organization.objects.select_for_update(no_key=True)
        for _ in range(3):
            if found := rows.filter(external_id=external_id).first():
                return found, False
            slug = _free_slug(name, external_id, is_taken=lambda slug: slug in self._slugs or slug_is_taken(slug))
            try:
                with transaction.atomic():
                    return Organization.objects.create(name=name, slug=slug, external_id=external_id), True
            except IntegrityError:
                # Somebody took the address, or brings the same tenant over: look again.
                continue
        raise IntegrityError

    @staticmethod
    def _notes(organization: Organization, wanted: WantedConfig) -> tuple[str, ...]:
        """What the operator should know; a key that came over in an earlier run is not missed."""
        if KEY_NOT_OPENED not in wanted.notes or not _is_stored(organization, wanted.values["provider"]):
            return wanted.notes
        return tuple(note for note in wanted.notes if note != KEY_NOT_OPENED)

    @staticmethod
    def _save(organization: Organization, wanted: WantedConfig) -> AIConfig:
        provider = wanted.values["provider"]
        api_key: str | None = wanted.api_key
        if not api_key or has_key(organization, provider, api_key):
            # None says that the provider is chosen without a key on purpose; there is none to remove.
            api_key = KEEP if _is_stored(organization, provider) else None
        return save_ai_config(
            organization, **wanted.values, cost_alert=wanted.cost_alert, api_key=api_key, is_import=True
        )


def _is_stored(organization: Organization, provider: str) -> bool:
    """Whether a key of `provider` is stored, whichever."""
    return ProviderCredential.objects.filter(organization=organization, provider=provider).exists()


def _changed_here(organization: Organization, config: AIConfig | None, imported: AuditEvent | None) -> bool:
    """Whether anybody but the import (and the backfill, whose rows have version 0) touched the configuration."""
    if config is not None and config.version != (_noted(imported, "config_version") or 0):
        return True
    changes = AuditEvent.objects.filter(organization=organization, action__in=_KEY_CHANGES)
    return changes.filter(pk__gt=imported.pk if imported else 0).exists()


def _noted(imported: AuditEvent | None, name: str) -> Any:
    return imported.after.get(name) if imported is not None and imported.after else None


def _clean_name(name: str) -> tuple[str, tuple[str, ...]]:
    """The name as our rules have it, and what had to be done to it."""
    notes: tuple[str, ...] = ()
    plain = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if any(not character.isprintable() for character in name.strip()):
        notes += ("control characters in the name are removed",)
    if not plain:
        raise InvalidConfig("name", "the name is empty")
    if len(plain) > NAME_LENGTH:
        notes += (f"the name is cut: {NAME_LENGTH} characters of {len(plain)} are kept",)
        plain = plain[: NAME_LENGTH - 1].rstrip() + "…"
    return plain, notes


def _free_slug(name: str, external_id: str, *, is_taken: Callable[[str], bool]) -> str:
    base = slug_from_name(name) or slug_from_name(external_id)
    try:
        validate_slug(base)
    except ValidationError:
        pass
    else:
        if not is_taken(base):
            return base
    return suggest_slugs(base, is_taken=is_taken, count=1)[0]


def _id_of(raw: object) -> str:
    """What the report calls a tenant that could not be read."""
    external_id = raw.get("clerkOrgId") if isinstance(raw, dict) else None
    return external_id[:100] if isinstance(external_id, str) else "?"
