"""Switching own keys on by degrees, and off again: what is stored stays as it is, to the byte."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from byok.config.ai_config import byok_allowed
from byok.config.saving import save_ai_config
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization, Role
from tests.byok.fake_provider import CHAT, MODELS, FakeProvider, chat
from tests.byok.keys import KEYS, PLATFORM_KEY
from tests.factories import MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db

NOTICE = "Own AI keys are switched off for now."


def set_up(organization: Organization, provider: str = "openai") -> None:
    save_ai_config(organization, provider=provider, chat_model=MODELS[provider], api_key=KEYS[provider])


@pytest.fixture
def first(organization: Organization) -> Organization:
    set_up(organization)
    return organization


@pytest.fixture
def second(db: None) -> Organization:
    other = OrganizationFactory(slug="other", external_id="org_2other")
    set_up(other, "openrouter")
    return other


def stored() -> list[tuple[Any, ...]]:
    """All that is stored about configurations and keys, as the database writes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c::text FROM byok_aiconfig c UNION ALL SELECT k::text FROM byok_providercredential k ORDER BY 1"
        )
        return list(cursor.fetchall())


def key_of_a_call(organization: Organization, fake: FakeProvider, kind: Any = "chat") -> str:
    operation = "embedding" if kind == "embedding" else "research"
    model = get_model_for_tenant(organization, kind, operation=operation)
    if kind == "chat":
        fake.answers(200, CHAT[model.provider])
        chat(model)
    else:
        fake.answers(200, {"object": "list", "model": "m", "data": [{"index": 0, "embedding": [1.0]}]})
        client: Any = model.client()
        client.embeddings.create(model=model.model_id, input="Hello", encoding_format="float")
    return fake.sent[-1].headers["authorization"].removeprefix("Bearer ")


def test_the_roll_out_from_nobody_to_one_to_all(
    first: Organization, second: Organization, fake: FakeProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {first: KEYS["openai"], second: KEYS["openrouter"]}
    as_it_was = stored()

    def assert_keys(*switched_on: Organization) -> None:
        for organization, key in own.items():
            expected = key if organization in switched_on else PLATFORM_KEY
            assert byok_allowed(organization) == (organization in switched_on)
            assert [key_of_a_call(organization, fake, kind) for kind in ("chat", "embedding")] == [expected] * 2

    settings.BYOK_ENABLED = False
    with monkeypatch.context() as closed:

        def fail(*_: object, **__: object) -> str:
            raise AssertionError("a stored key was opened")

        for place in ("byok.keys.sources", "byok.keys.stored", "byok.encryption"):
            closed.setattr(f"{place}.decrypt_api_key", fail)
        assert_keys()
    assert stored() == as_it_was

    settings.BYOK_ENABLED, settings.BYOK_ALLOWED_ORGS = True, frozenset({"acme"})
    assert_keys(first)
    settings.BYOK_ALLOWED_ORGS = frozenset({"org_2other"})
    assert_keys(second)
    settings.BYOK_ALLOWED_ORGS = frozenset()
    assert_keys(first, second)


def test_off_and_on_again_changes_nothing_that_is_stored(
    first: Organization, second: Organization, fake: FakeProvider, settings: Settings
) -> None:
    as_it_was = stored()
    settings.BYOK_ENABLED = False
    member = MembershipFactory(organization=first, role=Role.ADMIN)
    client = Client()
    client.force_login(member.user)
    for page in ("settings/ai/", "leads/", "usage/", "knowledge/"):
        assert client.get(f"/o/acme/{page}").status_code == 200
    client.post("/o/acme/settings/ai/", {"provider": "platform_default", "version": "1"})
    key_of_a_call(first, fake)
    settings.BYOK_ENABLED = True
    assert stored() == as_it_was
    assert key_of_a_call(first, fake) == KEYS["openai"]


@pytest.mark.parametrize("page", ["settings/ai/", "leads/", "knowledge/", "usage/"])
@pytest.mark.parametrize("how", ["switched off", "not on the list"])
def test_pages_say_so(first: Organization, settings: Settings, page: str, how: str) -> None:
    client = Client()
    client.force_login(MembershipFactory(organization=first, role=Role.ADMIN).user)
    assert NOTICE not in client.get(f"/o/acme/{page}").content.decode()
    if how == "switched off":
        settings.BYOK_ENABLED = False
    else:
        settings.BYOK_ALLOWED_ORGS = frozenset({"somebody-else"})
    shown = client.get(f"/o/acme/{page}").content.decode()
    assert NOTICE in shown
    assert "stay stored as they are" in shown


def test_nothing_is_said_where_nothing_was_set_up(organization: Organization, settings: Settings) -> None:
    settings.BYOK_ENABLED = False
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    assert NOTICE not in client.get("/o/acme/leads/").content.decode()


def test_what_was_made_searchable_with_the_own_key_stays_comparable(first: Organization, settings: Settings) -> None:
    """The same model at two providers is one model: see `byok.calls.platform_fallback.bare_model_name`."""
    from byok.config.values import bare_model_name

    set_up(first, "openrouter")
    own = get_model_for_tenant(first, "embedding", operation="embedding")
    settings.BYOK_ENABLED = False
    platform = get_model_for_tenant(first, "embedding", operation="embedding")
    assert own.model_id != platform.model_id
    assert bare_model_name(own.model_id) == bare_model_name(platform.model_id)
