"""Which organisations a change in the catalog concerns: those that have chosen its model, or have used it."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from byok.catalog.effect import DAYS
from byok.catalog.places import model_places
from byok.models import AIConfig, CatalogChange, ChangeKind, DatedPrice
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization
from usage.models import KeyOwner, UsageDaily
from usage.utc_days import last_days

# Provider and name.
ModelKey = tuple[str, str]


def concerned_by(changes: list[CatalogChange]) -> dict[int, list[CatalogChange]]:
    """organisation -> its changes: to models that it has chosen, lets take over, or used on its own key in 30 days."""
    by_model: dict[ModelKey, list[CatalogChange]] = {}
    for change in changes:
        by_model.setdefault((change.route, change.model_id), []).append(change)
    if not by_model:
        return {}
    negotiated = _negotiated_now()
    concerned: dict[int, list[CatalogChange]] = {}
    for organization_id, models in _users_of(set(by_model)).items():
        for key in sorted(models):
            for change in by_model[key]:
                # A fine-tuned model is its owner's alone; a negotiated price does not follow the list.
                if change.organization_id not in (None, organization_id):
                    continue
                if change.kind == ChangeKind.REPRICED and (organization_id, *key) in negotiated:
                    continue
                concerned.setdefault(organization_id, []).append(change)
    return concerned


def _users_of(models: set[ModelKey]) -> dict[int, set[ModelKey]]:
    """organisation, by id -> which of the models it has chosen or used. Usage outlives its organisation: not this."""
    users: dict[int, set[ModelKey]] = {}
    for config in AIConfig.objects.filter(provider__in=REGISTRY).iterator():
        chosen = {(place.route, place.model_id) for place in model_places(config)}
        users.setdefault(config.organization_id, set()).update(chosen & models)
    start, end = last_days(DAYS)
    used = UsageDaily.objects.filter(
        day__gte=start, day__lt=end, key_owner=KeyOwner.CUSTOMER, model__in={model_id for _, model_id in models}
    )
    for organization_id, provider, model in used.values_list("organization_id", "provider", "model").distinct():
        if (provider, model) in models:
            users.setdefault(organization_id, set()).add((provider, model))
    existing = Organization.objects.filter(pk__in=users).order_by("pk").values_list("pk", flat=True)
    return {organization_id: users[organization_id] for organization_id in existing}


def _negotiated_now() -> set[tuple[int | None, str, str]]:
    """(organisation, provider, model) of each negotiated price that counts at this moment."""
    now = timezone.now()
    in_force = DatedPrice.objects.exclude(organization=None).filter(
        Q(effective_until=None) | Q(effective_until__gt=now), effective_from__lte=now
    )
    return set(in_force.values_list("organization_id", "route", "model_id"))
