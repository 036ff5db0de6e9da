"""Three months of made-up usage for the demo organisation, brought in the way real events come."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from leadagent.tenants.models import Organization
from usage import ingest
from usage.events import CallFinished, event_id_at
from usage.models import AIUsage, InboxKind, KeyOwner, UsageInbox

DAYS = 90

# operation, model, dollars per million tokens in and out, typical tokens in and out
_CALLS = (
    ("research", "anthropic/claude-sonnet-5.5", "2", "10", 2400, 420),
    ("research", "anthropic/claude-sonnet-5.5", "2", "10", 3100, 510),
    ("qualification", "anthropic/claude-haiku-5.5", "0.1", "0.5", 1500, 90),
    ("email_generation", "anthropic/claude-sonnet-5.5", "2", "10", 1700, 260),
    ("embedding", "openai/text-embedding-3-small", "0.02", "0", 380, 0),
)
_MILLION = Decimal(1_000_000)


def seed_history(organization: Organization) -> int:
    """Write the history unless the organisation has usage already. Returns the number of calls."""
    if AIUsage.objects.filter(organization=organization).exists():
        return 0
    chance = random.Random(organization.slug)  # noqa: S311  # the same demo every time
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    events = []
    for days_ago in range(DAYS, 0, -1):
        day = today - timedelta(days=days_ago)
        leads = chance.randint(0, 1) if day.weekday() >= 5 else chance.randint(2, 6)
        for _ in range(leads):
            moment = day + timedelta(hours=8, seconds=chance.randint(0, 9 * 3600))
            for call in _CALLS:
                moment += timedelta(seconds=chance.randint(1, 6))
                events.append(_event(organization.pk, call, moment, chance))
    UsageInbox.objects.bulk_create(
        UsageInbox(event_id=event.id, kind=InboxKind.FINISHED, payload=event.payload()) for event in events
    )
    while ingest.drain().taken:
        pass
    return len(events)


def _event(
    organization_id: int, call: tuple[str, str, str, str, int, int], moment: datetime, chance: random.Random
) -> CallFinished:
    operation, model, price_in, price_out, typical_in, typical_out = call
    failed = chance.random() < 0.02
    tokens_in = 0 if failed else round(typical_in * chance.uniform(0.7, 1.4))
    tokens_out = 0 if failed else round(typical_out * chance.uniform(0.6, 1.5))
    cost = (tokens_in * Decimal(price_in) + tokens_out * Decimal(price_out)) / _MILLION
    return CallFinished(
        id=event_id_at(moment),
        organization_id=organization_id,
        operation=operation,
        provider="openrouter",
        model=model,
        key_owner=KeyOwner.CUSTOMER.value,
        credential_id=None,
        lead_id=None,
        run_id=None,
        streamed=False,
        duration_ms=chance.randint(80, 300) if failed else chance.randint(400, 900) + tokens_out * 9,
        success=not failed,
        http_status=429 if failed else 200,
        error_code="rate_limited" if failed else "",
        error_message="Rate limit exceeded" if failed else "",
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        actual_cost=None if failed else cost,
        estimated_cost=Decimal(0) if failed else cost,
        price_version="" if failed else "demo",
    )
