"""Telling admins of new prices and last days of models that their organisation uses: one digest, once.

First the changes are taken and the digests written, in one transaction: nothing is taken twice.
Then each digest is mailed, admin by admin; a run that is cut off goes on with the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from smtplib import SMTPException, SMTPRecipientsRefused
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from byok.catalog.effect import DAYS, recent_tokens
from byok.config import byok_allowed
from byok.models import (
    AIConfig,
    CatalogChange,
    CatalogDigest,
    CatalogModel,
    ChangeKind,
    DatedPrice,
    PriceColumns,
)
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization, Role, User
from usage.models import KeyOwner, UsageDaily

logger = logging.getLogger(__name__)

# What an admin has to know; that there is a new model is no news of theirs.
TOLD = (ChangeKind.REPRICED, ChangeKind.RETIRED, ChangeKind.REMOVED)

ModelKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One line of a digest. Costs are US dollars over the last 30 days' tokens; None is unknown."""

    kind: str
    provider: str
    model_id: str
    name: str
    requests: int = 0
    cost_before: Decimal | None = None
    cost_after: Decimal | None = None
    retired_on: date | None = None
    successor: str = ""

    @property
    def percent(self) -> str:
        """The change with its sign, such as "+25 %"; empty where it cannot be told."""
        if not self.cost_before or self.cost_after is None:
            return ""
        return f"{(self.cost_after - self.cost_before) / self.cost_before:+.0%}".replace("%", " %")


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
        for organization_id, of_organization in _affected(told).items():
            organization = Organization.objects.get(pk=organization_id)
            if byok_allowed(organization):
                digest = CatalogDigest.objects.create(organization=organization)
                digest.changes.set(of_organization)


def _affected(changes: list[CatalogChange]) -> dict[int, list[CatalogChange]]:
    """organisation -> the changes to models that it has chosen, or used on its own key in the last 30 days."""
    by_model: dict[ModelKey, list[CatalogChange]] = {}
    for change in changes:
        by_model.setdefault((change.route, change.model_id), []).append(change)
    if not by_model:
        return {}
    users: dict[int, set[ModelKey]] = {}
    for config in AIConfig.objects.filter(provider__in=REGISTRY).iterator():
        users.setdefault(config.organization_id, set()).update(set(_chosen(config)) & by_model.keys())
    since = timezone.now().date() - timedelta(days=DAYS)
    used = UsageDaily.objects.filter(
        day__gte=since, key_owner=KeyOwner.CUSTOMER, model__in={model_id for _, model_id in by_model}
    )
    for organization_id, provider, model in used.values_list("organization_id", "provider", "model").distinct():
        if (provider, model) in by_model:
            users.setdefault(organization_id, set()).add((provider, model))
    negotiated = _negotiated_now()
    existing = set(Organization.objects.filter(pk__in=users).values_list("pk", flat=True))
    affected: dict[int, list[CatalogChange]] = {}
    for organization_id in sorted(users.keys() & existing):
        for key in sorted(users[organization_id]):
            for change in by_model[key]:
                # A fine-tuned model is its owner's alone; a negotiated price does not follow the list.
                if change.organization_id not in (None, organization_id):
                    continue
                if change.kind == ChangeKind.REPRICED and (organization_id, *key) in negotiated:
                    continue
                affected.setdefault(organization_id, []).append(change)
    return affected


def _negotiated_now() -> set[tuple[int | None, str, str]]:
    """(organisation, provider, model) of each negotiated price that counts at this moment."""
    now = timezone.now()
    in_force = DatedPrice.objects.exclude(organization=None).filter(
        Q(effective_until=None) | Q(effective_until__gt=now), effective_from__lte=now
    )
    return set(in_force.values_list("organization_id", "route", "model_id"))


def _chosen(config: AIConfig) -> Iterable[ModelKey]:
    entry = REGISTRY[config.provider]
    for name in (config.chat_model, *config.operation_models.values()):
        if name:
            yield config.provider, entry.model_id(name)
    if config.embedding_provider in REGISTRY and config.embedding_model:
        embedding = REGISTRY[config.embedding_provider]
        yield config.embedding_provider, embedding.embedding_model_id(config.embedding_model)


