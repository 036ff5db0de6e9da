"""Writing down that something came of a lead, for the addresses that want to know: in the outcome's own transaction.

Nothing is sent here (see `webhooks`): who rolls the outcome back rolls the message back with it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from leadagent.leads.models import Lead, LeadEvent, LeadWebhook, WebhookDelivery


def note_outcome(lead: Lead, event: LeadEvent, *, key: UUID | str) -> None:
    """Note a message for each address that wants `event`; once per address and `key`, however often it is noted."""
    webhooks = list(LeadWebhook.objects.filter(organization_id=lead.organization_id, events__contains=[event.value]))
    if not webhooks:
        return
    bare = payload_of(lead, event)
    whole = bare | {"qualification": _qualification_of(lead)} if any(each.with_reasons for each in webhooks) else bare
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                webhook=webhook,
                lead=lead,
                event=event.value,
                key=f"{event.value}:{key}",
                payload=whole if webhook.with_reasons else bare,
            )
            for webhook in webhooks
        ],
        ignore_conflicts=True,
    )


def payload_of(lead: Lead, event: LeadEvent) -> dict[str, Any]:
    """What a message says: which lead, and how it stands. No name, no address and no word of what was written."""
    organization = lead.organization
    return {
        "type": event.value,
        "organization": organization.slug,
        "created_at": timezone.now().isoformat(),
        "lead": {
            "id": str(lead.pk),
            "status": str(lead.status),
            "category": str(lead.category) or None,
            "source": str(lead.source),
            "created_at": lead.created_at.isoformat(),
            "url": settings.PUBLIC_URL + reverse("leads:detail", args=[organization.slug, lead.pk]),
        },
    }


def _qualification_of(lead: Lead) -> dict[str, Any] | None:
    """The newest verdict with its reasons, for addresses that an admin lets have them; None before the first."""
    run = lead.runs.main().exclude(category="").newest()
    verdict = run.qualification if run is not None else None
    return verdict.told() if verdict is not None else None
