"""Taking a model of the catalog into use: asked first, saved as the settings page saves, told where it fails."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.saving import save_ai_config
from byok.models import AIConfig
from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.byok.asked import Asked
from tests.byok.catalog_rows import add_model
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, sign_in_grows_old, text, url
from tests.clients import client_of
from tests.factories import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_catalog")]


@pytest.fixture
def organization(organization: Organization, asked: Asked) -> Organization:
    """With keys for OpenRouter (in use) and Anthropic."""
    save_ai_config(organization, provider="anthropic", chat_model="claude-haiku-4-5", api_key=KEYS["anthropic"])
    save_ai_config(
        organization, provider="openrouter", chat_model="openai/gpt-4o", api_key=KEYS["openrouter"],
        operation_models={"qualification": "openai/gpt-4o-mini"},
    )  # fmt: skip
    add_model("openai/gpt-5", name="GPT-5")
    add_model("claude-sonnet-5-5", route="anthropic", name="Claude Sonnet 5.5")
    add_model("openai/text-embedding-3-large", kind="embedding", name="Embedding large")
    add_model("gpt-5", route="openai", name="GPT-5 direct")
    return organization


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization)


GPT, CLAUDE, EMBEDDING = (
    "openrouter:openai/gpt-5",
    "anthropic:claude-sonnet-5-5",
    "openrouter:openai/text-embedding-3-large",
)


def send(client: Client, organization: Organization, reference: str, purpose: str, **more: Any) -> Any:
    fields = {"m": reference, "for": purpose, "version": get_ai_config(organization).version}
    headers = more.pop("headers", {})
    return client.post(url("catalog_select", organization), fields | more, headers=headers)


def differences(page: str) -> list[tuple[str, ...]]:
    rows = re.findall(
        r'<tr><th scope="row">(.*?)</th><td data-label="Now">(.*?)</td><td data-label="Then">(.*?)</td></tr>', page
    )
    return [tuple(unescape(cell) for cell in row) for row in rows]


def test_the_question_says_what_changes(client: Client, organization: Organization) -> None:
    page = text(client.get(url("catalog_select", organization), {"m": GPT, "for": "chat"}))
    assert differences(page) == [("Chat model", "openai/gpt-4o", "openai/gpt-5")]
    assert "Operations with a model of their own keep it: qualification." in page
    assert "<html" in page
    assert AIConfig.objects.get().chat_model == "openai/gpt-4o"
    part = text(client.get(url("catalog_select", organization), {"m": GPT, "for": "chat"}, headers=HTMX))
    assert "<html" not in part
    assert "data-dialog-close" in part


def test_for_chat(client: Client, organization: Organization, asked: Asked) -> None:
    back = f"{url('catalog', organization)}?q=gpt"
    answer = send(client, organization, GPT, "chat", back=back)
    assert (answer.status_code, answer.headers["Location"]) == (302, back)
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model) == ("openrouter", "openai/gpt-5")
    assert config.operation_models == {"qualification": "openai/gpt-4o-mini"}
    assert "openai/gpt-5" in str(asked.calls)
    assert "GPT-5 is now used for chat." in text(client.get(back))
    assert AuditEvent.objects.filter(action="ai_config.saved", organization=organization).count() == 3


def test_for_chat_at_another_provider_with_its_stored_key(client: Client, organization: Organization) -> None:
    page = text(client.get(url("catalog_select", organization), {"m": CLAUDE, "for": "chat"}))
    assert ("Provider", "OpenRouter", "Anthropic") in differences(page)
    assert ("Qualification: model", "openai/gpt-4o-mini", "The chat model") in differences(page)
    assert "Calls are then paid with your Anthropic key." in page
    assert send(client, organization, CLAUDE, "chat").status_code == 302
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model, config.operation_models) == ("anthropic", "claude-sonnet-5-5", {})


def test_for_embedding(client: Client, organization: Organization) -> None:
    page = text(client.get(url("catalog_select", organization), {"m": EMBEDDING, "for": "embedding"}))
    assert [row[0] for row in differences(page)] == ["Embedding model"]
    assert "prepare them again" in page
    assert send(client, organization, EMBEDDING, "embedding").status_code == 302
    config = get_ai_config(organization)
    assert (config.embedding_provider, config.embedding_model) == ("openrouter", "openai/text-embedding-3-large")
    assert config.chat_model == "openai/gpt-4o"


def test_for_one_operation(client: Client, organization: Organization) -> None:
    page = text(client.get(url("catalog_select", organization), {"m": GPT, "for": "operation"}))
    assert re.findall(r'name="for" value="(\w+)"', page) == ["research", "qualification", "email_generation"]
    assert send(client, organization, GPT, "research").status_code == 302
    config = get_ai_config(organization)
    assert config.operation_models == {"qualification": "openai/gpt-4o-mini", "research": "openai/gpt-5"}
    assert config.chat_model == "openai/gpt-4o"


def test_the_chat_model_for_an_operation_is_no_model_of_its_own(client: Client, organization: Organization) -> None:
    add_model("openai/gpt-4o")
    assert send(client, organization, "openrouter:openai/gpt-4o", "qualification").status_code == 302
    assert get_ai_config(organization).operation_models == {}


def test_htmx_is_sent_back_to_the_list_it_came_from(client: Client, organization: Organization) -> None:
    back = f"{url('catalog', organization)}?tier=premium"
    where = f"http://testserver{back}"
    part = text(
        client.get(
            url("catalog_select", organization), {"m": GPT, "for": "chat"}, headers=HTMX | {"HX-Current-URL": where}
        )
    )
    assert f'name="back" value="{back}"' in part
    answer = send(client, organization, GPT, "chat", back=back, headers=HTMX)
    assert answer.headers["HX-Redirect"] == back


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.test/o/acme/models/",
        "//evil.test/o/acme/models/",
        "/o/other/models/",
        "/accounts/logout/",
        "http://[",
        "\\\\evil",
        "/o/acme/models/select/?m=x",
    ],
)
def test_nobody_is_sent_elsewhere(client: Client, organization: Organization, back: str) -> None:
    assert send(client, organization, GPT, "chat", back=back).headers["Location"] == url("catalog", organization)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_model_that_the_provider_does_not_offer_is_told_in_place(
    client: Client, organization: Organization, asked: Asked, headers: dict[str, str]
) -> None:
    asked.states["openai/gpt-5"] = LineState.FAILED
    answer = send(client, organization, GPT, "chat", headers=headers)
    assert answer.status_code == 422
    page = text(answer)
    assert 'role="alert"' in page
    assert ("<html" in page) is not bool(headers)
    assert differences(page) == [("Chat model", "openai/gpt-4o", "openai/gpt-5")]
    assert get_ai_config(organization).chat_model == "openai/gpt-4o"


def test_a_save_in_between_is_shown_before_anything_is_overwritten(client: Client, organization: Organization) -> None:
    save_ai_config(organization, provider="openrouter", chat_model="openai/gpt-4-turbo")
    version = get_ai_config(organization).version
    answer = client.post(url("catalog_select", organization), {"m": GPT, "for": "chat", "version": version - 1})
    assert answer.status_code == 409
    page = text(answer)
    assert "Somebody saved the AI configuration meanwhile" in page
    assert ("Chat model", "openai/gpt-4-turbo", "openai/gpt-5") in differences(page)
    assert f'name="version" value="{version}"' in page
    assert get_ai_config(organization).chat_model == "openai/gpt-4-turbo"
    assert send(client, organization, GPT, "chat").status_code == 302


@pytest.mark.parametrize("version", ["", "x", "-1"])
def test_a_save_that_names_no_version_is_not_made(client: Client, organization: Organization, version: str) -> None:
    assert send(client, organization, GPT, "chat", version=version).status_code == 409
    assert get_ai_config(organization).chat_model == "openai/gpt-4o"


@pytest.mark.parametrize(
    ("reference", "purpose", "sentence"),
    [
        ("openai:gpt-5", "chat", "Save a key for OpenAI first"),
        (CLAUDE, "research", "has to be one of OpenRouter"),
        (GPT, "embedding", "makes no embeddings"),
        (EMBEDDING, "chat", "does not chat"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    client: Client, organization: Organization, reference: str, purpose: str, sentence: str
) -> None:
    before = get_ai_config(organization).version
    for answer in (
        client.get(url("catalog_select", organization), {"m": reference, "for": purpose}),
        send(client, organization, reference, purpose),
    ):
        assert answer.status_code == 422
        assert sentence in unescape(text(answer))
        assert "Use this model</button>" not in text(answer)
    assert get_ai_config(organization).version == before


def test_on_the_platforms_ai_there_is_nothing_to_embed_with(client: Client, organization: Organization) -> None:
    save_ai_config(organization, provider="platform_default")
    answer = client.get(url("catalog_select", organization), {"m": EMBEDDING, "for": "embedding"})
    assert "Choose a chat model with a key of yours first" in unescape(text(answer))
    assert send(client, organization, GPT, "chat").status_code == 302
    assert get_ai_config(organization).provider == "openrouter"


def test_where_own_keys_are_switched_off(client: Client, organization: Organization, settings: Any) -> None:
    settings.BYOK_ENABLED = False
    assert "Select for" not in text(client.get(url("catalog", organization)))
    assert send(client, organization, GPT, "chat").status_code == 422


def test_an_old_sign_in_is_confirmed_first(client: Client, organization: Organization) -> None:
    sign_in_grows_old(client)
    where = url("catalog_select", organization)
    answer = client.get(where, {"m": GPT, "for": "chat"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert (
        "/accounts/reauthenticate/" in client.get(where, {"m": GPT, "for": "chat"}, headers=HTMX).headers["HX-Redirect"]
    )
    answer = send(client, organization, GPT, "chat")
    assert answer.status_code == 422
    assert "Confirm who you are" in text(answer)
    assert get_ai_config(organization).chat_model == "openai/gpt-4o"


def test_what_is_not_there_is_not_found(client: Client, organization: Organization) -> None:
    where = url("catalog_select", organization)
    add_model("ft:x", route="openrouter", organization=OrganizationFactory())
    for reference in ("openrouter:ft:x", "openrouter:no/such", "", "x"):
        assert client.get(where, {"m": reference, "for": "chat"}).status_code == 404
        assert send(client, organization, reference, "chat").status_code == 404
    assert send(client, organization, GPT, "everything").status_code == 404
    assert client.get(where).headers["Location"] == url("catalog", organization)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_only_admins_select(organization: Organization, role: Role) -> None:
    assert send(client_of(organization, role), organization, GPT, "chat").status_code == 403
    assert get_ai_config(organization).chat_model == "openai/gpt-4o"
