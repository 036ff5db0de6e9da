"""Organisations with keys, and their usage, quickly: by COPY straight into the partitions and the rollup.

The organisations are alike in both databases. The first is the busiest: it has a fifth of all
events. Events lie evenly in the 90 days before now, over 3 operations, 4 models and both key owners.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from byok.encryption import current_key_id, encrypt_api_key, fingerprint
from byok.models import AIConfig, ProviderCredential
from leadagent.tenants.models import Membership, Organization, Role, User
from usage.ledger.ingest import rollup_select
from usage.ledger.partitions import ensure_partitions
from usage.models import UsageDaily
from usage.recording.events import CallFinished, CallStarted, event_id_at
from usage.utc_days import month_after

DAYS = 90
# Of all events so many belong to the busiest organisation: one in five.
BUSIEST_SHARE = 5

BUSIEST, QUIET = "org-0", "org-quiet"
BUSIEST_PERSON, QUIET_PERSON = "busiest@bench.test", "quiet@bench.test"

# operation, provider, model, dollars per million tokens in and out
_CALLS = (
    ("research", "openai", "gpt-4o", "2.5", "10"),
    ("qualification", "openai", "gpt-4o-mini", "0.15", "0.6"),
    ("email_generation", "anthropic", "claude-haiku-4-5", "1", "5"),
    ("research", "openrouter", "anthropic/claude-sonnet-4.5", "3", "15"),
)

_COLUMNS = [
    "id",
    "created_at",
    "organization_id",
    "operation",
    "provider",
    "model",
    "key_owner",
    "price_version",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "actual_cost",
    "estimated_cost",
    "duration_ms",
    "success",
    "http_status",
    "error_code",
    "error_message",
    "streamed",
    "provider_request_id",
    "state",
]


def make_product(organizations: int) -> None:
    """Migrations, organisations with two keys each, and a person in the busiest and in a quiet one."""
    call_command("migrate", interactive=False, verbosity=0)
    made = Organization.objects.bulk_create(
        [Organization(name=f"Organisation {number}", slug=f"org-{number}") for number in range(organizations)]
        + [Organization(name="A quiet one", slug=QUIET)]
    )
    AIConfig.objects.bulk_create(
        AIConfig(
            organization=organization,
            provider="openai",
            chat_model="gpt-4o-mini",
            embedding_provider="openai",
            embedding_model="text-embedding-3-small",
        )
        for organization in made
    )
    ProviderCredential.objects.bulk_create(
        (sealed_key_of(organization, provider) for organization in made for provider in ("openai", "anthropic")),
        batch_size=1000,
    )
    for email, slug in ((BUSIEST_PERSON, BUSIEST), (QUIET_PERSON, QUIET)):
        person = User.objects.create_user(email=email)
        Membership.objects.create(user=person, organization=Organization.objects.get(slug=slug), role=Role.ADMIN)


def sealed_key_of(organization: Organization, provider: str) -> ProviderCredential:
    """A made-up key, sealed as `byok.keys.stored` does it; not saved yet."""
    prefix = {"openai": "sk-proj-", "anthropic": "sk-ant-api03-"}[provider]
    key = f"{prefix}{organization.pk:032d}"
    row = ProviderCredential(organization=organization, provider=provider, prefix=prefix, last4=key[-4:], status="ok")
    row.sealed_key = encrypt_api_key(key, binding=row.binding)
    row.key_id, row.fingerprint = current_key_id(), fingerprint(key)
    # Nothing is due for a re-check during the run.
    row.next_check_at = timezone.now() + timedelta(days=1)
    return row


def fill_usage(events: int) -> dict[str, float]:
    """Put so many events into AIUsage and the rollup; returns the seconds of both steps."""
    now = datetime.now(UTC)
    months = [(now - timedelta(days=DAYS)).date().replace(day=1)]
    while months[-1] < now.date().replace(day=1):
        months.append(month_after(months[-1]))
    ensure_partitions(months)
    organizations = _organizations()
    begun = time.perf_counter()
    with connection.cursor() as cursor:
        statement = f"COPY usage_aiusage ({', '.join(_COLUMNS)}) FROM STDIN"
        with cursor.cursor.copy(statement) as copy:
            for lines in _lines(events, now, organizations):
                copy.write(lines)
    copied = time.perf_counter()
    with connection.cursor() as cursor:
        names = ", ".join((*UsageDaily.DIMENSIONS, *UsageDaily.MEASURES))
        cursor.execute(f"INSERT INTO usage_usagedaily ({names}) {rollup_select('usage_aiusage')}")
        summed = time.perf_counter()
        cursor.execute("VACUUM (ANALYZE) usage_aiusage, usage_usagedaily")
        cursor.execute("CHECKPOINT")
    return {"copy": copied - begun, "rollup": summed - copied}


def _lines(events: int, now: datetime, organizations: list[int]) -> Iterator[str]:
    """Lines for COPY, oldest first, some thousand at a time."""
    chance = random.Random(events)
    ends = [
        _end_of_line(call, key_owner, chance)
        for call in _CALLS
        for key_owner in ("customer", "platform")
        for _ in range(16)
    ]
    first = int((now - timedelta(days=DAYS)).timestamp() * 1000)
    step = DAYS * 86_400_000 / events
    busiest, count = organizations[0], len(organizations)
    lines: list[str] = []
    for number in range(events):
        millisecond = first + int(number * step)
        # A UUIDv7 by hand: 48 bits of time, then the version, a counter, the variant and random bits.
        event_id = f"{millisecond:012x}7{number & 0xFFF:03x}{0x8000000000000000 | chance.getrandbits(62):016x}"
        organization = busiest if number % BUSIEST_SHARE == 0 else organizations[chance.randrange(count)]
        moment = _moment(millisecond)
        lines.append(f"{event_id}\t{moment}\t{organization}\t{ends[chance.randrange(len(ends))]}\n")
        if len(lines) == 5000:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def _organizations() -> list[int]:
    """The busiest first."""
    return list(Organization.objects.exclude(slug=QUIET).order_by("pk").values_list("pk", flat=True))


_last_second: tuple[int, str] = (0, "")


def _moment(millisecond: int) -> str:
    """The time as PostgreSQL reads it; its text is made once per second of time."""
    global _last_second
    second, rest = divmod(millisecond, 1000)
    if _last_second[0] != second:
        _last_second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S"))
    return f"{_last_second[1]}.{rest:03d}+00"


def _end_of_line(call: tuple[str, str, str, str, str], key_owner: str, chance: random.Random) -> str:
    operation, provider, model, price_in, price_out = call
    failed = chance.random() < 0.02
    tokens_in, tokens_out = (0, 0) if failed else (chance.randint(200, 4000), chance.randint(20, 600))
    cost = (tokens_in * Decimal(price_in) + tokens_out * Decimal(price_out)) / 1_000_000
    actual = str(cost) if provider == "openrouter" and not failed else "\\N"
    status, code, success = ("429", "rate_limited", "f") if failed else ("200", "", "t")
    fields: list[object] = [operation, provider, model, key_owner, "genai-prices", tokens_in, 0, 0, tokens_out, 0]
    fields += [tokens_in + tokens_out, actual, cost, chance.randint(300, 9000), success, status, code]
    fields += ["", "f", "", "final"]
    return "\t".join(map(str, fields))


def new_events(count: int) -> list[CallFinished]:
    """Calls of all organisations that have just ended, as the call path makes them."""
    organizations = _organizations()
    chance, now = random.Random(), datetime.now(UTC)
    made = []
    for number in range(count):
        operation, provider, model, price_in, price_out = _CALLS[number % len(_CALLS)]
        tokens_in, tokens_out = chance.randint(200, 4000), chance.randint(20, 600)
        made.append(
            CallFinished(
                id=event_id_at(now + timedelta(milliseconds=number)),
                organization_id=organizations[chance.randrange(len(organizations))],
                operation=operation,
                provider=provider,
                model=model,
                key_owner="customer",
                credential_id=None,
                lead_id=None,
                run_id=None,
                streamed=False,
                duration_ms=chance.randint(300, 9000),
                success=True,
                http_status=200,
                input_tokens=tokens_in,
                output_tokens=tokens_out,
                estimated_cost=(tokens_in * Decimal(price_in) + tokens_out * Decimal(price_out)) / 1_000_000,
                price_version="genai-prices",
            )
        )
    return made


def start_of(event: CallFinished) -> CallStarted:
    """The event that was written before the same call."""
    return CallStarted(**{name: getattr(event, name) for name in CallStarted.__dataclass_fields__})
