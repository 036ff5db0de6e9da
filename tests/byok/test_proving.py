"""A new key is tested on what was chosen before it is kept."""

from typing import Any

import pytest
from pytest_django import Settings

from byok.checking.proving import KeyNotProved, prove_and_save
from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.saving import KEEP, ConfigConflict, save_ai_config
from byok.config.values import InvalidConfig
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.stored_key import opened

pytestmark = pytest.mark.django_db

NEW = "sk-proj-NEWnewNEWnewNEWnewNEW1111"


def values(**changed: Any) -> dict[str, Any]:
    return {"provider": "openai", "chat_model": "gpt-4o", "api_key": KEYS["openai"]} | changed


def test_the_first_key_is_tested_on_exactly_what_was_chosen(organization: Organization, asked: Asked) -> None:
    chosen = values(operation_models={"research": "gpt-5", "qualification": "gpt-4o"}, api_key=f"  {KEYS['openai']} ")
    saved = prove_and_save(organization, chosen)
    assert asked.calls == [
        {"provider": "openai", "key": KEYS["openai"], "chat": ["gpt-4o", "gpt-5"], "emb": "text-embedding-3-small"}
    ]
    assert saved.report is not None
    assert ProviderCredential.objects.get().status == CredentialStatus.OK


@pytest.mark.parametrize("refused", ["key", "gpt-4o", "text-embedding-3-small"])
def test_the_old_key_stays_until_the_new_one_is_proved(organization: Organization, asked: Asked, refused: str) -> None:
    save_ai_config(organization, **values())
    asked.states[refused] = LineState.FAILED
    with pytest.raises(KeyNotProved) as caught:
        prove_and_save(organization, values(api_key=NEW, chat_model="gpt-4o"), save_untested=True)
    assert not caught.value.may_save_untested
    assert opened(organization) == KEYS["openai"]
    assert AIConfig.objects.get().version == 1
    event = AuditEvent.objects.latest("pk")
    assert event.action == "connection.test_failed"
    assert event.after is not None
    assert event.after["last4"] == "1111"
    assert NEW not in str(event.after)


def test_a_provider_that_could_not_be_asked_leaves_the_choice_to_a_person(
    organization: Organization, asked: Asked
) -> None:
    asked.states["key"] = LineState.UNKNOWN
    with pytest.raises(KeyNotProved) as caught:
        prove_and_save(organization, values())
    assert caught.value.may_save_untested
    assert not ProviderCredential.objects.exists()
    prove_and_save(organization, values(), save_untested=True)
    assert opened(organization) == KEYS["openai"]
    assert ProviderCredential.objects.get().status == CredentialStatus.UNREACHABLE


