"""The free tier: exact at any concurrency, by UTC month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
import time_machine
from pytest_django import Settings

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.one_connection import put_postgresql_away
from usage.models import FreeTierMonth
from usage.spending import quota


@pytest.mark.django_db
class TestOnOneConnection:
    def test_the_limit_is_the_limit(self, organization: Organization, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 3
        granted = [quota.reserve_free_request(organization.pk) for _ in range(5)]
        assert [reservation is not None for reservation in granted] == [True, True, True, False, False]
        tier = quota.free_tier_of(organization.pk)
        assert (tier.used, tier.left, tier.in_words) == (3, 0, "3 of 3")

    def test_a_limit_of_zero_grants_nothing(self, organization: Organization, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 0
        assert quota.reserve_free_request(organization.pk) is None

    def test_what_is_given_back_can_be_taken_again(self, organization: Organization, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 1
        reservation = quota.reserve_free_request(organization.pk)
        assert reservation is not None
        quota.release_free_request(reservation)
        quota.release_free_request(reservation)
        assert FreeTierMonth.objects.get().used == 0
        assert quota.reserve_free_request(organization.pk) is not None
        assert quota.reserve_free_request(organization.pk) is None

    def test_each_organisation_has_its_own(self, organization: Organization, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 1
        assert quota.reserve_free_request(organization.pk)
        assert quota.reserve_free_request(OrganizationFactory().pk)

    def test_months_are_utc(self, organization: Organization, settings: Settings) -> None:
        settings.FREE_TIER_REQUESTS = 1
        with time_machine.travel(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), tick=False):
            assert quota.reserve_free_request(organization.pk)
            assert quota.reserve_free_request(organization.pk) is None
        with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
            assert quota.free_tier_of(organization.pk).used == 0
            late = quota.reserve_free_request(organization.pk)
            assert late == quota.Reservation(organization.pk, date(2026, 12, 1))
        assert list(FreeTierMonth.objects.order_by("month").values_list("month", "used")) == [
            (date(2026, 11, 1), 1),
            (date(2026, 12, 1), 1),
        ]

    def test_what_cannot_be_counted_is_not_granted(
        self, organization: Organization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reservation = quota.reserve_free_request(organization.pk)
        assert reservation is not None
        put_postgresql_away(monkeypatch)
        with pytest.raises(quota.QuotaUnavailable):
            quota.reserve_free_request(organization.pk)
        quota.release_free_request(reservation)
        assert quota.free_tier_of(organization.pk).used == 1

    def test_the_meter_warns_from_nine_tenths(self) -> None:
        assert quota.FreeTier(used=0, limit=50).warn_from == 45


@pytest.mark.django_db(transaction=True)
def test_two_hundred_at_once_are_granted_exactly_the_limit(settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 50
    organization = OrganizationFactory()
    with ThreadPoolExecutor(200) as threads:
        granted = list(threads.map(quota.reserve_free_request, [organization.pk] * 200))
    assert sum(reservation is not None for reservation in granted) == 50
    assert quota.free_tier_of(organization.pk).used == 50
