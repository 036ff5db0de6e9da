"""Calls and tokens per minute: the operator's limit, an organisation's lower one, and no refusal without a cache."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
import time_machine
from django.core.cache import cache
from pytest_django import Settings

from leadagent.cache import count_up
from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import OrganizationFactory
from usage.spending import tallies
from usage.spending.rate_limit import Rate, RateExceeded, count_request, count_tokens, rate_of, save_own_rate

pytestmark = pytest.mark.django_db

REDIS = "leadagent.cache.ToleratedRedisCache"
NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)
MINUTE = int(NOON.timestamp()) // 60


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # What calls of other tests counted is of later minutes: beside them noon would be long over.
    monkeypatch.setattr(tallies, "_tallies", {})
    with time_machine.travel(NOON, tick=False):
        yield


def test_without_a_limit_nothing_is_counted(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AI_RATE_LIMIT_REQUESTS = settings.AI_RATE_LIMIT_TOKENS = 0
    monkeypatch.setattr("usage.spending.tallies.count_up", None)
    count_request(organization.pk)
    count_tokens(organization.pk, 1_000)


@pytest.mark.parametrize("backend", ["django.core.cache.backends.locmem.LocMemCache", REDIS])
def test_the_call_after_the_limit_waits_for_the_next_minute(
    organization: Organization, settings: Settings, backend: str
) -> None:
    location = settings.REDIS_URL if backend == REDIS else "rates"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": location}}
    cache.clear()
    settings.AI_RATE_LIMIT_REQUESTS = 2
    count_request(organization.pk)
    count_request(organization.pk)
    with pytest.raises(RateExceeded, match="2 AI requests per minute") as exceeded:
        count_request(organization.pk)
    assert exceeded.value.retry_after == 40
    count_request(OrganizationFactory().pk)
    with time_machine.travel(NOON + timedelta(seconds=40), tick=False):
        count_request(organization.pk)


def test_tokens_of_ended_calls_count(organization: Organization, settings: Settings) -> None:
    settings.AI_RATE_LIMIT_TOKENS = 1_000
    count_tokens(organization.pk, 999)
    count_request(organization.pk)
    count_tokens(organization.pk, 1)
    with pytest.raises(RateExceeded, match="1,000 AI tokens"):
        count_request(organization.pk)


def test_far_from_the_limit_the_cache_is_told_afterwards(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, int]] = []

    def counting(amounts: dict[str, int], *, timeout: int) -> dict[str, int] | None:
        asked.append(amounts)
        return count_up(amounts, timeout=timeout)

    monkeypatch.setattr("usage.spending.tallies.count_up", counting)
    # A thread of an earlier test may still be about to pass on.
    pass_on = tallies.pass_on
    monkeypatch.setattr(tallies, "_pass_on_soon", lambda: None)
    monkeypatch.setattr(tallies, "pass_on", lambda: None)
    settings.AI_RATE_LIMIT_REQUESTS = 1_000
    for _ in range(500):
        count_request(organization.pk)
    assert len(asked) == 1
    pass_on()
    assert asked[1][f"ai-rate:requests:{organization.pk}:{MINUTE}"] == 499
    pass_on()
    assert len(asked) == 2
    # What other processes used meanwhile is learnt with the next exchange.
    count_up({f"ai-rate:requests:{organization.pk}:{MINUTE}": 500}, timeout=120)
    for _ in range(299):
        count_request(organization.pk)
    with pytest.raises(RateExceeded):
        count_request(organization.pk)


def test_a_thread_passes_on_what_was_counted(organization: Organization, settings: Settings) -> None:
    settings.AI_RATE_LIMIT_TOKENS = 10_000
    count_tokens(organization.pk, 700)
    deadline = time.monotonic() + 10
    while not cache.get(f"ai-rate:tokens:{organization.pk}:{MINUTE}") and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert cache.get(f"ai-rate:tokens:{organization.pk}:{MINUTE}") == 700


def test_an_organisation_lowers_and_never_raises(organization: Organization, settings: Settings) -> None:
    settings.AI_RATE_LIMIT_REQUESTS = 100
    assert save_own_rate(organization, requests=5, tokens=50)
    assert rate_of(organization.pk) == Rate(requests=5, tokens=50)
    for wrong in (101, 0, -1):
        with pytest.raises(ValueError, match="not between"):
            save_own_rate(organization, requests=wrong, tokens=None)
    settings.AI_RATE_LIMIT_REQUESTS = 3
    assert rate_of(organization.pk).requests == 3
    assert save_own_rate(organization, requests=None, tokens=None)
    assert rate_of(organization.pk) == Rate(requests=3, tokens=0)
    assert not save_own_rate(organization, requests=None, tokens=None)
    assert AuditEvent.objects.filter(organization=organization, action="budget.rate_saved").count() == 2


def test_without_a_cache_nobody_is_refused(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AI_RATE_LIMIT_REQUESTS = settings.AI_RATE_LIMIT_TOKENS = 1

    monkeypatch.setattr("usage.spending.tallies.count_up", lambda *_, **__: None)
    for _ in range(3):
        count_request(organization.pk)
        count_tokens(organization.pk, 5)


def test_one_exchange_counts_it_all_and_forgets_it_in_time(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": settings.REDIS_URL}}
    cache.clear()
    assert count_up({"one": 2, "two": 0}, timeout=120) == {"one": 2, "two": 0}
    assert count_up({"one": 3}, timeout=120) == {"one": 5}
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        assert 0 < server.ttl(cache.make_key("one")) <= 120


def test_a_redis_that_is_away_counts_nothing(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "unix:///nowhere/redis.sock"}}
    assert count_up({"one": 2}, timeout=120) is None
