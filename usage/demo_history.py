"""Three months of made-up usage for the demo organisation, brought in the way real events come."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from leadagent.tenants.models import Organization
from usage.ledger import ingest
from usage.models import AIUsage, InboxKind, KeyOwner, UsageInbox
from usage.recording.events import CallFinished, event_id_at

DAYS = 90
# Own keys came after the first weeks; before that the platform's free requests had to do.
_ON_PLATFORM_UNTIL = 80
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class _Work:
    """One kind of call: dollars per million tokens, typical tokens, typical milliseconds before the first token.

    `used`: from how many days ago until how many. A price of None is one that nobody knows.
    """

    operation: str
    model: str
    price_in: str | None
    price_out: str
    tokens_in: int
    tokens_out: int
    begins_ms: int = 450
    cached: float = 0.0
    provider: str = "openrouter"
    used: tuple[int, int] = (DAYS, 0)
    share: float = 1.0


_WORK = (
    _Work("research", "openai/gpt-5", "1.25", "10", 2600, 480, 900, used=(DAYS, 52)),
    _Work("research", "anthropic/claude-sonnet-5.5", "2", "10", 2400, 420, 520, cached=0.3, used=(58, 0)),
    _Work("research", "anthropic/claude-sonnet-5.5", "2", "10", 3600, 510, 520, cached=0.5, used=(58, 0)),
    _Work("research", "deepseek/deepseek-chat", "0.3", "1.1", 2900, 450, 1200, used=(40, 12), share=0.25),
    _Work("qualification", "anthropic/claude-sonnet-5.5", "2", "10", 1500, 90, 480, used=(DAYS, 30)),
    _Work("qualification", "anthropic/claude-haiku-5.5", "0.5", "2.5", 1500, 90, 240, used=(34, 0)),
    # A model that was tried out, and whose price is on no list.
    _Work("qualification", "acme-labs/verdict-preview", None, "0", 1500, 70, 300, used=(26, 13), share=0.12),
    _Work("email_generation", "anthropic/claude-sonnet-5.5", "2", "10", 1700, 260, 520, used=(DAYS, 20)),
    _Work("email_generation", "anthropic/claude-opus-5.5", "4", "20", 1700, 310, 800, used=(22, 0), share=0.7),
    _Work("email_generation", "anthropic/claude-sonnet-5.5", "2", "10", 1700, 260, 520, used=(22, 0), share=0.3),
    _Work("embedding", "openai/text-embedding-3-small", "0.02", "0", 380, 0, 90),
)
# status, code, message, and how often.
_FAILURES = (
    (429, "rate_limited", "Rate limit exceeded", 0.011),
    (503, "overloaded", "No instances available", 0.004),
    (400, "context_too_long", "This model's maximum context length is 200000 tokens", 0.002),
)
# The provider was in trouble for a day.
_BAD_DAY, _BAD_DAY_FAILURES = 16, 0.3
# How often the provider says what a call cost; else it is estimated.
_REPORTED = 0.97
_STREAMS_CUT = 0.004


def seed_history(organization: Organization) -> int:
    """Write the history unless the organisation has usage already. Returns the number of calls."""
    if AIUsage.objects.filter(organization=organization).exists():
        return 0
    chance = random.Random(organization.slug)  # noqa: S311  # the same demo every time
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    events = [
        event
        for days_ago in range(DAYS - 1, -1, -1)
        for event in _day(organization.pk, today - timedelta(days=days_ago), days_ago, chance)
    ]
    # Today goes as far as the clock does.
    now = event_id_at(datetime.now(UTC)).int
    events = [event for event in events if event.id.int < now]
    UsageInbox.objects.bulk_create(
        UsageInbox(event_id=event.id, kind=InboxKind.FINISHED, payload=event.payload()) for event in events
    )
    while ingest.drain().taken:
        pass
    return len(events)


def _day(organization_id: int, day: datetime, days_ago: int, chance: random.Random) -> Iterator[CallFinished]:
    """A day's leads, each with its calls: more from week to week, few at weekends."""
    growth = 1 + (DAYS - days_ago) / DAYS
    leads = chance.randint(0, 1) if day.weekday() >= 5 else round(chance.randint(2, 6) * growth)
    for _ in range(leads):
        # Today's come early, so that there are some whenever the demo starts.
        moment = day + timedelta(seconds=chance.randint(0, 9 * 3600)) + timedelta(hours=8 if days_ago else 0)
        for work in _WORK:
            if work.used[0] >= days_ago >= work.used[1] and chance.random() < work.share:
                moment += timedelta(seconds=chance.randint(1, 6))
                yield _call(organization_id, work, moment, days_ago, chance)


def _call(organization_id: int, work: _Work, moment: datetime, days_ago: int, chance: random.Random) -> CallFinished:
    failure = _failure(days_ago, chance)
    is_cut = failure is None and chance.random() < _STREAMS_CUT
    tokens_in = 0 if failure else round(work.tokens_in * chance.uniform(0.7, 1.4))
    tokens_out = 0 if failure else round(work.tokens_out * chance.uniform(0.6, 1.5))
    cached = round(tokens_in * work.cached * chance.random())
    cost = None
    if work.price_in is not None and not is_cut:
        paid_in = (tokens_in - cached) * Decimal(work.price_in) + cached * Decimal(work.price_in) / 10
        cost = (paid_in + tokens_out * Decimal(work.price_out)) / _MILLION
    is_reported = cost is not None and failure is None and chance.random() < _REPORTED
    waited = work.begins_ms * chance.lognormvariate(0, 0.35) + tokens_out * chance.uniform(6, 14)
    status, code, message = failure or (200, "stream_cut" if is_cut else "", "")
    return CallFinished(
        id=event_id_at(moment),
        organization_id=organization_id,
        operation=work.operation,
        provider=work.provider,
        model=work.model,
        key_owner=(KeyOwner.PLATFORM if days_ago > _ON_PLATFORM_UNTIL else KeyOwner.CUSTOMER).value,
        credential_id=None,
        lead_id=None,
        run_id=None,
        streamed=is_cut,
        duration_ms=chance.randint(80, 300) if failure else round(waited),
        success=code == "",
        http_status=status,
        error_code=code,
        error_message=message,
        input_tokens=tokens_in - cached,
        cached_input_tokens=cached,
        output_tokens=tokens_out,
        actual_cost=cost if is_reported else None,
        estimated_cost=Decimal(0) if failure else cost,
        price_version="" if failure else "demo",
    )


def _failure(days_ago: int, chance: random.Random) -> tuple[int, str, str] | None:
    if days_ago == _BAD_DAY and chance.random() < _BAD_DAY_FAILURES:
        return _FAILURES[1][:3]
    for status, code, message, often in _FAILURES:
        if chance.random() < often:
            return status, code, message
    return None
