"""Calls and tokens per minute: the operator's limit, an organisation's lower one, and no refusal without a cache."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import OrganizationFactory
from usage.rate_limit import Rate, RateExceeded, count_request, count_tokens, rate_of, save_own_rate

pytestmark = pytest.mark.usefixtures("one_connection")

NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)


class CacheThatIsAway:
    """As `leadagent.cache` answers without Redis."""

    def get(self, key: str) -> None:
        return None

    def add(self, key: str, value: int, timeout: int) -> bool:
        return True

    def incr(self, key: str, delta: int) -> int:
        raise ValueError(f"Key {key!r} not found.")


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def test_without_a_limit_nothing_is_counted(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage.rate_limit.cache", None)
    count_request(organization.pk)
    count_tokens(organization.pk, 1_000)


def test_the_call_after_the_limit_waits_for_the_next_minute(organization: Organization, settings: Settings) -> None:
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

    monkeypatch.setattr("usage.rate_limit.cache", CacheThatIsAway())
    for _ in range(3):
        count_request(organization.pk)
        count_tokens(organization.pk, 5)