def _send(pk: int) -> int:
    """Mail one digest; returns how many mails went out.

    Each mail is a transaction of its own, as in `byok.announcing`: only a kill between the server's yes
    and our commit repeats one, with the same Message-ID.
    """
    sent, failed = 0, set[int]()
    while True:
        with transaction.atomic():
            rows = CatalogDigest.objects.select_for_update(skip_locked=True, of=("self",))
            digest = rows.select_related("organization").filter(pk=pk, sent_at=None).first()
            if digest is None:
                # Over, or another run has it.
                return sent
            admin = _admins_left(digest).exclude(pk__in=failed).first()
            if admin is not None:
                took = _try_mail(digest, admin)
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


def _admins_left(digest: CatalogDigest) -> QuerySet[User]:
    """Admins whom the digest has not reached, always in the same order."""
    admins = User.objects.filter(
        is_active=True, memberships__organization=digest.organization, memberships__role=Role.ADMIN
    )
    return admins.exclude(pk__in=digest.told).order_by("pk")


def _try_mail(digest: CatalogDigest, admin: User) -> bool | None:
    """Whether the mail server took it; None where another try may help."""
    try:
        _mail(digest, lines_of(digest), admin)
    except SMTPRecipientsRefused:
        logger.warning("catalog digest %s: an admin's address was refused", digest.pk)
        return False
    except (OSError, SMTPException) as error:
        logger.warning("catalog digest %s was not sent: %s", digest.pk, type(error).__name__)
        return None
    return True


def lines_of(digest: CatalogDigest) -> list[ToldChange]:
    """The digest's lines, one per change, with the effect on the organisation's own last 30 days."""
    return [_line(digest.organization_id, change) for change in digest.changes.order_by("pk")]


def _line(organization_id: int, change: CatalogChange) -> ToldChange:
    row = (
        CatalogModel.objects.filter(route=change.route, model_id=change.model_id, organization=change.organization)
        .order_by("pk")
        .first()
    )
    tokens = recent_tokens(organization_id, change.route, change.model_id)
    is_price = change.kind == ChangeKind.REPRICED
    return ToldChange(
        kind=change.kind,
        provider=REGISTRY[change.route].label if change.route in REGISTRY else change.route,
        model_id=change.model_id,
        name=row.name if row else change.model_id,
        requests=tokens.requests,
        cost_before=tokens.cost_at(_prices(change.before)) if is_price else None,
        cost_after=tokens.cost_at(_prices(change.after)) if is_price else None,
        retired_on=row.retired_on if row else None,
        successor=row.successor if row else "",
    )


def _prices(values: dict[str, str | None]) -> dict[str, Decimal | None]:
    return {name: None if (text := values.get(name)) is None else Decimal(text) for name in PriceColumns.PRICES}


def _mail(digest: CatalogDigest, lines: list[ToldChange], admin: User) -> None:
    organization = digest.organization
    context = {
        "organization": organization,
        "repriced": [line for line in lines if line.kind == ChangeKind.REPRICED],
        "ending": [line for line in lines if line.kind == ChangeKind.RETIRED],
        "gone": [line for line in lines if line.kind == ChangeKind.REMOVED],
        "settings_url": settings.PUBLIC_URL + reverse("byok:settings", args=[organization.slug]),
    }
    mail = EmailMultiAlternatives(
        # Names must not break out of a header.
        subject=" ".join(f"{organization.name}: changes to AI models that you use".split()),
        body=render_to_string("byok/email/catalog_changes.txt", context),
        to=[admin.email],
        # The same for every try: a mail server that took it twice shows it once.
        headers={
            "Message-ID": f"<catalog-{digest.pk}-{admin.pk}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>"
        },
    )
    mail.attach_alternative(render_to_string("byok/email/catalog_changes.html", context), "text/html")
    mail.send()
