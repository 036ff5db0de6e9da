"""An organisation's own fine-tuned models, from the list that OpenAI shows to its key. Nobody else sees them."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from byok.calls.json_answers import json_object
from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.catalog.packaged import list_prices
from byok.checking.asking import ask
from byok.config.ai_config import byok_allowed
from byok.encryption import KeyUnreadable, decrypt_api_key
from byok.errors import AIError
from byok.models import CatalogModel, CatalogSync, CredentialStatus, ModelKind, ProviderCredential, SyncOutcome
from byok.pricing import price_version
from byok.providers import REGISTRY
from byok.providers.key_facts import model_ids
from leadagent.tenants.models import Organization

ROUTE = "openai"
_EVERY = timedelta(days=1)
_SECONDS = 15.0
_MAX_OWN = 500


def sync_own_models(credential: ProviderCredential) -> CatalogSync:
    """Look at the account's list of models; what begins with `ft:` is the organisation's own. Never raises."""
    organization = credential.organization
    sync = CatalogSync.objects.create(source=ROUTE, organization=organization)
    try:
        names = _own_names(credential)
    except (AIError, KeyUnreadable) as error:
        sync.error = str(error)[:300]
        sync.outcome, sync.finished_at = SyncOutcome.FAILED, timezone.now()
        sync.save(update_fields=["error", "outcome", "finished_at"])
        return sync
    return merge(
        [_listed(organization, name) for name in names],
        source=ROUTE,
        route=ROUTE,
        organization=organization,
        sync=sync,
    )


def due_own_lists() -> QuerySet[ProviderCredential]:
    """Working keys whose account was not looked at since they were saved, or for a day."""
    last = CatalogSync.objects.filter(source=ROUTE, organization=OuterRef("organization")).order_by("-started_at")
    return (
        ProviderCredential.objects.filter(provider=ROUTE, status=CredentialStatus.OK)
        .annotate(looked_at=Subquery(last.values("started_at")[:1]))
        .filter(Q(looked_at=None) | Q(looked_at__lt=timezone.now() - _EVERY) | Q(looked_at__lt=F("saved_at")))
        .select_related("organization")
        .order_by("pk")
    )


def sync_due_own_models(*, seconds: float = 300.0) -> int:
    """Look at the accounts whose time has come, for up to `seconds`; returns how many were looked at."""
    deadline = time.monotonic() + seconds
    looked_at = 0
    for credential in due_own_lists():
        if time.monotonic() > deadline:
            break
        if byok_allowed(credential.organization):
            sync_own_models(credential)
            looked_at += 1
    return looked_at


def _own_names(credential: ProviderCredential) -> list[str]:
    api_key = decrypt_api_key(credential.sealed_key, binding=credential.binding)
    entry = REGISTRY[ROUTE]
    answer = ask(ROUTE, api_key, entry.chat_models_path, deadline=time.monotonic() + _SECONDS)
    if isinstance(answer, AIError):
        raise answer
    listed = model_ids(json_object(answer.body))
    if listed is None:
        raise AIError("bad_response", provider=ROUTE)
    own = sorted(name for name in listed if name.startswith("ft:") and name.isprintable() and len(name) <= 200)
    return own[:_MAX_OWN]


def _listed(organization: Organization, name: str) -> ListedModel:
    """`ft:base-model:account:suffix:id`; what is known of the base model holds for it, but for its price."""
    now = timezone.now()
    parts = name.split(":")
    base = _base_model(parts[1] if len(parts) > 1 else "")
    kind = base.kind if base else ModelKind.CHAT.value
    prices: dict[str, Decimal] = list_prices(ROUTE, name, kind=kind, at=now)
    suffix = parts[3] if len(parts) > 3 else ""
    title = base.name if base else (parts[1] if len(parts) > 1 else name)
    return ListedModel(
        route=ROUTE,
        model_id=name,
        vendor=organization.name[:80],
        name=f"{title}, fine-tuned{f': {suffix}' if suffix else ''}"[:200],
        kind=kind,
        description="A fine-tuned model of your own OpenAI account.",
        context_window=base.context_window if base else None,
        max_output=base.max_output if base else None,
        input_modalities=tuple(base.input_modalities) if base else (),
        output_modalities=tuple(base.output_modalities) if base else (),
        capabilities=tuple(base.capabilities) if base else None,
        retired_on=base.retired_on if base else None,
        prices=prices,
        price_source=price_version() if prices else "",
        source=ROUTE,
        checked_on=now.date(),
    )


def _base_model(name: str) -> CatalogModel | None:
    """The model that was tuned; a dated name stands for the plain one where only that is known."""
    names = [name, name[: -len("-2024-07-18")]] if name[-10:].replace("-", "").isdigit() else [name]
    rows = {
        row.model_id: row for row in CatalogModel.objects.filter(route=ROUTE, organization=None, model_id__in=names)
    }
    return next((rows[each] for each in names if each in rows), None)
