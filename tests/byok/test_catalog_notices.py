"""Who is told of a new price or a last day: admins of organisations that use the model, in one mail, once."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from byok.catalog.digests import lines_of
from byok.catalog.effect import TokenSums
from byok.catalog.notices import tell_of_changes
from byok.catalog.popularity import count_popularity
from byok.config.saving import save_ai_config
from byok.models import CatalogChange, CatalogDigest, CatalogModel, CatalogSync, ChangeKind, DatedPrice
from leadagent.tenants.models import Organization, Role
from tests.byok.keys import KEYS
from tests.factories import MembershipFactory, OrganizationFactory
from usage.models import AlertChannel, AlertSecret, AlertSent, UsageDaily

pytestmark = pytest.mark.django_db

MODEL = "gpt-4o-mini"
OLD, NEW = {"input_price": "0.15", "output_price": "0.6"}, {"input_price": "0.3", "output_price": "0.6"}


def organization_with(model: str = MODEL, *, slug: str) -> Organization:
    organization = OrganizationFactory(slug=slug, name=slug.title())
    MembershipFactory(organization=organization, role=Role.ADMIN, user__email=f"admin@{slug}.test")
    MembershipFactory(organization=organization, role=Role.MEMBER, user__email=f"member@{slug}.test")
    save_ai_config(organization, provider="openai", chat_model=model, api_key=KEYS["openai"])
    return organization


def used(organization: Organization, model: str = MODEL, *, days_ago: int = 3, **sums: Any) -> None:
    UsageDaily.objects.create(
        organization=organization,
        day=timezone.now().date() - timedelta(days=days_ago),
        operation="research",
        provider="openai",
        model=model,
        key_owner=sums.pop("key_owner", "customer"),
        **{"requests": 10, "successes": 10, **sums},
    )


def change(kind: ChangeKind = ChangeKind.REPRICED, model: str = MODEL, **fields: Any) -> CatalogChange:
    sync = CatalogSync.objects.create(source="openrouter")
    values = {"before": OLD, "after": NEW} if kind == ChangeKind.REPRICED else {}
    return CatalogChange.objects.create(sync=sync, kind=kind, route="openai", model_id=model, **values | fields)


def test_one_digest_with_the_effect_on_ones_own_tokens() -> None:
    acme = organization_with(slug="acme")
    organization_with("gpt-6.1-sol", slug="other")
    # 9 x 0.15 + 0.6, and 9 x 0.3 + 0.6. Thirty days are today and the 29 before it.
    used(acme, input_tokens=9_000_000, output_tokens=1_000_000)
    used(acme, days_ago=30, input_tokens=999_000_000)
    used(acme, days_ago=40, input_tokens=999_000_000)
    change()
    change(ChangeKind.RETIRED)
    assert tell_of_changes() == 1
    (message,) = mail.outbox
    assert message.to == ["admin@acme.test"]
    assert "your last 30 days: $1.95 at the old price, $3.30 at the new one (+69 %)" in message.body
    assert "answers no more from 14 January 2027" in message.body
    assert "gpt-6-luna" in message.body
    assert isinstance(message, mail.EmailMultiAlternatives)
    assert "$3.30" in str(message.alternatives[0][0])
    assert tell_of_changes() == 0
    assert not CatalogChange.objects.filter(told_at=None).exists()


def test_who_only_used_it_is_told_too_and_who_used_the_platforms_is_not() -> None:
    used(organization_with("gpt-6.1-sol", slug="user"))
    used(organization_with("gpt-6.1-sol", slug="guest"), key_owner="platform")
    change(ChangeKind.REMOVED)
    tell_of_changes()
    assert [message.to for message in mail.outbox] == [["admin@user.test"]]
    assert "leaves it out now" in mail.outbox[0].body


def test_an_operations_own_model_and_the_embedding_model_count() -> None:
    acme = organization_with("gpt-6.1-sol", slug="acme")
    save_ai_config(
        acme,
        provider="openai",
        chat_model="gpt-6.1-sol",
        operation_models={"qualification": MODEL},
        embedding_provider="openai",
        embedding_model="text-embedding-3-small",
    )
    change()
    change(model="text-embedding-3-small")
    tell_of_changes()
    (message,) = mail.outbox
    assert "gpt-4o-mini at OpenAI: not used in the last 30 days" in message.body
    assert "text-embedding-3-small at OpenAI" in message.body


def test_new_models_are_no_news() -> None:
    organization_with(slug="acme")
    change(ChangeKind.ADDED)
    change(ChangeKind.RESTORED)
    assert tell_of_changes() == 0
    assert not CatalogDigest.objects.exists()


def test_a_negotiated_price_does_not_follow_the_list() -> None:
    acme = organization_with(slug="acme")
    DatedPrice.objects.create(
        organization=acme, route="openai", model_id=MODEL, input_price=1, effective_from=timezone.now(), source="n"
    )
    change()
    assert tell_of_changes() == 0
    change(ChangeKind.RETIRED)
    assert tell_of_changes() == 1


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    used(organization_with(slug="acme"), input_tokens=1_000)
    change(before={"input_price": None, "output_price": None})
    tell_of_changes()
    assert "your last 30 days: unknown at the old price, $0.00030 at the new one." in mail.outbox[0].body


def test_byok_switched_off_says_nothing(settings: Any) -> None:
    organization_with(slug="acme")
    settings.BYOK_ENABLED = False
    change()
    assert tell_of_changes() == 0


def test_somebody_elses_fine_tuned_model_is_nobodys_business() -> None:
    acme = organization_with(slug="acme")
    other = organization_with(slug="other")
    change(ChangeKind.REMOVED, organization=other)
    tell_of_changes()
    assert [message.to for message in mail.outbox] == [["admin@other.test"]]
    assert not CatalogDigest.objects.filter(organization=acme).exists()


class RefusesFirst:
    """A mail server that takes one mail, then none."""

    taken: list[Any] = []

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def send_messages(self, messages: list[Any]) -> int:
        if self.taken:
            raise OSError("no route")
        self.taken.extend(messages)
        return len(messages)


def test_a_run_that_is_cut_off_goes_on_with_the_rest(settings: Any) -> None:
    acme = organization_with(slug="acme")
    MembershipFactory(organization=acme, role=Role.ADMIN, user__email="second@acme.test")
    change()
    RefusesFirst.taken = []
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "tests.byok.test_catalog_notices.RefusesFirst"
    assert tell_of_changes() == 1
    digest = CatalogDigest.objects.get()
    assert (digest.sent_at, len(digest.told)) == (None, 1)
    settings.EMAIL_BACKEND = backend
    assert tell_of_changes() == 1
    everybody = [address for message in [*RefusesFirst.taken, *mail.outbox] for address in message.to]
    assert sorted(everybody) == ["admin@acme.test", "second@acme.test"]
    assert CatalogDigest.objects.get().sent_at is not None


def test_tokens_without_a_price_of_their_own_make_the_cost_unknown() -> None:
    acme = organization_with(slug="acme")
    used(acme, input_tokens=8_000_000, cached_input_tokens=1_000_000)
    change()
    tell_of_changes()
    assert "your last 30 days: unknown at the old price, unknown at the new one." in mail.outbox[0].body


def test_lines_name_the_last_day_and_the_successor() -> None:
    acme = organization_with(slug="acme")
    digest = CatalogDigest.objects.create(organization=acme)
    digest.changes.add(change(ChangeKind.RETIRED))
    (line,) = lines_of(digest)
    assert (line.provider, line.model_id, line.retired_on, line.successor) == (
        "OpenAI",
        "gpt-4o-mini",
        date(2027, 1, 14),
        "gpt-6-luna",
    )


def test_cost_of_tokens_is_exact_or_unknown() -> None:
    tokens = TokenSums(input=1, cache_read=2, cache_write=3, output=4)
    prices = {
        "input_price": Decimal("1"),
        "cache_read_price": Decimal("0.1"),
        "cache_write_price": Decimal("1.25"),
        "output_price": Decimal("5"),
    }
    # 1 x 1 + 2 x 0.1 + 3 x 1.25 + 4 x 5 = 24.95 millionths.
    assert tokens.cost_at(prices) == Decimal("0.00002495")
    assert tokens.cost_at({**prices, "cache_read_price": None}) is None
    assert tokens.cost_at({**prices, "output_price": None}) is None
    assert TokenSums(input=1).cost_at({"input_price": Decimal(0)}) == 0
    assert TokenSums().cost_at({}) == 0


def test_popularity_tells_nothing_of_few() -> None:
    organizations = [OrganizationFactory() for _ in range(3)]
    for organization in organizations[:2]:
        used(organization, "gpt-5", requests=100)
    for organization in organizations:
        used(organization, MODEL, requests=7)
        used(organization, MODEL, days_ago=31, requests=1000)
    count_popularity()
    rows = dict(CatalogModel.objects.filter(route="openai").values_list("model_id", "popularity"))
    assert (rows[MODEL], rows["gpt-5"]) == (21, 0)
    assert count_popularity() == 0
    UsageDaily.objects.all().delete()
    assert count_popularity() == 1
    assert not CatalogModel.objects.exclude(popularity=0).exists()


def test_slack_and_the_webhook_are_told_too_where_there_are_any() -> None:
    acme = organization_with(slug="acme")
    organization_with(slug="mails-only")
    AlertSecret.objects.create(organization=acme, channel=AlertChannel.SLACK, sealed="sealed", last4="abcd")
    used(acme, input_tokens=9_000_000, output_tokens=1_000_000)
    change()
    change(ChangeKind.RETIRED)
    assert tell_of_changes() == 2
    alert = AlertSent.objects.get()
    assert (alert.organization, alert.kind) == (acme, "catalog_change")
    assert alert.text == (
        "gpt-4o-mini (OpenAI), your chat model, has a new price: your last 30 days cost $1.95 before, $3.30 now. "
        "gpt-4o-mini (OpenAI), your chat model, ends on 14 January 2027; gpt-6-luna takes its place."
    )
    assert [delivery.channel for delivery in alert.deliveries.all()] == [AlertChannel.SLACK]


# --- Models that take over --------------------------------------------------------------


def with_further(slug: str = "acme") -> Organization:
    organization = organization_with("gpt-6.1-sol", slug=slug)
    save_ai_config(
        organization,
        provider="openai",
        chat_model="gpt-6.1-sol",
        further_models={"research": ["gpt-6-luna", MODEL], "email_generation": [MODEL]},
    )
    return organization


def test_who_lets_it_take_over_is_told_and_where_it_stands() -> None:
    with_further()
    organization_with("gpt-6.1-sol", slug="other")
    change(ChangeKind.RETIRED)

    tell_of_changes()

    (message,) = mail.outbox
    assert message.to == ["admin@acme.test"]
    assert "It is your third model for research and second model for email drafts: " in message.body
    assert "/o/acme/settings/ai/#id_further_research_2" in message.body
    html = str(message.alternatives[0][0])  # type: ignore[attr-defined]
    assert '/o/acme/settings/ai/#id_further_email_generation_1">second model for email drafts</a>' in html
    line = lines_of(CatalogDigest.objects.get())[0]
    assert "your third model for research and second model for email drafts, ends" in line.sentence


def test_the_settings_page_warns_of_it_and_leads_there(client: Client) -> None:
    organization = with_further()
    client.force_login(organization.memberships.get(role=Role.ADMIN).user)

    page = client.get("/o/acme/settings/ai/").content.decode()

    assert "It is your third model for research and second model for email drafts. Choose gpt-6-luna" in page
    assert 'href="#id_further_research_2"' in page
    assert 'id="id_further_research_2"' in page


def test_a_chosen_model_is_named_by_its_own_place(client: Client) -> None:
    organization = organization_with(slug="acme")
    save_ai_config(organization, provider="openai", chat_model=MODEL, operation_models={"qualification": MODEL})
    client.force_login(organization.memberships.get(role=Role.ADMIN).user)

    page = client.get("/o/acme/settings/ai/").content.decode()

    assert "It is your chat model" in page
    assert 'href="#id_chat_model"' in page
