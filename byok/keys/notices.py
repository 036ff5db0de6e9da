"""Telling an organisation's admins that one of its keys no longer works: once per refusal.

A refusal begins when the key's state turns to rejected or unreadable, whether real traffic
or a re-check showed it (`ProviderCredential.refused_since`), and ends with any other state.
Only a provider that the organisation uses at present is worth a mail.
"""

from __future__ import annotations

import logging
from datetime import datetime
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from byok.config.ai_config import byok_allowed
from byok.keys.credentials import REFUSED
from byok.models import CredentialStatus, ProviderCredential
from byok.providers import REGISTRY
from leadagent.outgoing_mail import notice_mail
from leadagent.tenants import audit
from leadagent.tenants.admins import active_admins
from leadagent.tenants.audit_models import AuditEvent
from leadagent.tenants.models import User
from usage.alerting.alerts import tell_channels

logger = logging.getLogger(__name__)

# The provider of a row of `ProviderCredential` is the one that its organisation uses.
IN_USE = Q(provider=F("organization__ai_config__provider")) | Q(
    provider=F("organization__ai_config__embedding_provider")
)

_ACTIONS = {CredentialStatus.REJECTED: "credential.rejected", CredentialStatus.UNREADABLE: "credential.unreadable"}


def tell_admins() -> int:
    """Send what is due, one mail per admin; returns how many went out. Safe to run twice and side by side."""
    # Nobody can mend a key of a provider that was taken out of the registry.
    due = ProviderCredential.objects.filter(IN_USE, provider__in=REGISTRY, status__in=REFUSED, rejection_told_at=None)
    return sum(_tell(row) for row in due.select_related("organization") if byok_allowed(row.organization))


def _tell(seen: ProviderCredential) -> int:
    claimed_at = timezone.now()
    credential = _claim(seen, claimed_at)
    if credential is None:
        return 0
    sent, refused = 0, False
    for admin in active_admins(credential.organization):
        try:
            _mail(credential, admin)
        except SMTPRecipientsRefused:
            # Trying again would not help this address, and would tell the others twice.
            logger.warning("notice of credential %s: an admin's address was refused", credential.pk)
        except (OSError, SMTPException) as error:
            logger.warning("notice of credential %s was not sent: %s", credential.pk, type(error).__name__)
            refused = True
        else:
            sent += 1
    if refused and not sent:
        # Nobody was told: the next round tries again.
        ProviderCredential.objects.filter(pk=credential.pk, rejection_told_at=claimed_at).update(rejection_told_at=None)
    return sent


def _claim(seen: ProviderCredential, claimed_at: datetime) -> ProviderCredential | None:
    """Take a refusal for telling, with its audit event; None where somebody else has it or it is over."""
    with transaction.atomic():
        rows = ProviderCredential.objects.select_for_update(skip_locked=True, of=("self",))
        rows = rows.filter(pk=seen.pk, saved_at=seen.saved_at, status__in=REFUSED, rejection_told_at=None)
        credential = rows.select_related("organization").first()
        if credential is None:
            return None
        credential.rejection_told_at = claimed_at
        # Unknown only for a state from before refusals had a beginning.
        credential.refused_since = credential.refused_since or credential.checked_at or claimed_at
        credential.save(update_fields=["rejection_told_at", "refused_since"])
        _audit_once(credential)
        _tell_channels(credential)
    return credential


def _tell_channels(credential: ProviderCredential) -> None:
    tell_channels(
        credential.organization,
        kind="key_refused",
        key=f"key_refused:{_name_of_refusal(credential)}",
        title=f"{credential.organization.name}: {_happened(credential)}",
        text=f"It ends in {credential.last4}. Calls with it fail until an admin saves another key in the AI settings.",
    )


def _happened(credential: ProviderCredential) -> str:
    label = REGISTRY[credential.provider].label
    if credential.status == CredentialStatus.REJECTED:
        return f"{label} refuses the key"
    return f"the {label} key can no longer be opened"


def _audit_once(credential: ProviderCredential) -> None:
    """One event per refusal, also where a mail server makes the telling take several rounds."""
    assert credential.refused_since is not None
    since = credential.refused_since.isoformat()
    action = _ACTIONS[CredentialStatus(credential.status)]
    earlier = AuditEvent.objects.filter(organization=credential.organization, action=action, target=credential.provider)
    if not earlier.filter(after__since=since).exists():
        audit.record(
            action,
            organization=credential.organization,
            target=credential.provider,
            after={"last4": credential.last4, "status": credential.status, "since": since},
        )


def _mail(credential: ProviderCredential, admin: User) -> None:
    organization = credential.organization
    entry = REGISTRY[credential.provider]
    context = {
        "organization": organization,
        "credential": credential,
        "provider": entry.label,
        "key_page": entry.key_page,
        "is_rejected": credential.status == CredentialStatus.REJECTED,
        "settings_url": settings.PUBLIC_URL + reverse("byok:settings", args=[organization.slug]),
    }
    mail = notice_mail(
        "byok/email/key_refused",
        context,
        subject=f"{organization.name}: {_happened(credential)}",
        to=[admin.email],
        matter=f"key-refused-{_name_of_refusal(credential)}-{admin.pk}",
    )
    mail.send()


def _name_of_refusal(credential: ProviderCredential) -> str:
    """The same for as long as the refusal lasts."""
    assert credential.refused_since is not None
    return f"{credential.pk}-{credential.refused_since.timestamp() * 1000:.0f}"
