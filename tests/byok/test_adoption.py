"""The adoption figures, against organisations made by hand."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from byok.adoption import sums
from byok.adoption.figures import NO_DATA, Unit, Value
from byok.adoption.gathering import Accuracy, ErrorCount, FreeTierUse, KeyState, adoption
from byok.adoption.measured import Speed, speed
from byok.adoption.period import Period
from byok.adoption.saved_configurations import FirstConfiguration, MonthShare
from byok.adoption.sums import RollupGroup
from byok.config.backfill import backfill_ai_config
from byok.config.saving import save_ai_config
from byok.migrating.importing import State, TenantImport
from byok.models import AIConfig, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.fake_provider import MODELS
from tests.byok.keys import KEYS
from tests.byok.old_system import OLD_SECRET, tenant
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory
from tests.usage.factories import finished, started, store
from usage.models import AIUsage, DeadLetter, FreeTierMonth, InboxKind, UsageDaily, UsageInbox

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def organization_at(moment: datetime) -> Organization:
    return OrganizationFactory(created_at=moment)


def configure(organization: Organization, provider: str, moment: datetime) -> None:
    with time_machine.travel(moment, tick=False):
        if provider == "platform_default":
            save_ai_config(organization, provider=provider)
        else:
            save_ai_config(organization, provider=provider, chat_model=MODELS[provider], api_key=KEYS[provider])


def used(organization: Organization, day: date, *, requests: int, **fields: Any) -> UsageDaily:
    values: dict[str, Any] = {
        "operation": "research",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "key_owner": "customer",
        "successes": requests,
    }
    return UsageDaily.objects.create(organization=organization, day=day, requests=requests, **values | fields)


def group(**fields: Any) -> RollupGroup:
    values: dict[str, Any] = {
        "month": date(2026, 11, 1),
        "provider": "openai",
        "model": "gpt-4o-mini",
        "key_owner": "customer",
        "calls": 10,
        "succeeded": 10,
        "unpriced": 0,
        "cost": Decimal(1),
        "input": 100,
        "output": 10,
        "tokens": 110,
    }
    return RollupGroup(**values | fields)


def test_a_period_ends_today_and_is_half_open() -> None:
    period = Period.last(30, today=TODAY)
    assert (period.start, period.end, period.days) == (date(2026, 10, 26), date(2026, 11, 25), 30)


@pytest.mark.django_db
def test_nothing_is_no_data_and_no_division_by_zero() -> None:
    found = adoption(Period.last(30, today=TODAY))
    assert found.organizations.total == found.organizations.on_byok == 0
    assert found.first_configuration == FirstConfiguration(0, None, None)
    assert (found.before_after.before, found.before_after.after) == (None, None)
    assert found.diversity.median_per_organization is None
    assert [month.organizations for month in found.trend] == [0, 0]
    assert sums.own_and_platform(found.rollup).own_share is None
    assert sums.moved_off_the_platform(found.rollup) is None


@pytest.mark.django_db
def test_where_organisations_stand_and_how_it_came() -> None:
    early, late, back, never = (organization_at(days_ago(days)) for days in (80, 40, 80, 10))
    configure(early, "openrouter", days_ago(79))
    configure(late, "openai", days_ago(20))
    configure(back, "anthropic", days_ago(70))
    configure(back, "platform_default", days_ago(30))
    configure(never, "platform_default", days_ago(9))
    ProviderCredential.objects.filter(organization=late).delete()

    found = adoption(Period.last(90, today=TODAY))

    assert found.organizations.total == 4
    assert found.organizations.by_provider == {"openai": 1, "openrouter": 1}
    assert (found.organizations.on_byok, found.organizations.direct) == (2, 1)
    assert found.organizations.without_key == 1
    assert found.trend == [
        MonthShare(date(2026, 8, 1), 0, 0),
        MonthShare(date(2026, 9, 1), 2, 2),
        # `back` went back on 25 October.
        MonthShare(date(2026, 10, 1), 1, 3),
        MonthShare(date(2026, 11, 1), 2, 4),
    ]
    assert found.key_states == [
        KeyState("anthropic", "untested", 1),
        KeyState("openrouter", "untested", 1),
    ]


@pytest.mark.django_db
def test_the_backfills_rows_are_nobodys_configuration() -> None:
    quiet, later = organization_at(days_ago(40)), organization_at(days_ago(40))
    with time_machine.travel(days_ago(30), tick=False):
        assert backfill_ai_config() == 2
    configure(later, "openai", days_ago(10))

    found = adoption(Period.last(90, today=TODAY))

    assert AIConfig.objects.get(organization=quiet).version == 0
    assert (found.organizations.total, found.organizations.by_provider) == (2, {"openai": 1})
    assert found.organizations.without_key == 0
    # From its own creation on: the backfill's row between them was no choice.
    assert found.first_configuration == FirstConfiguration(1, 30.0, 30.0)
    assert [month.on_byok for month in found.trend] == [0, 0, 0, 1]


@pytest.mark.django_db
def test_time_to_first_configuration_counts_the_first_own_one_in_the_period() -> None:
    for waited in (1, 2, 10):
        organization = organization_at(days_ago(20))
        configure(organization, "platform_default", days_ago(20))
        configure(organization, "openai", days_ago(20 - waited))
        # Another one later is no first one.
        configure(organization, "openrouter", days_ago(1))
    before = organization_at(days_ago(60))
    configure(before, "openai", days_ago(59))
    with time_machine.travel(days_ago(4), tick=False):
        assert TenantImport(legacy_secret=bytes.fromhex(OLD_SECRET)).bring(1, tenant()).state is State.CREATED

    first = adoption(Period.last(30, today=TODAY)).first_configuration

    assert first.organizations == 3
    assert first.median_days == pytest.approx(2)
    assert first.p90_days == pytest.approx(2 + 8 * 0.8)


@pytest.mark.django_db
def test_requests_before_and_after_need_both_windows_whole() -> None:
    grown, quiet, young, recent = (organization_at(days_ago(days)) for days in (90, 90, 45, 90))
    configure(grown, "openai", days_ago(40))
    configure(quiet, "openai", days_ago(40))
    configure(young, "openai", days_ago(40))
    configure(recent, "openai", days_ago(10))
    day = days_ago(40).date()
    used(grown, day - timedelta(days=31), requests=1000)
    used(grown, day - timedelta(days=30), requests=6, key_owner="platform")
    used(grown, day - timedelta(days=1), requests=4, key_owner="platform")
    used(grown, day, requests=20)
    used(grown, day + timedelta(days=29), requests=10)
    used(grown, day + timedelta(days=30), requests=1000)
    used(young, day, requests=1000)
    used(recent, day, requests=1000)

    around = adoption(Period.last(30, today=TODAY)).before_after

    assert (around.organizations, around.before, around.after) == (2, 5, 15)


@pytest.mark.django_db
def test_the_rollup_of_the_period_only() -> None:
    first, second = organization_at(days_ago(80)), organization_at(days_ago(80))
    period = Period.last(30, today=TODAY)
    used(first, period.start - timedelta(days=1), requests=500, model="too-old")
    used(first, period.end, requests=500, model="too-new")
    used(first, period.start, requests=3, total_tokens=30, actual_cost=Decimal("0.5"))
    used(first, TODAY, requests=4, successes=1, unpriced_requests=2, estimated_cost=Decimal("0.2"))
    used(second, TODAY, requests=2, successes=2, estimated_cost=Decimal("0.1"))
    used(second, TODAY, requests=1, model="claude-haiku-5.5", provider="anthropic", key_owner="platform")
    used(second, TODAY, requests=9, successes=0, model="never-worked")

    found = adoption(period)

    assert [(g.month, g.provider, g.model, g.calls, g.succeeded, g.unpriced, g.cost) for g in found.rollup] == [
        (date(2026, 10, 1), "openai", "gpt-4o-mini", 3, 3, 0, Decimal("0.5")),
        (date(2026, 11, 1), "anthropic", "claude-haiku-5.5", 1, 1, 0, 0),
        (date(2026, 11, 1), "openai", "gpt-4o-mini", 6, 3, 2, Decimal("0.3")),
        (date(2026, 11, 1), "openai", "never-worked", 9, 0, 0, 0),
    ]
    assert (found.diversity.models, found.diversity.organizations) == (2, 2)
    assert found.diversity.median_per_organization == pytest.approx(1.5)


@pytest.mark.django_db
def test_errors_and_accuracy(organization: Organization) -> None:
    def failed(code: str, **fields: Any) -> Any:
        return finished(organization, at=days_ago(1), success=False, error_code=code, http_status=400, **fields)

    store(
        finished(organization, at=days_ago(1)),
        failed("invalid_key"),
        failed("invalid_key"),
        failed("rate_limited", provider="anthropic"),
        failed("no_credit", key_owner="platform"),
        finished(organization, at=days_ago(40), success=False, error_code="timeout"),
    )
    lost = AIUsage.objects.filter(success=True)
    lost.update(success=False, state="unreconciled", error_code="unreconciled")
    begun = started(organization)
    UsageInbox.objects.create(event_id=begun.id, kind=InboxKind.STARTED, payload=begun.payload())
    DeadLetter.objects.create(
        event_id=begun.id,
        kind="unstorable",
        payload=begun.payload(),
        reason="no such month",
        received_at=days_ago(1),
    )

    found = adoption(Period.last(30, today=TODAY))

    assert found.own_key_errors == [ErrorCount("openai", "invalid_key", 2), ErrorCount("anthropic", "rate_limited", 1)]
    assert found.accuracy == Accuracy(unreconciled=1, put_aside=1, waiting=1)


@pytest.mark.django_db
def test_the_free_tier_by_month(settings: Any) -> None:
    settings.FREE_TIER_REQUESTS = 50
    month = date(2026, 11, 1)
    for used_now in (0, 1, 49, 50, 51):
        FreeTierMonth.objects.create(organization=OrganizationFactory(), month=month, used=used_now)
    FreeTierMonth.objects.create(organization=OrganizationFactory(), month=date(2026, 9, 1), used=50)
    assert adoption(Period.last(30, today=TODAY)).free_tier == [FreeTierUse(month, used=4, used_up=2)]


def test_unknown_costs_are_not_zero() -> None:
    cost = sums.cost_of([group(calls=10, unpriced=4, cost=Decimal("1.2")), group(calls=5, unpriced=5, cost=Decimal(0))])
    assert (cost.per_request, cost.sum) == (Decimal("0.2"), Decimal("1.2"))
    assert cost.coverage == pytest.approx(0.4)
    unknown = sums.cost_of([group(calls=5, unpriced=5, cost=Decimal(0))])
    assert (unknown.per_request, unknown.sum, unknown.coverage) == (None, None, 0)
    assert sums.cost_of([]).coverage is None


def test_shares_of_own_keys_and_what_they_carried() -> None:
    groups = [
        group(calls=30, cost=Decimal(3)),
        group(calls=10, cost=Decimal(1), key_owner="platform", month=date(2026, 10, 1)),
    ]
    calls = sums.own_and_platform(groups)
    assert (calls.own, calls.platform, calls.own_share) == (30, 10, 0.75)
    assert sums.moved_off_the_platform(groups) == 0.75
    assert list(sums.own_and_platform_by_month(groups)) == [date(2026, 10, 1), date(2026, 11, 1)]
    ours, theirs = sums.cost_by_month_and_owner(groups)[date(2026, 10, 1)]
    assert (ours.known, theirs.calls) == (Decimal(1), 0)


def test_failures_are_of_own_keys_only() -> None:
    groups = [group(calls=8, succeeded=6), group(calls=100, succeeded=0, key_owner="platform")]
    assert sums.own_key_failures(groups)["openai"].rate == 0.25


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("anthropic/claude-sonnet-5.5", "Claude"),
        ("claude-haiku-5.5", "Claude"),
        ("gpt-4o-mini", "GPT"),
        ("openai/gpt-5.2", "GPT"),
        ("openai/o3-mini", "GPT"),
        ("o3-mini", "GPT"),
        ("google/gemini-3-pro", "Gemini"),
        ("meta-llama/llama-4-70b", "Llama"),
        ("mistralai/mixtral-8x22b", "Mistral"),
        ("text-embedding-3-small", "Embeddings"),
        ("openai/text-embedding-3-small", "Embeddings"),
        ("deepseek/deepseek-v4", "DeepSeek"),
        ("acme/solo1-large", "Other"),
        ("", "Other"),
    ],
)
def test_families_by_name(model: str, family: str) -> None:
    assert sums.family_of(model) == family


def test_families_are_shared_out_with_other_last() -> None:
    groups = [group(model="x", calls=6), group(model="claude-a", calls=1), group(model="gpt-b", calls=3)]
    assert sums.families(groups) == [("GPT", 3, 0.3), ("Claude", 1, 0.1), ("Other", 6, 0.6)]


def test_percentiles_are_by_nearest_rank() -> None:
    assert speed([float(n) for n in range(1, 101)]) == Speed(100, 50, 95)
    assert speed([7.0]) == Speed(1, 7, 7)
    assert speed([]) == Speed(0, None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value(None, Unit.SHARE), NO_DATA),
        (Value(0), "0"),
        (Value(0.256, Unit.SHARE), "25.6%"),
        (Value(0.0, Unit.DAYS), "under a minute"),
        (Value(1 / 1440, Unit.DAYS), "1 minute"),
        (Value(0.05, Unit.DAYS), "72 minutes"),
        (Value(0.5, Unit.DAYS), "12.0 hours"),
        (Value(3.0, Unit.DAYS), "3.0 days"),
        (Value(Decimal("0.0000127"), Unit.USD_EACH), "$0.000013"),
        (Value(12345), "12,345"),
    ],
)
def test_values_in_words(value: Value, text: str) -> None:
    assert value.text == text


@pytest.fixture
def support(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(email="support@leadagent.test", is_staff=True))
    return client


def test_the_page_is_for_staff(db: None) -> None:
    for name in ("adoption:page", "adoption:csv"):
        where, client = reverse(name), Client()
        assert client.get(where).headers["Location"].startswith(reverse("admin:login"))
        client.force_login(MembershipFactory(role="admin").user)
        assert client.get(where, follow=True).status_code == 403
    assert not AuditEvent.objects.filter(action="support.viewed").exists()


def test_the_page_stands_empty_and_with_data(support: Client) -> None:
    where = reverse("adoption:page")
    assert where == "/admin/adoption/"
    empty = support.get(where).content.decode()
    assert "no data yet" in empty
    organization = OrganizationFactory()
    save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini", api_key=KEYS["openai"])
    store(finished(organization, at=datetime.now(UTC)))
    full = support.get(where, {"days": "365"})
    page = full.content.decode()
    assert full.context_data["period"].days == 365  # type: ignore[index]
    assert "style=" not in page
    assert "100.0%" in page
    assert KEYS["openai"] not in page
    # A period that is not offered is the usual one.
    assert support.get(where, {"days": "9999999"}).context_data["period"].days == 90  # type: ignore[index]
    assert support.post(where).status_code == 405


def test_the_look_is_on_record_without_an_organisation(support: Client) -> None:
    support.get(reverse("adoption:page"), {"days": "30"})
    support.get(reverse("adoption:csv"), {"days": "30"})
    events = AuditEvent.objects.filter(action="support.viewed").order_by("pk")
    assert [(event.organization, event.target) for event in events] == [
        (None, "adoption, 30 days"),
        (None, "adoption as CSV, 30 days"),
    ]


def test_the_csv_holds_the_same_figures_and_no_formula(support: Client) -> None:
    organization = OrganizationFactory()
    used(organization, datetime.now(UTC).date(), requests=4, model="gpt-5.2", provider="=cmd")
    response = support.get(reverse("adoption:csv"), {"days": "30"})
    assert response.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert rows[0] == ["section", "figure", "row", "column", "value", "unit", "how"]
    by_name = {tuple(row[:4]): row[4:6] for row in rows[1:]}
    assert by_name["Requests and tokens", "Requests on own keys", "", ""] == ["1.0", "share"]
    assert by_name["Costs", "Cost per request by provider", "'=cmd", "Calls"] == ["4", "count"]
    assert by_name["Organisations", "Time to first configuration, median", "", ""] == ["", "days"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_the_number_of_queries_does_not_grow(db: None) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            adoption(Period.last(90, today=TODAY))
        return len(captured)

    before = queries()
    for number in range(4):
        organization = organization_at(days_ago(60))
        configure(organization, "openai", days_ago(50))
        used(organization, TODAY, requests=2, model=f"model-{number}")
    assert queries() == before <= 16
