"""Taking a lead in: stored with its run in one transaction, whoever hands it over."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from leadagent.leads.models import Lead, LeadSource
from leadagent.leads.workflow import start_run
from leadagent.tenants.models import Organization, User

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
) -> tuple[Lead, bool]:
    """Store a lead and its first run; the lead, and whether it is new.

    `fields` are the cleaned values of `forms.LeadForm`. A key that was used before gives the
    lead it made then, or raises `IdempotencyConflict` when the contents differ.
    """
    values = {name: fields[name] for name in FIELDS}
    try:
        with transaction.atomic():
            lead = Lead.objects.create(
                organization=organization, source=source, idempotency_key=idempotency_key, **values
            )
            lead = start_run(lead, by=by).lead
    except IntegrityError:
        if idempotency_key is None:
            raise
        earlier = organization.leads.get(idempotency_key=idempotency_key)
        if any(getattr(earlier, name) != value for name, value in values.items()):
            raise IdempotencyConflict from None
        return earlier, False
    return lead, True
