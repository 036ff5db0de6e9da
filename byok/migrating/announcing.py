"""Telling each organisation's admins, once, that they can bring a key of their own.

The row comes first and knows whose mail the server has taken; whoever holds its lock sends the
next one. So a run may be killed at any point, and two may run at once: what is missing is sent,
and nobody is told twice. Only a kill between the server's yes and our commit repeats one mail,
with the same Message-ID.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from smtplib import SMTPException

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from byok.config.ai_config import byok_allowed
from byok.models import PLATFORM_DEFAULT, AIConfig, Announcement
from leadagent.outgoing_mail import notice_mail
from leadagent.tenants import audit
from leadagent.tenants.admins import active_admins
from leadagent.tenants.models import Organization, User

logger = logging.getLogger(__name__)

NAME = "byok"
SUBJECT = "New in Lead Agent: bring your own AI key, with 100+ models to choose from"


class State(StrEnum):
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """What a run did for one organisation: how many mails went out, and why not where none did."""

    slug: str
    state: State
    mails: int = 0
    reason: str = ""


def announce_byok(
    organization: Organization,
    *,
    documentation_url: str = "",
    dry_run: bool = False,
    pace: Callable[[], None] = lambda: None,
) -> Told:
    """Tell the admins of `organization` who have not been told. `pace` is called before each mail."""
    if reason := _why_not(organization):
        return Told(organization.slug, State.SKIPPED, reason=reason)
    if dry_run:
        row = Announcement.objects.filter(organization=organization, name=NAME).first()
        return Told(organization.slug, State.SENT, mails=len(_left(organization, row.told if row else [])))
    row, _ = Announcement.objects.get_or_create(organization=organization, name=NAME)
    mails, refused = 0, set[int]()
    while True:
        pace()
        with transaction.atomic():
            rows = Announcement.objects.select_for_update(skip_locked=True).filter(pk=row.pk, sent_at=None)
            if (locked := rows.first()) is None:
                reason = "another run is telling them"
                break
            left = [user for user in _left(organization, locked.told) if user.pk not in refused]
            if left:
                user = left.pop(0)
                if _mail(organization, user, documentation_url):
                    mails += 1
                    locked.told.append(user.pk)
                else:
                    refused.add(user.pk)
            _note(locked, is_over=not left and not refused)
        if not left:
            break
    if refused:
        reason = f"the mail server refused {len(refused)}; the next run tries again"
        return Told(organization.slug, State.FAILED, mails, reason)
    return Told(organization.slug, State.SKIPPED if reason and not mails else State.SENT, mails, reason)


def _why_not(organization: Organization) -> str:
    """Why this organisation is not told; empty where it is."""
    if not byok_allowed(organization):
        return "own keys are not enabled for it"
    if AIConfig.objects.filter(organization=organization).exclude(provider=PLATFORM_DEFAULT).exists():
        return "it has chosen a provider of its own already"
    told = Announcement.objects.filter(organization=organization, name=NAME).exclude(sent_at=None).first()
    if told is not None and told.sent_at is not None:
        return f"told on {told.sent_at:%Y-%m-%d}"
    if not _left(organization, []):
        return "it has no admin yet"
    return ""


def _left(organization: Organization, told: list[int]) -> list[User]:
    """The admins who have not been told."""
    return list(active_admins(organization).exclude(pk__in=told))


def _note(row: Announcement, *, is_over: bool) -> None:
    row.recipients = len(row.told)
    if is_over:
        row.sent_at = timezone.now()
        audit.record(
            "announcement.sent", organization=row.organization, target=row.name, after={"recipients": row.recipients}
        )
    row.save(update_fields=["told", "recipients", "sent_at"])


def _mail(organization: Organization, user: User, documentation_url: str) -> bool:
    """Send one mail; False where the server did not take it."""
    context = {
        "user": user,
        "organization": organization,
        "settings_url": settings.PUBLIC_URL + reverse("byok:settings", args=[organization.slug]),
        "documentation_url": documentation_url,
        "free_requests": settings.FREE_TIER_REQUESTS,
    }
    mail = notice_mail(
        "byok/email/announce_byok",
        context,
        subject=SUBJECT,
        to=[user.email],
        matter=f"announce-{NAME}-{organization.pk}-{user.pk}",
        reply_to=[settings.DEFAULT_FROM_EMAIL],
    )
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        logger.warning("the announcement to user %s was not sent: %s", user.pk, type(error).__name__)
        return False
    return True
