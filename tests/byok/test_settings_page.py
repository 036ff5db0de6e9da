"""The AI settings page: who may, what is saved, and that a key is never shown."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.forms import BooleanField
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.forms import AIConfigForm
from byok.config.saving import save_ai_config
from byok.config.values import CHAT_OPERATIONS
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, fields, sign_in_grows_old, text, url
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory
from usage.alerting.cost_alert import cost_alert_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]

NEW = "sk-proj-NEWnewNEWnewNEWnewNEW1111"


@pytest.fixture
def address(organization: Organization) -> str:
    return url("settings", organization)


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization)


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.MEMBER, 403), (Role.VIEWER, 403)])
def test_admins_only(organization: Organization, address: str, role: Role, status: int) -> None:
    client = client_of(organization, role)
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    remove = reverse("byok:remove_key", args=[organization.slug, "openai"])
    assert client.get(address).status_code == status
    assert client.get(remove).status_code == status
    if status == 403:
        assert client.post(address, fields()).status_code == 403
        assert client.post(remove).status_code == 403
        assert ProviderCredential.objects.count() == 1


def test_outsiders_find_nothing(organization: Organization, address: str) -> None:
    stranger = client_of(OrganizationFactory())
    assert stranger.get(address).status_code == 404
    assert stranger.post(address, fields()).status_code == 404
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize("provider", KEYS)
def test_saving_leads_back_and_shows_the_last_four(
    organization: Organization, client: Client, address: str, provider: str
) -> None:
    saved = client.post(address, fields(provider))
    assert (saved.status_code, saved.headers["Location"]) == (302, address)
    page = text(client.get(address))
    assert "The AI configuration is saved." in page
    credential = ProviderCredential.objects.get()
    assert credential.masked in page
    assert "wxyz" in page
    for secret in (KEYS[provider], credential.sealed_key, credential.fingerprint):
        assert secret not in page
    assert get_ai_config(organization).provider == provider
    assert set(AuditEvent.objects.values_list("ip_address", flat=True)) == {"127.0.0.1"}


def test_an_empty_key_keeps_the_stored_one(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    assert client.post(address, fields(api_key="", chat_model="gpt-5", version=1)).status_code == 302
    assert get_ai_config(organization).chat_model == "gpt-5"
    assert ProviderCredential.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"api_key": KEYS["anthropic"]}, "looks like an Anthropic key"),
        ({"api_key": "sk-proj-short"}, "too short"),
        ({"api_key": ""}, "Enter your OpenAI key"),
        ({"chat_model": ""}, ""),
        ({"provider": "nowhere"}, ""),
        ({"version": "x"}, ""),
        ({"embedding_provider": "openrouter"}, ""),
        ({"provider": "openrouter", "api_key": KEYS["openrouter"], "chat_model": "gpt-4o"}, "vendor/model"),
        ({**fields("openrouter"), "openrouter_site_url": "not an address"}, "Enter a web address, for example"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("htmx", [False, True])
def test_what_cannot_be_saved_is_told_without_the_key(
    client: Client, address: str, changed: dict[str, Any], words: str, htmx: bool
) -> None:
    posted = fields(**changed)
    answer = client.post(address, posted, headers={"HX-Request": "true"} if htmx else {})
    page = text(answer)
    assert answer.status_code == 422
    assert words in page
    assert ("<html" in page) is not htmx
    assert "aria-invalid" in page or "error" in page
    for key in {posted["api_key"], *KEYS.values()} - {""}:
        assert key not in page
    assert not AIConfig.objects.exists()
    assert not ProviderCredential.objects.exists()


@pytest.mark.parametrize("provider", [*KEYS, "platform_default"])
def test_another_provider_is_shown_before_it_is_saved(client: Client, address: str, provider: str) -> None:
    part = text(client.get(address, {"provider": provider}, headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert 'id="config-form"' in part
    assert ('name="api_key"' in part) is (provider != "platform_default")
    whole = text(client.get(address, {"provider": provider}))
    assert "<html" in whole
    assert not AIConfig.objects.exists()
    labels = {"openai": "OpenAI API key", "openrouter": "OpenRouter API key", "anthropic": "Anthropic API key"}
    assert labels.get(provider, "") in part
    if provider == "anthropic":
        assert "offers no embeddings" in part


def test_an_unknown_provider_in_the_address_is_ignored(client: Client, address: str) -> None:
    assert client.get(address, {"provider": "<script>"}).status_code == 200


def test_going_back_to_the_platform(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    assert client.post(address, fields("platform_default", version=1)).status_code == 302
    assert get_ai_config(organization).provider == "platform_default"
    page = text(client.get(address))
    assert "Free tier" in page
    assert "0 of 50" in page
    assert "Also stored" in page


@pytest.mark.parametrize("status", CredentialStatus)
def test_every_state_of_a_key_is_shown(
    organization: Organization, client: Client, address: str, status: CredentialStatus
) -> None:
    client.post(address, fields())
    ProviderCredential.objects.update(status=status, status_message="What to do next.")
    page = text(client.get(address))
    assert status.label in page
    assert "What to do next." in page


def test_a_key_is_removed_after_asking(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    remove = reverse("byok:remove_key", args=[organization.slug, "openai"])
    assert "Remove the OpenAI key?" in text(client.get(remove))
    assert ProviderCredential.objects.count() == 1
    answer = client.post(remove)
    assert (answer.status_code, answer.headers["Location"]) == (302, address)
    assert not ProviderCredential.objects.exists()
    page = text(client.get(address))
    assert "The OpenAI key is removed." in page
    assert "No key" in page
    assert client.get(remove).status_code == 404
    assert client.post(remove).status_code == 404


@pytest.mark.parametrize("provider", ["anthropic", "nowhere", "platform_default"])
def test_there_is_no_removing_what_is_not_there(organization: Organization, client: Client, provider: str) -> None:
    assert client.post(reverse("byok:remove_key", args=[organization.slug, provider])).status_code == 404


def test_with_own_keys_switched_off_nothing_is_saved(
    organization: Organization, client: Client, address: str, settings: Settings
) -> None:
    client.post(address, fields())
    settings.BYOK_ENABLED = False
    page = text(client.get(address))
    assert page.count("switched off for now") == 1
    assert "Own keys are not enabled" not in page, "it is said once"
    assert 'name="api_key"' not in page
    assert "sk-proj-••••••••••wxyz" in page
    posts = [address, url("change_form", organization), url("test_key", organization)]
    posts += [url(name, organization, "openai") for name in ("recheck_key", "remove_key", "undo_replacement")]
    for where in posts:
        refused = client.post(where, fields("anthropic", version=1))
        assert refused.status_code == 403, where
        assert "Own keys are not enabled" in text(refused)
    assert AIConfig.objects.get().provider == "openai"
    assert ProviderCredential.objects.count() == 1


def test_the_page_is_not_kept_by_browsers(client: Client, address: str) -> None:
    answer = client.get(address)
    assert "no-store" in answer.headers["Cache-Control"]
    assert 'hx-history="false"' in text(answer)


def test_a_post_without_its_token_is_refused(organization: Organization, address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    assert strict.post(address, fields()).status_code == 403
    assert not AIConfig.objects.exists()


def test_a_key_is_neither_saved_nor_removed_long_after_the_sign_in(
    organization: Organization, client: Client, address: str
) -> None:
    """What was typed in stays in the form, apart from the key; nothing is kept in the session."""
    client.post(address, fields())
    sign_in_grows_old(client)
    page = text(client.get(address))
    assert reverse("account_reauthenticate") in page
    refused = client.post(address, fields(chat_model="gpt-5-mini", api_key=KEYS["openai"], version=1))
    assert refused.status_code == 422
    assert "Confirm who you are" in text(refused)
    assert "gpt-5-mini" in text(refused)
    assert KEYS["openai"] not in text(refused)
    assert KEYS["openai"] not in str(dict(client.session))
    assert get_ai_config(organization).version == 1
    removal = client.post(reverse("byok:remove_key", args=[organization.slug, "openai"]))
    assert removal.status_code == 302
    assert removal.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert ProviderCredential.objects.count() == 1


def test_everything_on_the_form_is_saved(organization: Organization, client: Client, address: str) -> None:
    everything = fields(
        "openrouter",
        model_research="openai/gpt-5",
        model_qualification="",
        fallback_research="ask",
        fallback_embedding="allow",
        openrouter_site_url="https://acme.test",
        openrouter_site_name="Acme",
        alert_enabled="on",
        alert_threshold="19.50",
        alert_email="money@acme.test",
    )
    assert client.post(address, everything).status_code == 302
    config = get_ai_config(organization)
    assert config.operation_models == {"research": "openai/gpt-5"}
    assert config.fallback == {"research": "ask", "embedding": "allow"}
    assert (config.openrouter_site_url, config.openrouter_site_name) == ("https://acme.test", "Acme")
    assert cost_alert_of(organization).as_json() == {
        "enabled": True,
        "monthly_threshold": "19.50",
        "email": "money@acme.test",
    }
    page = text(client.get(address))
    assert 'value="19.50"' in page
    assert "openai/gpt-5" in page


def test_what_the_form_does_not_show_cannot_be_set_and_stays(
    organization: Organization, client: Client, address: str
) -> None:
    client.post(address, fields("openrouter", openrouter_site_name="Acme", fallback_research="allow"))
    sneaked = {"openrouter_site_name": "Other", "fallback_research": "never", "model_research": "x", "updated_by": 1}
    assert client.post(address, fields("platform_default", version=1, **sneaked)).status_code == 302
    config = get_ai_config(organization)
    assert config.provider == "platform_default"
    assert (config.openrouter_site_name, config.fallback) == ("Acme", {"research": "allow"})
    assert client.post(address, fields("openai", version=2, openrouter_site_name="Other")).status_code == 302
    assert get_ai_config(organization).openrouter_site_name == "Acme"


def test_a_key_that_is_refused_is_not_saved_and_the_old_one_stays_in_force(
    organization: Organization, client: Client, address: str, asked: Asked
) -> None:
    client.post(address, fields())
    asked.states["key"] = LineState.FAILED
    for headers in ({}, HTMX):
        answer = client.post(address, fields(api_key=NEW, chat_model="gpt-5", version=1), headers=headers)
        page = text(answer)
        assert answer.status_code == 422
        assert "Your stored key" in page
        assert "is still in use" in page
        assert "Key line." in page
        assert "Save without the test" not in page
        assert ("Enter the key again" in page) is not bool(headers), "only a whole page loses the key"
        assert 'value="gpt-5"' in page
        assert NEW not in page
    assert ProviderCredential.objects.get().last4 == "wxyz"
    assert get_ai_config(organization).chat_model == "gpt-4o"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"chat_model": "gpt-9"}, "chat_model"),
        ({"model_research": "gpt-9"}, "model_research"),
        ({"embedding_model": "gpt-9"}, "embedding_model"),
    ],
    ids=str,
)
def test_a_model_that_a_new_key_does_not_reach_is_told_at_its_field(
    client: Client, address: str, asked: Asked, changed: dict[str, str], field: str
) -> None:
    asked.states["gpt-9"] = LineState.FAILED
    page = text(client.post(address, fields(**changed), headers=HTMX))
    assert f'id="id_{field}_error"' in page
    assert 'id="id_api_key_error"' in page
    assert not ProviderCredential.objects.exists()


def test_a_removed_key_leaves_a_way_to_the_next(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    client.post(reverse("byok:remove_key", args=[organization.slug, "openai"]))
    setup = text(client.get(address)).split('id="current-setup"')[1].split("</section>")[0]
    assert "No key" in setup
    assert 'href="#id_api_key"' in setup


def test_a_key_that_could_not_be_tested_is_saved_when_a_person_says_so(
    organization: Organization, client: Client, address: str, asked: Asked
) -> None:
    asked.states["key"] = LineState.UNKNOWN
    answer = client.post(address, fields())
    assert answer.status_code == 422
    assert 'name="save_untested"' in text(answer)
    assert not ProviderCredential.objects.exists()
    saved = client.post(address, fields(save_untested="on"), headers=HTMX)
    assert saved.headers["HX-Redirect"] == address
    assert ProviderCredential.objects.get().status == CredentialStatus.UNREACHABLE
    assert "saved without a test" in text(client.get(address))


def test_saves_with_a_key_count_as_tests(client: Client, address: str, asked: Asked) -> None:
    asked.states["key"] = LineState.FAILED
    for _ in range(10):
        assert client.post(address, fields()).status_code == 422
    answer = client.post(address, fields())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many key tests" in text(answer)
    assert len(asked.calls) == 10
    assert KEYS["openai"] not in text(answer)


def test_changing_the_provider_keeps_what_has_nothing_to_do_with_it(
    organization: Organization, client: Client, address: str
) -> None:
    typed = fields("anthropic", alert_email="typed@acme.test", alert_threshold="7", fallback_research="ask")
    del typed["usage_tracking"]
    answer = client.post(url("change_form", organization), typed, headers=HTMX)
    part = text(answer)
    assert answer.status_code == 200
    assert "Anthropic API key" in part
    assert 'value="claude-sonnet-5-5"' in part
    assert 'value="typed@acme.test"' in part
    assert 'value="7"' in part
    assert re.search(r'name="usage_tracking"[^>]*(?<!checked)>', part)
    assert '<option value="ask" selected>' in part
    assert KEYS["anthropic"] not in part
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize("way", ["link", "htmx"])
def test_the_recommended_models_are_taken_over(
    organization: Organization, client: Client, address: str, way: str
) -> None:
    if way == "link":
        answer = client.get(address, {"provider": "openrouter", "recommended": "1"})
    else:
        typed = fields("openrouter", recommended="1", chat_model="x/y")
        answer = client.post(url("change_form", organization), typed, headers=HTMX)
    chosen = dict(re.findall(r'name="(\w+)" id="\w+" value="([^"]*)" maxlength', text(answer)))
    assert chosen == {
        "chat_model": "anthropic/claude-sonnet-5.5",
        "model_research": "",
        "model_qualification": "anthropic/claude-haiku-5.5",
        "model_email_generation": "",
        "embedding_model": "openai/text-embedding-3-small",
        # Nothing is recommended to take over; the place for it is there.
        **{f"further_{operation}_1": "" for operation in CHAT_OPERATIONS},
    }
    assert not AIConfig.objects.exists()


def test_the_page_tells_what_the_operations_use_and_when_the_key_is_old(
    organization: Organization, client: Client, address: str
) -> None:
    client.post(address, fields("openrouter", model_qualification="openai/gpt-5-mini"))
    page = text(client.get(address))
    assert "What was checked" in page
    assert re.search(r"<dt>Qualification</dt><dd[^>]*>openai/gpt-5-mini", page)
    assert "days old" not in page
    ProviderCredential.objects.update(saved_at=timezone.now() - timedelta(days=91))
    assert "This key is 91 days old" in text(client.get(address))


def test_the_page_costs_the_same_whatever_is_stored(
    organization: Organization, client: Client, address: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Per stored key two questions more: what stops without it."""
    with django_assert_max_num_queries(23):
        client.get(address)
    for version, provider in enumerate(KEYS):
        client.post(address, fields(provider, version=version))
    with django_assert_max_num_queries(29):
        client.get(address)
    with django_assert_max_num_queries(19):
        client.get(address, {"provider": "openai"}, headers=HTMX)


