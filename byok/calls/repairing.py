"""Asking a provider what a call has cost whose answer was lost on the way back.

The same rules as for any question about a key (`byok.checking.asking`): nothing is generated and
nothing is booked. The key is the one that the organisation has stored now; a replaced one
is of the same account as a rule, and where it is not, the provider knows no such call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby

from django.conf import settings
from django.db import transaction

from byok.calls.json_answers import json_object
from byok.checking.asking import Answer, ask
from byok.config.ai_config import byok_allowed
from byok.encryption import KeyUnreadable, decrypt_api_key
from byok.errors import AIError
from byok.keys.credentials import REFUSED
from byok.models import ProviderCredential
from byok.providers import REGISTRY
from byok.providers.base import Generation, Provider
from leadagent.tenants import audit
from leadagent.tenants.models import Organization
from usage.ledger import repair
from usage.ledger.repair import Told, Unsettled
from usage.models import KeyOwner

logger = logging.getLogger(__name__)

_BATCH = 20
_ANSWER_SECONDS = 15.0


def repair_due(*, seconds: float = 300.0, clock: Callable[[], float] = time.monotonic) -> int:
    """Ask about the calls whose turn it is, for up to `seconds`; returns how many costs are known now.

    Safe to run twice and side by side: each batch is claimed before anybody is asked.
    """
    deadline = clock() + seconds
    repaired = 0
    while clock() < deadline:
        claimed = repair.claim(_BATCH)
        if not claimed:
            break
        claimed.sort(key=lambda call: call.organization_id)
        for organization_id, calls in groupby(claimed, key=lambda call: call.organization_id):
            repaired += _repair(organization_id, calls)
    return repaired


def _repair(organization_id: int, calls: Iterable[Unsettled]) -> int:
    """Ask about calls of one organisation; its audit log tells that its key was opened for it."""
    organization = Organization.objects.filter(pk=organization_id).first()
    told: list[tuple[Unsettled, Told]] = []
    asked = 0
    for call in calls:
        entry = REGISTRY.get(call.provider)
        path = entry.generation_path(call.provider_request_id) if entry is not None else ""
        if organization is None or entry is None or not path:
            repair.give_up(call)
            continue
        answer = _ask(call, organization, path)
        if answer is None:
            continue
        asked += call.key_owner == KeyOwner.CUSTOMER
        if isinstance(answer, Answer) and (generation := _read(entry, answer)) is not None:
            told.append((call, _told(generation)))
    with transaction.atomic():
        repaired = sum(repair.settle(call, figures) for call, figures in told)
        if asked:
            audit.record("usage.repaired", organization=organization, after={"asked": asked, "repaired": repaired})
    return repaired


def _ask(call: Unsettled, organization: Organization, path: str) -> Answer | AIError | None:
    """The provider's answer; None where there is no key to ask with. The key lives in this frame only."""
    if call.key_owner == KeyOwner.PLATFORM:
        key = str(settings.PLATFORM_KEYS.get(call.provider, ""))
    else:
        row = ProviderCredential.objects.filter(organization=organization, provider=call.provider).first()
        # Switched off means untouched; a refused key would be refused again.
        if row is None or row.status in REFUSED or not byok_allowed(organization):
            return None
        try:
            key = decrypt_api_key(row.sealed_key, binding=row.binding)
        except KeyUnreadable:
            return None
    return ask(call.provider, key, path, deadline=time.monotonic() + _ANSWER_SECONDS) if key else None


def _read(entry: Provider, answer: Answer) -> Generation | None:
    body = json_object(answer.body, parse_float=Decimal)
    return None if body is None else entry.read_generation(body)


def _told(generation: Generation) -> Told:
    return Told(
        actual_cost=generation.cost,
        input_tokens=generation.input_tokens,
        cached_input_tokens=generation.cached_input_tokens,
        output_tokens=generation.output_tokens,
        reasoning_tokens=generation.reasoning_tokens,
    )
