"""What pages say about the free tier and the own key: the notice from nine tenths on, the strip, the badge."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from byok.config.ai_status import ai_status_of
from byok.config.backfill import backfill_ai_config
from byok.config.saving import save_ai_config
from byok.models import ProviderCredential
from leadagent.tenants.models import Organization, Role
from tests.byok.keys import KEYS
from tests.byok.pages import text, url
from tests.clients import client_of
from usage import utc_days
from usage.models import FreeTierMonth
from usage.utc_days import first_of_month

CTA = "Add your own key for unlimited requests"


def used(organization: Organization, count: int) -> None:
    FreeTierMonth.objects.update_or_create(organization=organization, month=first_of_month(), defaults={"used": count})


def leads_page(organization: Organization, role: Role = Role.ADMIN) -> str:
    return text(client_of(organization, role).get(reverse("leads:list", args=[organization.slug])))


@pytest.fixture(autouse=True)
def november(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls(2026, 11, 24, 12, tzinfo=UTC)

    monkeypatch.setattr(utc_days, "datetime", Clock)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, ""),
        (44, ""),
        (45, "You&#x27;ve used 45 of 50 free AI requests this month."),
        (49, "You&#x27;ve used 49 of 50 free AI requests this month."),
        (50, "All 50 free AI requests of this month are used up. They start again on 1 December (UTC)."),
    ],
)
def test_from_nine_tenths_on_it_is_told(organization: Organization, count: int, words: str) -> None:
    used(organization, count)
    page = leads_page(organization)
    assert ('aria-label="Free AI requests"' in page) is bool(words)
    assert words in page
    assert (CTA in page) is bool(words)
    assert f"{count} of 50" in page, "the strip shows the meter"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_whoever_may_not_add_a_key_is_told_whom_to_ask(organization: Organization, role: Role) -> None:
    used(organization, 45)
    page = leads_page(organization, role)
    assert "Ask an admin to add your organisation&#x27;s own key" in page
    assert CTA not in page
    assert url("settings", organization) not in page
    assert url("onboarding_ai", organization) not in page


def test_the_way_on_leads_to_the_settings_with_openrouter_picked(organization: Organization) -> None:
    used(organization, 45)
    target = f"{url('settings', organization)}?provider=openrouter"
    assert f'href="{target}#update"' in leads_page(organization)
    page = text(client_of(organization).get(target))
    assert "openrouter.ai/keys" in page
    assert url("connect_start", organization) in page


def test_an_own_key_ends_the_notice_and_shows_the_badge(organization: Organization) -> None:
    used(organization, 50)
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    client = client_of(organization)
    for name in ("leads:list", "usage:dashboard", "byok:settings"):
        page = text(client.get(reverse(name, args=[organization.slug])))
        assert "Unlimited" in page, name
        assert 'aria-label="Free AI requests"' not in page, name


@pytest.mark.parametrize(
    ("status", "word"),
    [("rejected", "Key refused"), ("unreadable", "Enter the key again"), ("no_credit", "No credit"), ("", "No key")],
)
def test_a_key_that_lets_no_call_through_is_not_called_unlimited(
    organization: Organization, status: str, word: str
) -> None:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    ProviderCredential.objects.update(status=status) if status else ProviderCredential.objects.all().delete()
    client = client_of(organization)
    for name in ("leads:list", "usage:dashboard", "byok:settings", "byok:onboarding_done"):
        page = text(client.get(reverse(name, args=[organization.slug])))
        assert "Unlimited" not in page, name
        assert status != "rejected" or word in page, name
    assert ai_status_of(organization).trouble == word


def test_where_own_keys_are_switched_off_nothing_is_promised(organization: Organization, settings: Settings) -> None:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    settings.BYOK_ENABLED = False
    used(organization, 45)
    page = leads_page(organization)
    assert "45 of 50" in page
    assert CTA not in page
    assert "Unlimited" not in page


def test_the_wizard_does_not_repeat_it(organization: Organization) -> None:
    used(organization, 50)
    page = text(client_of(organization).get(url("onboarding_ai", organization)))
    assert 'aria-label="Free AI requests"' not in page


def test_a_platform_without_a_free_tier_has_no_notice(organization: Organization, settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 0
    assert not ai_status_of(organization).is_short


def test_it_costs_one_query(organization: Organization, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    used(organization, 7)
    with django_assert_num_queries(1):
        status = ai_status_of(organization)
    assert (status.provider, status.free_tier.used) == ("platform_default", 7)


def test_the_backfills_row_is_no_choice(organization: Organization) -> None:
    used(organization, 45)
    before = ai_status_of(organization)
    assert backfill_ai_config() == 1
    assert ai_status_of(organization) == before
    assert (before.on_platform, before.is_short, before.provider_label) == (True, True, "Platform AI")
    assert CTA in leads_page(organization)


def test_fragments_do_not_ask(organization: Organization, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client: Client = client_of(organization)
    where = reverse("leads:list", args=[organization.slug])
    # Session, user, membership, leads.
    with django_assert_num_queries(4):
        client.get(where, headers={"HX-Request": "true"})


def test_another_organisations_requests_do_not_count(organization: Organization) -> None:
    from tests.factories import OrganizationFactory

    used(OrganizationFactory(), 50)
    assert ai_status_of(organization).free_tier.used == 0
