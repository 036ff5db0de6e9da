"""Telling admins of new prices and last days of models that their organisation uses: one digest, once.

First the changes are taken and the digests written, in one transaction: nothing is taken twice.
Then each digest is mailed, admin by admin; a run that is cut off goes on with the rest.
"""

from __future__ import annotations

import logging
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from byok.catalog.concerned import concerned_by
from byok.catalog.digests import ToldChange, lines_of
from byok.config.ai_config import byok_allowed
from byok.models import CatalogChange, CatalogDigest, ChangeKind
from leadagent.outgoing_mail import notice_mail
from leadagent.tenants.admins import active_admins
from leadagent.tenants.models import Organization, User
from usage.alerting.alerts import tell_channels

logger = logging.getLogger(__name__)

# What an admin has to know; that there is a new model is no news of theirs.
TOLD = (ChangeKind.REPRICED, ChangeKind.RETIRED, ChangeKind.REMOVED)


def tell_of_changes() -> int:
    """Write the digests that are due and mail them; returns how many mails went out. Safe to run twice."""
    _take_changes()
    waiting = CatalogDigest.objects.filter(sent_at=None).order_by("pk").values_list("pk", flat=True)
    return sum(_send(pk) for pk in list(waiting))


def _take_changes() -> None:
    with transaction.atomic():
        changes = list(CatalogChange.objects.select_for_update(skip_locked=True).filter(told_at=None).order_by("pk"))
        if not changes:
            return
        CatalogChange.objects.filter(pk__in=[change.pk for change in changes]).update(told_at=timezone.now())
        told = [change for change in changes if change.kind in TOLD]
        for organization_id, of_organization in concerned_by(told).items():
            organization = Organization.objects.get(pk=organization_id)
            if byok_allowed(organization):
                digest = CatalogDigest.objects.create(organization=organization)
                digest.changes.set(of_organization)
                _tell_channels(digest)


def _tell_channels(digest: CatalogDigest) -> None:
    """The same to Slack and the webhook; the admins' mails follow."""
    tell_channels(
        digest.organization,
        kind="catalog_change",
        key=f"catalog_change:{digest.pk}",
        title=_title(digest.organization),
        text=" ".join(line.sentence for line in lines_of(digest)),
    )


def _title(organization: Organization) -> str:
    return f"{organization.name}: changes to AI models that you use"


def _send(pk: int) -> int:
    """Mail one digest; returns how many mails went out.

    Each mail is a transaction of its own, as in `byok.migrating.announcing`: only a kill between the server's yes
    and our commit repeats one, with the same Message-ID.
    """
    sent, failed = 0, set[int]()
    lines: list[ToldChange] = []
    while True:
        with transaction.atomic():
            rows = CatalogDigest.objects.select_for_update(skip_locked=True, of=("self",))
            digest = rows.select_related("organization").filter(pk=pk, sent_at=None).first()
            if digest is None:
                # Over, or another run has it.
                return sent
            admin = active_admins(digest.organization).exclude(pk__in=[*digest.told, *failed]).first()
            if admin is not None:
                # The same for all admins.
                lines = lines or lines_of(digest)
                took = _try_mail(digest, lines, admin)
                if took is None:
                    failed.add(admin.pk)
                else:
                    sent += took
                    digest.told = [*digest.told, admin.pk]
            elif not failed:
                digest.sent_at = timezone.now()
            digest.save(update_fields=["told", "sent_at"])
        if admin is None:
            return sent


def _try_mail(digest: CatalogDigest, lines: list[ToldChange], admin: User) -> bool | None:
    """Whether the mail server took it; None where another try may help."""
    try:
        _mail(digest, lines, admin)
    except SMTPRecipientsRefused:
        logger.warning("catalog digest %s: an admin's address was refused", digest.pk)
        return False
    except (OSError, SMTPException) as error:
        logger.warning("catalog digest %s was not sent: %s", digest.pk, type(error).__name__)
        return None
    return True


def _mail(digest: CatalogDigest, lines: list[ToldChange], admin: User) -> None:
    organization = digest.organization
    context = {
        "organization": organization,
        "repriced": [line for line in lines if line.kind == ChangeKind.REPRICED],
        "ending": [line for line in lines if line.kind == ChangeKind.RETIRED],
        "gone": [line for line in lines if line.kind == ChangeKind.REMOVED],
        "settings_url": settings.PUBLIC_URL + reverse("byok:settings", args=[organization.slug]),
    }
    mail = notice_mail(
        "byok/email/catalog_changes",
        context,
        subject=_title(organization),
        to=[admin.email],
        matter=f"catalog-{digest.pk}-{admin.pk}",
    )
    mail.send()
