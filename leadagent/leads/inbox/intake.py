"""Taking a lead in: stored with its run in one transaction, whoever hands it over."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from leadagent.leads.models import Lead, LeadEvent, LeadSource
from leadagent.leads.outcomes.events import note_outcome
from leadagent.leads.running.workflow import create_run
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

# What a lead brings along, whoever hands it over.
FIELDS = ("name", "email", "company", "phone", "message")


class IdempotencyConflict(Exception):
    """The key was used before, for other contents."""


def take_in(
    organization: Organization,
    fields: Mapping[str, str],
    *,
    source: LeadSource,
    by: User | None = None,
    idempotency_key: str | None = None,
    request: HttpRequest | None = None,
) -> tuple[Lead, bool]:
    """Store a lead and its first run; the lead, and whether it is new.

    `fields` are the cleaned values of `forms.LeadForm`. A key that was used before gives the
    lead it made then, or raises `IdempotencyConflict` when the contents differ.

    The audit log hears of leads that a person or a token added; what strangers send by the
    public form is in the list of leads, and would drown everything else.
    """
    values = {name: fields[name] for name in FIELDS}
    try:
        with transaction.atomic():
            lead = Lead.objects.create(
                organization=organization, source=source, idempotency_key=idempotency_key, **values
            )
            run = create_run(lead, by=by)
            note_outcome(lead, LeadEvent.CREATED, key=lead.pk)
            if source != LeadSource.FORM:
                audit.record(
                    "lead.created",
                    organization=organization,
                    actor=by,
                    target=f"lead {lead.pk}",
                    after={"source": source, "run": str(run.pk)},
                    request=request,
                )
    except IntegrityError:
        if idempotency_key is None:
            raise
        earlier = organization.leads.get(idempotency_key=idempotency_key)
        if any(getattr(earlier, name) != value for name, value in values.items()):
            raise IdempotencyConflict from None
        return earlier, False
    return lead, True
