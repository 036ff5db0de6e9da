"""The onboarding wizard: each step by itself, resumed, refused, without an own key, and switched off."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from byok.checking import limit as key_test_limit
from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.provider_setup import setup_for
from byok.config.saving import save_ai_config
from byok.models import AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants.models import AuditEvent, Organization, Role
from leadagent.tenants.onboarding import wizard_steps
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, sign_in_grows_old, text, url
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory

STEPS = ("onboarding_ai", "onboarding_models", "onboarding_done")
RECOMMENDED = {
    entry.id: (entry.chat_models[0][0], entry.embedding_models[0] if entry.offers_embeddings else "")
    for entry in REGISTRY.values()
}


@pytest.fixture
def client(organization: Organization, asked: Asked) -> Client:
    return client_of(organization)


def with_key(organization: Organization, provider: str = "openrouter", **more: Any) -> None:
    chat = {"openrouter": "anthropic/claude-sonnet-5.5", "openai": "gpt-4o", "anthropic": "claude-sonnet-5-5"}
    save_ai_config(organization, provider=provider, api_key=KEYS[provider], **{"chat_model": chat[provider]} | more)


def models(**changed: Any) -> dict[str, Any]:
    return {
        "chat_choice": "anthropic/claude-haiku-5.5",
        "chat_model": "",
        "embedding": "openrouter:openai/text-embedding-3-small",
        "version": 1,
    } | changed


# --- Who, and in which order --------------------------------------------------------


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_whoever_is_no_admin_is_told_so(organization: Organization, name: str, role: Role) -> None:
    answer = client_of(organization, role).get(url(name, organization))
    assert answer.status_code == 403
    assert "This needs the role admin in Acme." in text(answer)


def test_outsiders_find_nothing(organization: Organization) -> None:
    stranger = client_of(OrganizationFactory())
    assert {stranger.get(url(name, organization)).status_code for name in STEPS} == {404}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_can_be_left(client: Client, organization: Organization, name: str) -> None:
    with_key(organization)
    page = text(client.get(url(name, organization)))
    assert "/o/acme/leads/" in page
    if name != "onboarding_done":
        assert "Set this up later" in page


def test_progress_names_what_is_done() -> None:
    assert [(step["label"], step["state"]) for step in wizard_steps("key")] == [
        ("Organisation", "done"),
        ("AI", "done"),
        ("Key", "current"),
        ("Models", "todo"),
        ("Done", "todo"),
    ]
    assert [step["label"] for step in wizard_steps("done", without=("key", "models"))] == ["Organisation", "AI", "Done"]


def test_a_step_that_comes_too_early_leads_to_the_one_that_is_missing(
    client: Client, organization: Organization
) -> None:
    step = url("onboarding_models", organization)
    assert client.get(step).headers["Location"] == url("onboarding_ai", organization)
    with_key(organization)
    assert client.get(step).status_code == 200
    ProviderCredential.objects.all().delete()
    assert client.get(step).headers["Location"] == url("onboarding_key", organization, "openrouter")


# --- Whose AI -----------------------------------------------------------------------


def test_the_choice_shows_what_each_is_good_for_and_picks_none(client: Client, organization: Organization) -> None:
    page = text(client.get(url("onboarding_ai", organization)))
    for words in ("50 requests a month free", "Unlimited", "OpenRouter", "OpenAI", "Anthropic", "Recommended"):
        assert words in page
    assert " checked" not in page


def test_the_platforms_ai_is_in_force_without_saving_anything(client: Client, organization: Organization) -> None:
    answer = client.post(url("onboarding_ai", organization), {"choice": "platform_default"})
    assert answer.headers["Location"] == url("onboarding_done", organization)
    assert not AIConfig.objects.exists()
    page = text(client.get(url("onboarding_done", organization)))
    assert "Free tier" in page
    assert "0 of 50" in page


@pytest.mark.parametrize("provider", KEYS)
def test_a_provider_leads_to_its_key_and_stores_nothing(
    client: Client, organization: Organization, provider: str
) -> None:
    answer = client.post(url("onboarding_ai", organization), {"choice": provider})
    assert answer.headers["Location"] == url("onboarding_key", organization, provider)
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize("choice", ["", "nowhere"])
def test_no_choice_is_told(client: Client, organization: Organization, choice: str) -> None:
    answer = client.post(url("onboarding_ai", organization), {"choice": choice})
    assert answer.status_code == 422
    assert "aria-invalid" in text(answer)


def test_what_is_stored_is_what_is_picked(client: Client, organization: Organization) -> None:
    with_key(organization, "openai")
    page = text(client.get(url("onboarding_ai", organization)))
    assert 'value="openai" checked' in page


def test_going_back_to_the_platform_keeps_the_key(client: Client, organization: Organization) -> None:
    with_key(organization)
    client.post(url("onboarding_ai", organization), {"choice": "platform_default"})
    assert get_ai_config(organization).provider == "platform_default"
    assert ProviderCredential.objects.count() == 1


def test_going_back_to_the_platform_asks_who_is_here(client: Client, organization: Organization) -> None:
    with_key(organization)
    sign_in_grows_old(client)
    answer = client.post(url("onboarding_ai", organization), {"choice": "platform_default"})
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert get_ai_config(organization).provider == "openrouter"


# --- The key ------------------------------------------------------------------------


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("htmx", [False, True])
def test_a_key_is_tested_on_the_recommended_models_and_kept(
    client: Client, organization: Organization, asked: Asked, provider: str, htmx: bool
) -> None:
    answer = client.post(
        url("onboarding_key", organization, provider),
        {"api_key": f"  {KEYS[provider]} "},
        headers=HTMX if htmx else {},
    )
    where = url("onboarding_models", organization)
    assert answer.headers["HX-Redirect" if htmx else "Location"] == where
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model, config.embedding_model) == (provider, *RECOMMENDED[provider])
    [call] = asked.calls
    assert (call["key"], call["chat"], call["emb"]) == (
        KEYS[provider],
        [RECOMMENDED[provider][0]],
        RECOMMENDED[provider][1],
    )
    page = text(client.get(where))
    assert "Key line." in page
    assert "was tested" in page
    for place in (page, text(client.get(url("onboarding_done", organization))), str(dict(client.session))):
        assert KEYS[provider] not in place
    assert "Unlimited" in text(client.get(url("onboarding_done", organization)))


@pytest.mark.parametrize("htmx", [False, True])
def test_a_refused_key_stays_on_the_step_with_the_sentence_at_the_field(
    client: Client, organization: Organization, asked: Asked, htmx: bool
) -> None:
    asked.states["key"] = LineState.FAILED
    answer = client.post(
        url("onboarding_key", organization, "openai"), {"api_key": KEYS["openai"]}, headers=HTMX if htmx else {}
    )
    page = text(answer)
    assert answer.status_code == 422
    assert ("<html" in page) is not htmx
    assert 'id="id_api_key_error"' in page
    assert page.count("Key line.") == 2, "at the field and among the lines"
    assert "save_untested" not in page
    assert KEYS["openai"] not in page
    assert not ProviderCredential.objects.exists()
    assert AuditEvent.objects.filter(action="connection.test_failed").count() == 1


def test_a_provider_that_cannot_be_asked_leaves_the_decision_to_the_person(
    client: Client, organization: Organization, asked: Asked
) -> None:
    asked.states["key"] = LineState.UNKNOWN
    step = url("onboarding_key", organization, "openai")
    page = text(client.post(step, {"api_key": KEYS["openai"]}))
    assert 'name="save_untested"' in page
    assert not ProviderCredential.objects.exists()
    answer = client.post(step, {"api_key": KEYS["openai"], "save_untested": "on"})
    assert answer.headers["Location"] == url("onboarding_models", organization)
    assert ProviderCredential.objects.get().status == "unreachable"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "Paste your OpenAI key."),
        (KEYS["anthropic"], "looks like an Anthropic key"),
        ("sk-proj-short", "too short"),
    ],
)
def test_what_cannot_be_a_key_is_told_without_asking_anybody(
    client: Client, organization: Organization, asked: Asked, given: str, words: str
) -> None:
    answer = client.post(url("onboarding_key", organization, "openai"), {"api_key": given})
    assert answer.status_code == 422
    assert words in text(answer)
    assert not given or given not in text(answer)
    assert asked.calls == []


def test_an_empty_field_keeps_the_stored_key_and_makes_its_provider_the_one_in_use(
    client: Client, organization: Organization, asked: Asked
) -> None:
    with_key(organization, "openai")
    with_key(organization, "anthropic")
    step = url("onboarding_key", organization, "openai")
    assert "Leave empty to keep it" in text(client.get(step))
    assert client.post(step, {"api_key": ""}).headers["Location"] == url("onboarding_models", organization)
    assert get_ai_config(organization).provider == "openai"
    version = get_ai_config(organization).version
    client.post(step, {"api_key": ""})
    assert get_ai_config(organization).version == version, "nothing is saved when nothing changes"
    assert len(asked.calls) == 1, "the stored key was asked about its models when its provider was chosen"


def test_a_key_asks_who_is_here_before_anything_is_typed(client: Client, organization: Organization) -> None:
    step = url("onboarding_key", organization, "openai")
    sign_in_grows_old(client)
    assert client.get(step).headers["Location"] == f"/accounts/reauthenticate/?next={step.replace('/', '%2F')}"
    late = client.post(step, {"api_key": KEYS["openai"]})
    assert late.status_code == 422
    assert "Confirm who you are" in text(late)
    assert KEYS["openai"] not in text(late)
    assert KEYS["openai"] not in str(dict(client.session))
    assert not ProviderCredential.objects.exists()


def test_there_is_no_step_for_a_provider_that_is_none(client: Client, organization: Organization) -> None:
    for name in ("nowhere", "platform_default"):
        assert client.get(url("onboarding_key", organization, name)).status_code == 404


def test_keys_are_not_tried_out_here(
    client: Client, organization: Organization, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_test_limit, "PER_CALLER", (1, 600))
    step = url("onboarding_key", organization, "openai")
    asked.states["key"] = LineState.FAILED
    client.post(step, {"api_key": KEYS["openai"]})
    answer = client.post(step, {"api_key": KEYS["openai"]})
    assert "Too many key tests" in text(answer)
    assert len(asked.calls) == 1


def test_somebody_elses_save_during_the_test_stays(client: Client, organization: Organization, asked: Asked) -> None:
    asked.meanwhile = lambda: with_key(organization, "anthropic")
    answer = client.post(url("onboarding_key", organization, "openai"), {"api_key": KEYS["openai"]})
    assert "Somebody else saved" in text(answer)
    assert get_ai_config(organization).provider == "anthropic"


# --- The models ---------------------------------------------------------------------


def test_the_recommended_come_first_with_reason_and_price(client: Client, organization: Organization) -> None:
    with_key(organization)
    page = text(client.get(url("onboarding_models", organization)))
    assert 'value="anthropic/claude-sonnet-5.5" id="id_chat_choice" checked' in page
    assert "Best quality." in page
    assert "per 1M tokens" in page
    assert page.index("claude-sonnet-5.5") < page.index("deepseek/deepseek-chat")


@pytest.mark.parametrize("htmx", [False, True])
def test_chosen_models_are_tested_with_the_stored_key_and_saved(
    client: Client, organization: Organization, asked: Asked, htmx: bool
) -> None:
    with_key(organization)
    answer = client.post(url("onboarding_models", organization), models(), headers=HTMX if htmx else {})
    assert answer.headers["HX-Redirect" if htmx else "Location"] == url("onboarding_done", organization)
    assert get_ai_config(organization).chat_model == "anthropic/claude-haiku-5.5"
    assert [call["chat"] for call in asked.calls] == [["anthropic/claude-haiku-5.5"]]


def test_unchanged_models_are_not_tested_again(client: Client, organization: Organization, asked: Asked) -> None:
    with_key(organization)
    client.post(url("onboarding_models", organization), models(chat_choice="anthropic/claude-sonnet-5.5"))
    assert get_ai_config(organization).version == 1
    assert asked.calls == []


def test_a_model_that_the_provider_does_not_offer_is_told_at_its_field(
    client: Client, organization: Organization, asked: Asked
) -> None:
    with_key(organization)
    asked.states["vendor/unknown"] = LineState.FAILED
    answer = client.post(
        url("onboarding_models", organization), models(chat_choice="other", chat_model="vendor/unknown")
    )
    page = text(answer)
    assert answer.status_code == 422
    assert 'id="id_chat_model_error"' in page
    assert 'value="vendor/unknown"' in page
    assert get_ai_config(organization).chat_model == "anthropic/claude-sonnet-5.5"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"chat_choice": "other", "chat_model": ""}, "chat_model"),
        ({"chat_choice": "other", "chat_model": "no-vendor"}, "chat_model"),
        ({"chat_choice": ""}, "chat_choice"),
        ({"chat_choice": "not/listed"}, "chat_choice"),
        ({"embedding": "openai:text-embedding-3-small"}, "embedding"),
        ({"embedding": ""}, "embedding"),
    ],
)
def test_what_cannot_be_saved_is_told_at_its_field(
    client: Client, organization: Organization, changed: dict[str, str], field: str
) -> None:
    with_key(organization)
    answer = client.post(url("onboarding_models", organization), models(**changed))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert get_ai_config(organization).version == 1


def test_a_save_from_an_older_page_is_told_and_the_next_one_works(client: Client, organization: Organization) -> None:
    with_key(organization)
    save_ai_config(organization, provider="openrouter", chat_model="openai/gpt-5")
    answer = client.post(url("onboarding_models", organization), models(version=1))
    assert "Somebody else saved" in text(answer)
    assert 'name="version" value="2"' in text(answer)
    assert client.post(url("onboarding_models", organization), models(version=2)).status_code == 302


def test_embeddings_beside_anthropic_are_the_platforms_another_keys_or_none(
    client: Client, organization: Organization
) -> None:
    with_key(organization, "openai")
    with_key(organization, "anthropic", embedding_provider="")
    page = text(client.get(url("onboarding_models", organization)))
    assert "with your OpenAI key" in page
    assert "The platform&#x27;s AI, within the free requests" in page
    step = url("onboarding_models", organization)
    for value, stored in (
        ("openai:text-embedding-3-large", ("openai", "text-embedding-3-large")),
        ("platform_default:", ("platform_default", "text-embedding-3-small")),
        ("none", ("", "")),
    ):
        version = get_ai_config(organization).version
        answer = client.post(step, models(chat_choice="claude-haiku-5-5", embedding=value, version=version))
        assert answer.status_code == 302
        config = get_ai_config(organization)
        assert (config.embedding_provider, config.embedding_model) == stored
    assert "None" in text(client.get(url("onboarding_done", organization)))


def test_a_key_that_does_not_open_any_more_is_told(client: Client, organization: Organization, asked: Asked) -> None:
    with_key(organization)
    ProviderCredential.objects.update(sealed_key="v1:00000000:broken:broken")
    answer = client.post(url("onboarding_models", organization), models())
    assert "can no longer be opened" in text(answer)
    assert asked.calls == []


# --- Own keys switched off; the browser ---------------------------------------------


def test_with_own_keys_switched_off_only_the_platform_is_offered(
    client: Client, organization: Organization, settings: Settings
) -> None:
    with_key(organization)
    settings.BYOK_ENABLED = False
    page = text(client.get(url("onboarding_ai", organization)))
    assert "Own keys are not enabled for this organisation" in page
    assert 'type="radio"' not in page
    ai, done = url("onboarding_ai", organization), url("onboarding_done", organization)
    assert client.post(ai, {"choice": "openai"}).headers["Location"] == done
    assert client.get(url("onboarding_key", organization, "openai")).headers["Location"] == ai
    posted = client.post(url("onboarding_key", organization, "openai"), {"api_key": KEYS["openai"]})
    assert posted.headers["Location"] == ai
    assert client.get(url("onboarding_models", organization)).headers["Location"] == ai
    assert "Free tier" in text(client.get(done))
    assert AIConfig.objects.get().provider == "openrouter"


def test_steps_are_not_kept_by_browsers(client: Client, organization: Organization) -> None:
    with_key(organization)
    for name in STEPS:
        answer = client.get(url(name, organization))
        assert "no-store" in answer.headers["Cache-Control"]
        assert 'hx-history="false"' in text(answer)


def test_posts_without_their_token_are_refused(organization: Organization, asked: Asked) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    answer = strict.post(url("onboarding_key", organization, "openai"), {"api_key": KEYS["openai"]})
    assert answer.status_code == 403
    assert not ProviderCredential.objects.exists()


def test_another_provider_starts_with_its_recommended_models_and_keeps_paid_embeddings(
    organization: Organization,
) -> None:
    with_key(organization, "openai", embedding_model="text-embedding-3-large")
    config = get_ai_config(organization)
    assert setup_for(config, "anthropic")["embedding_model"] == "text-embedding-3-large"
    assert setup_for(config, "openrouter")["embedding_model"] == "openai/text-embedding-3-small"
    assert setup_for(config, "openai")["chat_model"] == "gpt-4o"


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_another_providers_key_has_a_way_to_its_step(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    answer = client.post(url("onboarding_key", organization, "openai"), {"api_key": KEYS["anthropic"]}, headers=headers)
    assert answer.status_code == 422
    way = (
        rf'<a class="button small" href="{url("onboarding_key", organization, "anthropic")}">Use Anthropic instead</a>'
    )
    assert re.search(way, text(answer))


def test_a_refused_key_shows_no_badge_at_the_end(client: Client, organization: Organization) -> None:
    with_key(organization)
    ProviderCredential.objects.update(status="rejected")
    page = text(client.get(url("onboarding_done", organization)))
    assert "Unlimited" not in page
    assert "Key refused" in page