def test_every_field_of_the_form_stands_in_the_page(organization: Organization, client: Client, address: str) -> None:
    page = text(client.get(address, {"provider": "openrouter"}))
    shown = set(re.findall(r'name="(\w+)"', page))
    # The second and third further model once there is a first.
    later = {"save_untested", *(f"further_{operation}_{place}" for operation in CHAT_OPERATIONS for place in (2, 3))}
    assert set(AIConfigForm.base_fields) - later <= shown


# Whatever the page sends, those that a person cannot type into included.
FIELDS = sorted(AIConfigForm.base_fields.keys() - {"api_key"})


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("htmx", [False, True])
def test_a_key_in_another_field_is_told_and_not_shown_again(
    client: Client, organization: Organization, address: str, asked: Asked, field: str, htmx: bool
) -> None:
    key = KEYS["anthropic"]
    headers = {"HX-Request": "true"} if htmx else {}
    sent = fields("openrouter") | {field: key}
    is_provider, is_flag = field == "provider", isinstance(AIConfigForm.base_fields[field], BooleanField)
    if not is_flag:
        answer = client.post(address, sent, headers=headers)
        assert answer.status_code == 422
        assert is_provider or field in {"version", "alert_shown"} or "belongs in the key field" in text(answer)
        assert key not in text(answer)
        assert asked.calls == []
    for name in ("test_key", "change_form"):
        answer = client.post(reverse(f"byok:{name}", args=[organization.slug]), sent, headers=headers)
        assert key not in text(answer), name
    assert all(key not in str(call) for call in asked.calls)


