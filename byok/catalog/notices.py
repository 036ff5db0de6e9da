"""Telling admins of new prices and last days of models that their organisation uses: one digest, once.

First the changes are taken and the digests written, in one transaction: nothing is taken twice.
Then each digest is mailed, admin by admin; a run that is cut off goes on with the rest.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date
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
from byok.catalog.places import ModelPlace, in_words, model_places
from byok.config.ai_config import byok_allowed
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
from usage.alerting.alerts import tell_channels
from usage.analytics import last_days
from usage.models import KeyOwner, UsageDaily
from usage.templatetags.usage_format import money

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
    requests: int = 0
    cost_before: Decimal | None = None
    cost_after: Decimal | None = None
    retired_on: date | None = None
    successor: str = ""
    # Where the organisation names it now; empty where it only used it.
    places: list[ModelPlace] = field(default_factory=list)

    @property
    def places_in_words(self) -> str:
        return in_words(self.places)

    @property
    def percent(self) -> str:
        """The change with its sign, such as "+25 %"; empty where it cannot be told."""
        if not self.cost_before or self.cost_after is None:
            return ""
        return f"{(self.cost_after - self.cost_before) / self.cost_before:+.0%}".replace("%", " %")

    @property
    def sentence(self) -> str:
        """For channels that take plain text."""
        listed = f", your {self.places_in_words}," if self.places else ""
        model = f"{self.model_id} ({self.provider}){listed}"
        match self.kind:
            case ChangeKind.REPRICED if self.requests:
                cost = f"{money(self.cost_before)} before, {money(self.cost_after)} now"
                return f"{model} has a new price: your last {DAYS} days cost {cost}."
            case ChangeKind.REPRICED:
                return f"{model} has a new price."
            case ChangeKind.RETIRED:
                last = f" on {self.retired_on.day} {self.retired_on:%B %Y}" if self.retired_on else ""
                instead = f"; {self.successor} takes its place" if self.successor else ""
                return f"{model} ends{last}{instead}."
            case _:
                return f"{model} is no longer listed."


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


def _affected(changes: list[CatalogChange]) -> dict[int, list[CatalogChange]]:
    """organisation -> the changes to models that it has chosen, lets take over, or used on its own key in 30 days."""
    by_model: dict[ModelKey, list[CatalogChange]] = {}
    for change in changes:
        by_model.setdefault((change.route, change.model_id), []).append(change)
    if not by_model:
        return {}
    users: dict[int, set[ModelKey]] = {}
    for config in AIConfig.objects.filter(provider__in=REGISTRY).iterator():
        users.setdefault(config.organization_id, set()).update(
            {(place.route, place.model_id) for place in model_places(config)} & by_model.keys()
        )
    start, end = last_days(DAYS)
    used = UsageDaily.objects.filter(
        day__gte=start, day__lt=end, key_owner=KeyOwner.CUSTOMER, model__in={model_id for _, model_id in by_model}
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
            admin = _admins_left(digest).exclude(pk__in=failed).first()
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


def _admins_left(digest: CatalogDigest) -> QuerySet[User]:
    """Admins whom the digest has not reached, always in the same order."""
    admins = User.objects.filter(
        is_active=True, memberships__organization=digest.organization, memberships__role=Role.ADMIN
    )
    return admins.exclude(pk__in=digest.told).order_by("pk")


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


def lines_of(digest: CatalogDigest) -> list[ToldChange]:
    """The digest's lines, one per change, with the effect on the organisation's own last 30 days."""
    config = AIConfig.objects.filter(organization_id=digest.organization_id).first()
    places = list(model_places(config)) if config is not None else []
    return [_line(digest.organization_id, change, places) for change in digest.changes.order_by("pk")]


def _line(organization_id: int, change: CatalogChange, places: list[ModelPlace]) -> ToldChange:
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
        requests=tokens.requests,
        cost_before=tokens.cost_at(_prices(change.before)) if is_price else None,
        cost_after=tokens.cost_at(_prices(change.after)) if is_price else None,
        retired_on=row.retired_on if row else None,
        successor=row.successor if row else "",
        places=[place for place in places if (place.route, place.model_id) == (change.route, change.model_id)],
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
        subject=" ".join(_title(organization).split()),
        body=render_to_string("byok/email/catalog_changes.txt", context),
        to=[admin.email],
        # The same for every try: a mail server that took it twice shows it once.
        headers={
            "Message-ID": f"<catalog-{digest.pk}-{admin.pk}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>"
        },
    )
    mail.attach_alternative(render_to_string("byok/email/catalog_changes.html", context), "text/html")
    mail.send()
