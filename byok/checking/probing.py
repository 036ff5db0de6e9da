"""One real call of a model with the fewest tokens there are: what a list of models cannot prove.

It is a generation like any other: metered, billed to the organisation's own key, and booked
on the operation `connection_test`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2

from byok import pricing
from byok.calls.destination import attribution
from byok.calls.json_answers import json_object
from byok.calls.metering import CallContext
from byok.calls.unmetered import CONNECT_SECONDS, Answered, NoAnswer
from byok.config.ai_config import get_ai_config
from byok.errors import AIError, error_from_answer, error_object
from byok.keys.sources import KeyOfNoRow
from byok.providers import REGISTRY, Provider
from byok.wire import sync_http_client
from leadagent.tenants.models import Organization
from usage.models import KeyOwner

OPERATION = "connection_test"
SECONDS = 10.0
_MAX_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Probed:
    """How the call ended: `error` is None where the model answered; `cost` in US dollars, None where unknown."""

    error: AIError | None = None
    cost: Decimal | None = None


def probe_model(organization: Organization, provider: str, api_key: str, model_id: str) -> Probed:
    """Call `model_id` once with `api_key`; leaves exactly one usage row. Never retried, never raises an `AIError`."""
    entry = REGISTRY[provider]
    config = get_ai_config(organization)
    price = pricing.dated_pricing(provider, model_id, organization=organization)
    context = CallContext(
        organization_id=organization.pk,
        operation=OPERATION,
        provider=provider,
        model=model_id,
        key_owner=KeyOwner.CUSTOMER,
        lead_id=None,
        run_id=None,
        # The key may not be stored, and how a test ended is the report's to say.
        credential=None,
        keep_detail=config.usage_tracking,
        price=pricing.FixedPrice(model_id, price) if price else None,
    )
    with sync_http_client(context, KeyOfNoRow(lambda: api_key)) as client:
        answer = _call(client, entry, model_id, headers={**entry.api_headers, **attribution(config, entry)})
    if isinstance(answer, NoAnswer):
        return Probed(AIError(answer.code, provider=provider))
    return _read(entry, context, answer)


def _call(client: httpx2.Client, entry: Provider, model_id: str, *, headers: Mapping[str, str]) -> Answered | NoAnswer:
    """One metered call, bounded in time and size."""
    probe = entry.probe(model_id)
    deadline = time.monotonic() + SECONDS
    body = bytearray()
    try:
        with client.stream(
            "POST",
            entry.base_url + probe.path,
            json=probe.body,
            headers=headers,
            timeout=httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS),
        ) as response:
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > _MAX_BODY:
                    return NoAnswer("bad_response")
                if time.monotonic() > deadline:
                    return NoAnswer("timeout")
            return Answered(response.status_code, response.headers, bytes(body))
    except httpx2.RequestError as exc:
        return NoAnswer("timeout" if isinstance(exc, httpx2.TimeoutException) else "unreachable")


def _read(entry: Provider, context: CallContext, answered: Answered) -> Probed:
    status, body, headers = answered.status, answered.body, answered.headers
    if 300 <= status < 400:
        return Probed(AIError("bad_response", provider=entry.id, status=status))
    if status >= 400:
        if entry.began_to_answer(status, error_object(body)):
            return Probed()
        return Probed(error_from_answer(entry.id, status, body, headers))
    answer = json_object(body)
    if answer is None:
        return Probed(AIError("bad_response", provider=entry.id))
    if answer.get("error"):
        # Generation had begun, so the status was 200; the body tells the failure.
        code = error_object(answer).get("code")
        return Probed(error_from_answer(entry.id, code if isinstance(code, int) else 502, answer, headers))
    return Probed(cost=_cost(entry, context, answer))


def _cost(entry: Provider, context: CallContext, answer: dict[str, Any]) -> Decimal | None:
    """What the provider reports, or what dated prices say; the usage row is priced the same way."""
    reported = entry.reported_cost(answer)
    shape = entry.usage_shape(entry.probe("").path)
    read = pricing.read_tokens(shape, answer) if shape else None
    if reported is not None or read is None:
        return reported
    answered, tokens = read
    return pricing.estimate(
        entry.id,
        tokens,
        asked=context.model,
        answered=answered,
        served=entry.served(answer),
        fixed=context.price,
    ).cost