def test_another_provider_without_embeddings_keeps_those_on_a_stored_key(
    client: Client, organization: Organization, address: str
) -> None:
    """As the wizard does it: looking at Anthropic does not end the search in the knowledge base."""
    client.post(address, fields("openrouter", embedding_model="openai/text-embedding-3-small"))
    page = text(client.get(address, {"provider": "anthropic"}))
    assert '<option value="openrouter" selected>' in page
    assert re.search(r'name="embedding_model"[^>]*value="openai/text-embedding-3-small"', page)


def test_the_key_in_use_is_the_first_of_several(client: Client, organization: Organization, address: str) -> None:
    client.post(address, fields("openrouter"))
    client.post(address, fields("anthropic", version=1))
    page = text(client.get(address))
    links = [url("remove_key", organization, name) for name in ("anthropic", "openrouter")]
    assert page.index(links[0]) < page.index("Also stored: OpenRouter") < page.index(links[1])


def test_a_new_key_is_not_called_optional(client: Client, address: str) -> None:
    page = text(client.get(address, {"provider": "openai"}))
    assert re.search(r"OpenAI API key</label>", page)


def test_a_key_without_credit_is_no_good_news(client: Client, organization: Organization, asked: Asked) -> None:
    asked.states["credit"] = LineState.FAILED
    page = text(client.post(url("test_key", organization), fields(), headers=HTMX))
    assert "calls with it are not paid for" in page
    assert "This key can do what you chose" not in page