def test_nobody_is_asked_when_nothing_new_was_chosen(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    same = values(api_key=KEEP, usage_tracking=False, embedding_model="text-embedding-3-small")
    assert prove_and_save(organization, same).report is None
    assert prove_and_save(organization, values(api_key=None, chat_model="gpt-5")).report is None
    assert asked.calls == []
    assert get_ai_config(organization).chat_model == "gpt-5"


def test_other_models_are_looked_for_with_the_stored_key(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    chosen = values(api_key=KEEP, chat_model="gpt-5", operation_models={"research": "gpt-4o"})
    saved = prove_and_save(organization, chosen)
    assert asked.calls == [
        {
            "provider": "openai",
            "key": KEYS["openai"],
            "chat": ["gpt-5", "gpt-4o"],
            "emb": "text-embedding-3-small",
        }
    ]
    row = ProviderCredential.objects.get()
    assert saved.report is not None
    assert row.report == saved.report.as_json()
    assert row.status == CredentialStatus.OK
    assert AuditEvent.objects.filter(action="connection.tested").count() == 1


@pytest.mark.parametrize(
    ("chosen", "missing", "field"),
    [
        ({"chat_model": "gpt-9"}, "gpt-9", "chat_model"),
        ({"operation_models": {"qualification": "gpt-9"}}, "gpt-9", "model_qualification"),
        ({"embedding_model": "text-embedding-9"}, "text-embedding-9", "embedding_model"),
    ],
)
def test_a_model_that_is_not_offered_is_told_at_its_field(
    organization: Organization, asked: Asked, chosen: dict[str, Any], missing: str, field: str
) -> None:
    save_ai_config(organization, **values())
    asked.states[missing] = LineState.FAILED
    with pytest.raises(InvalidConfig) as caught:
        prove_and_save(organization, values(api_key=KEEP, **chosen))
    assert caught.value.field == field
    assert AIConfig.objects.get().version == 1


@pytest.mark.parametrize("state", [LineState.UNKNOWN, LineState.FAILED])
def test_a_stored_key_in_trouble_stops_no_choice_of_models(
    organization: Organization, asked: Asked, state: LineState
) -> None:
    save_ai_config(organization, **values())
    asked.states["key"] = state
    prove_and_save(organization, values(api_key=KEEP, chat_model="gpt-5"))
    assert get_ai_config(organization).chat_model == "gpt-5"
    expected = CredentialStatus.REJECTED if state is LineState.FAILED else CredentialStatus.UNREACHABLE
    assert ProviderCredential.objects.get().status == expected


def test_models_for_a_key_that_does_not_open_are_told_at_the_key(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    ProviderCredential.objects.update(sealed_key="v1:00000000:damaged:damaged")
    with pytest.raises(InvalidConfig, match="can no longer be opened") as caught:
        prove_and_save(organization, values(api_key=KEEP, chat_model="gpt-5"))
    assert caught.value.field == "api_key"
    assert asked.calls == []


def test_a_first_key_without_credit_is_kept_and_says_so(organization: Organization, asked: Asked) -> None:
    asked.states["credit"] = LineState.FAILED
    prove_and_save(organization, values())
    assert ProviderCredential.objects.get().status == CredentialStatus.NO_CREDIT


def test_one_without_credit_replaces_another_only_when_a_person_wants_it(
    organization: Organization, asked: Asked
) -> None:
    save_ai_config(organization, **values())
    asked.states["credit"] = LineState.FAILED
    with pytest.raises(KeyNotProved) as caught:
        prove_and_save(organization, values(api_key=NEW))
    assert caught.value.may_save_untested
    assert opened(organization) == KEYS["openai"]
    prove_and_save(organization, values(api_key=NEW), save_untested=True)
    assert opened(organization) == NEW


def test_nobody_is_asked_about_a_key_of_another_provider(organization: Organization, asked: Asked) -> None:
    with pytest.raises(InvalidConfig) as caught:
        prove_and_save(organization, values(api_key=KEYS["anthropic"]))
    assert caught.value.field == "api_key"
    assert asked.calls == []


def test_a_save_in_between_is_a_conflict_and_changes_nothing(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    asked.meanwhile = lambda: save_ai_config(organization, **values(api_key=KEEP, chat_model="gpt-4o-mini"))
    with pytest.raises(ConfigConflict):
        prove_and_save(organization, values(api_key=NEW, version=1))
    assert opened(organization) == KEYS["openai"]
    assert get_ai_config(organization).chat_model == "gpt-4o-mini"


def test_nothing_is_saved_or_asked_where_own_keys_are_off(
    organization: Organization, asked: Asked, settings: Settings
) -> None:
    settings.BYOK_ENABLED = False
    with pytest.raises(InvalidConfig, match="not enabled"):
        prove_and_save(organization, values())
    assert asked.calls == []
    assert not AIConfig.objects.exists()


def test_a_stale_version_asks_nobody(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    with pytest.raises(ConfigConflict):
        prove_and_save(organization, values(api_key=NEW, version=0))
    assert asked.calls == []


def test_without_a_version_what_was_tested_is_what_is_saved(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    other = {"operation_models": {"research": "gpt-5"}, "api_key": KEEP}
    asked.meanwhile = lambda: save_ai_config(organization, **values(**other))
    with pytest.raises(ConfigConflict):
        prove_and_save(organization, values(api_key=NEW))
    assert opened(organization) == KEYS["openai"]


def test_trying_names_of_models_without_end_asks_nobody_any_more(organization: Organization, asked: Asked) -> None:
    save_ai_config(organization, **values())
    for number in range(40):
        prove_and_save(organization, values(api_key=KEEP, chat_model=f"gpt-{number}"))
    assert 10 <= len(asked.calls) < 40
    assert get_ai_config(organization).chat_model == "gpt-39"


@pytest.mark.parametrize("text", ["gpt\x00-4o", "gpt-4o\nX-Header: 1", "gpt\u2028", "\udc80"])
@pytest.mark.parametrize("field", ["chat_model", "embedding_model", "openrouter_site_name"])
def test_names_are_one_line_of_text(organization: Organization, asked: Asked, field: str, text: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        prove_and_save(organization, values(**{field: text}))
    assert caught.value.field == field
    assert not AIConfig.objects.exists()
