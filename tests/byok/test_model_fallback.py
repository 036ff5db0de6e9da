"""Further models of the organisation's own choice: when they are asked, what is told, and what may be stored."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from byok.calls.model_fallback import REASONS, FailedOnOwnModel, OwnModel, is_of_the_model
from byok.calls.platform_fallback import FailedOnPlatform, Fallback, OnPlatform, own_key_first
from byok.checking.proving import prove_and_save
from byok.config.ai_config import get_ai_config
from byok.config.saving import save_ai_config
from byok.config.values import InvalidConfig
from byok.error_kinds import KINDS
from byok.errors import AIError, translated
from byok.models import AIConfig
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.asked import Asked
from tests.byok.fake_provider import CHAT, FakeProvider, chat
from tests.byok.keys import KEYS
from tests.byok.pages import fields, text, url
from tests.clients import client_of
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
FIRST, SECOND, THIRD = "openai/gpt-4o-mini", "anthropic/claude-haiku-5.5", "google/gemini-2.5-flash"


def choose(organization: Organization, *further: str, operation: str = "qualification", **more: Any) -> AIConfig:
    """OpenRouter on Acme's own key, and the models that take over."""
    values: dict[str, Any] = {"provider": "openrouter", "chat_model": FIRST, "api_key": KEYS["openrouter"]}
    return save_ai_config(organization, further_models={operation: list(further)}, **values | more)


def answers(fake: FakeProvider, statuses: dict[str, int], *, retry_after: str = "") -> None:
    """Each model answers with its status, 200 where none is named."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "api.openai.com":
            return httpx2.Response(200, json=CHAT["openai"])
        status = statuses.get(json.loads(request.content)["model"], 200)
        if status == 200:
            return httpx2.Response(200, json=CHAT["openrouter"])
        error = {"error": {"message": "No.", "code": status}}
        return httpx2.Response(status, json=error, headers={"retry-after": retry_after} if retry_after else {})

    fake.answer = answer


def run(organization: Organization, *, patient: bool = False) -> tuple[str, Fallback | None]:
    def work(fallback: Fallback | None) -> str:
        model = get_model_for_tenant(organization, "chat", operation="qualification", fallback=fallback)
        with translated(model.provider):
            chat(model)
        return model.model_id

    return own_key_first(organization, "qualification", work, patient=patient)


def exchanges(rows: Rows) -> list[tuple[str, str, str]]:
    return [(row.model, row.key_owner, row.error_code) for row in rows()]


# --- When another model is asked ---


@pytest.mark.parametrize("code", KINDS)
def test_only_a_models_own_troubles_count(code: str) -> None:
    assert is_of_the_model(AIError(code, status=429)) is (code in REASONS)


def test_which_troubles_those_are() -> None:
    assert set(REASONS) == {"rate_limited", "overloaded", "timeout", "model_not_found"}


def test_the_organisations_own_limit_per_minute_is_no_trouble_of_a_model() -> None:
    assert not is_of_the_model(AIError("rate_limited", retry_after=30))


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limited"), (503, "overloaded"), (500, "overloaded"), (404, "model_not_found")]
)
def test_the_next_model_goes_on_with_the_same_key(
    organization: Organization, fake: FakeProvider, rows: Rows, status: int, code: str
) -> None:
    choose(organization, SECOND, THIRD)
    answers(fake, {FIRST: status})

    model, instead = run(organization)

    assert model == SECOND
    assert isinstance(instead, OwnModel)
    assert (instead.model, instead.error and instead.error.code) == (SECOND, code)
    assert FIRST in instead.reason
    assert not instead.reason.endswith(".")
    assert exchanges(rows) == [(FIRST, "customer", code), (SECOND, "customer", "")]


def test_a_slow_model_is_left_for_the_next(organization: Organization, fake: FakeProvider) -> None:
    choose(organization, SECOND)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content)["model"] == FIRST:
            raise httpx2.ReadTimeout("slow")
        return httpx2.Response(200, json=CHAT["openrouter"])

    fake.answer = answer
    model, instead = run(organization)
    assert model == SECOND
    assert isinstance(instead, OwnModel)
    assert instead.reason == f"{FIRST} did not answer in time"


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_key"), (402, "no_credit"), (400, "bad_request")])
def test_what_no_other_model_would_mend_stops_at_the_first(
    organization: Organization, fake: FakeProvider, rows: Rows, status: int, code: str
) -> None:
    choose(organization, SECOND)
    answers(fake, {FIRST: status})
    with pytest.raises(AIError) as caught:
        run(organization)
    assert caught.value.code == code
    assert exchanges(rows) == [(FIRST, "customer", code)]


def test_without_further_models_nothing_changes(organization: Organization, fake: FakeProvider, rows: Rows) -> None:
    choose(organization, SECOND, operation="research")
    answers(fake, {FIRST: 503})
    with pytest.raises(AIError, match="overloaded"):
        run(organization)
    assert exchanges(rows) == [(FIRST, "customer", "overloaded")]


@pytest.mark.parametrize(("wish", "waits"), [("", True), ("2", True), ("20", True), ("21", False)])
def test_a_short_limit_is_waited_for_by_who_is_patient(
    organization: Organization, fake: FakeProvider, wish: str, waits: bool
) -> None:
    choose(organization, SECOND)
    answers(fake, {FIRST: 429}, retry_after=wish)
    if waits:
        with pytest.raises(AIError, match="rate_limited"):
            run(organization, patient=True)
    else:
        assert run(organization, patient=True)[0] == SECOND
    assert run(organization)[0] == SECOND


# --- When none can answer ---


def test_they_are_asked_in_their_order_and_the_error_says_that_all_were(
    organization: Organization, fake: FakeProvider, rows: Rows
) -> None:
    choose(organization, SECOND, THIRD)
    answers(fake, {FIRST: 404, SECOND: 503, THIRD: 429}, retry_after="7")
    with pytest.raises(FailedOnOwnModel) as caught:
        run(organization)
    assert [model for model, _, _ in exchanges(rows)] == [FIRST, SECOND, THIRD]
    # What passes by itself is worth another attempt, even though the first model is gone.
    assert (caught.value.code, caught.value.permanent, caught.value.retry_after) == ("overloaded", False, 7.0)
    assert caught.value.sentence.endswith("2 further models could not answer either.")
    assert caught.value.instead.model == THIRD


def test_a_models_that_are_all_gone_stop_for_good(organization: Organization, fake: FakeProvider) -> None:
    choose(organization, SECOND)
    answers(fake, {FIRST: 404, SECOND: 404})
    with pytest.raises(FailedOnOwnModel) as caught:
        run(organization)
    assert (caught.value.code, caught.value.permanent) == ("model_not_found", True)


def test_a_trouble_of_the_key_on_the_way_is_what_is_told(organization: Organization, fake: FakeProvider) -> None:
    choose(organization, SECOND, THIRD)
    answers(fake, {FIRST: 503, SECOND: 402})
    with pytest.raises(FailedOnOwnModel) as caught:
        run(organization)
    assert caught.value.code == "no_credit"
    assert "could not answer either" not in caught.value.sentence


# --- Beside the platform's AI ---


def test_first_the_own_models_then_what_the_consent_allows(
    organization: Organization, fake: FakeProvider, rows: Rows
) -> None:
    choose(organization, SECOND, fallback={"qualification": "allow"})
    answers(fake, {FIRST: 503, SECOND: 401})

    model, instead = run(organization)

    assert isinstance(instead, OnPlatform)
    assert instead.reason == "OpenRouter refused the key"
    assert [owner for _, owner, _ in exchanges(rows)] == ["customer", "customer", "platform"]
    assert model == rows()[-1].model


def test_a_busy_model_is_no_reason_for_the_platforms_ai(
    organization: Organization, fake: FakeProvider, rows: Rows
) -> None:
    choose(organization, SECOND, fallback={"qualification": "allow"})
    answers(fake, {FIRST: 503, SECOND: 503})
    with pytest.raises(AIError) as caught:
        run(organization)
    assert not isinstance(caught.value, FailedOnPlatform)
    assert {owner for _, owner, _ in exchanges(rows)} == {"customer"}


# --- Where models are resolved ---


def test_a_model_that_is_not_listed_is_not_resolved(organization: Organization) -> None:
    choose(organization, SECOND)
    error = AIError("overloaded", provider="openrouter")
    for wish, operation in ((OwnModel(THIRD, error), "qualification"), (OwnModel(SECOND, error), "research")):
        with pytest.raises(AIError) as caught:
            get_model_for_tenant(organization, "chat", operation=operation, fallback=wish)
        assert caught.value is error


def test_a_persons_choice_is_resolved_on_the_own_key_only(organization: Organization) -> None:
    choose(organization)
    model = get_model_for_tenant(organization, "chat", operation="research", fallback=OwnModel(THIRD))
    assert (model.provider, model.model_id, model.is_customer_key) == ("openrouter", THIRD, True)
    save_ai_config(organization, provider="platform_default")
    with pytest.raises(AIError, match="one model"):
        get_model_for_tenant(organization, "chat", operation="research", fallback=OwnModel(THIRD))


def test_embeddings_go_on_with_the_same_model_only(organization: Organization) -> None:
    alike, other = "mirror/text-embedding-3-small", "openai/text-embedding-3-large"
    choose(organization, alike, operation="embedding")
    with pytest.raises(InvalidConfig, match="do not compare"):
        choose(organization, other, operation="embedding")
    error = AIError("overloaded", provider="openrouter")
    wish = OwnModel(alike, error)
    assert get_model_for_tenant(organization, "embedding", operation="embedding", fallback=wish).model_id == alike
    # Whatever came into the row by another way.
    AIConfig.objects.update(further_models={"embedding": [other]})
    with pytest.raises(AIError, match="overloaded"):
        get_model_for_tenant(organization, "embedding", operation="embedding", fallback=OwnModel(other, error))


def test_another_embedding_model_forgets_what_does_not_compare(organization: Organization) -> None:
    choose(organization, "mirror/text-embedding-3-small", operation="embedding")
    values: dict[str, Any] = {"provider": "openrouter", "chat_model": FIRST}
    save_ai_config(organization, **values)
    assert get_ai_config(organization).further_models == {"embedding": ["mirror/text-embedding-3-small"]}
    save_ai_config(organization, **values, embedding_model="openai/text-embedding-3-large")
    assert get_ai_config(organization).further_models == {}


# --- What is stored ---


def test_a_list_is_kept_in_order_and_belongs_to_its_provider(organization: Organization) -> None:
    choose(organization, THIRD, SECOND, THIRD, " ")
    assert get_ai_config(organization).further_models == {"qualification": [THIRD, SECOND]}
    save_ai_config(organization, provider="openrouter", chat_model=SECOND)
    config = get_ai_config(organization)
    # The model in use is not asked twice; the list stays as it was chosen.
    assert config.further_models_for("qualification") == [THIRD]
    assert config.further_models == {"qualification": [THIRD, SECOND]}
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    assert get_ai_config(organization).further_models == {}


@pytest.mark.parametrize(
    ("further", "field"),
    [
        ({"qualification": ["gpt-4o"]}, "further_qualification"),
        ({"qualification": [KEYS["openrouter"]]}, "further_qualification"),
        ({"qualification": ["a/1", "a/2", "a/3", "a/4"]}, "further_qualification"),
        ({"singing": ["a/1"]}, "further_models"),
    ],
)
def test_what_cannot_be_a_list_is_refused(
    organization: Organization, further: dict[str, list[str]], field: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        save_ai_config(
            organization,
            provider="openrouter",
            chat_model=FIRST,
            api_key=KEYS["openrouter"],
            further_models=further,
        )
    assert caught.value.field == field
    assert not AIConfig.objects.exists()


def test_it_is_audited_with_the_rest(organization: Organization) -> None:
    choose(organization, SECOND)
    saved = AuditEvent.objects.get(action="ai_config.saved")
    assert saved.after is not None
    assert saved.after["further_models"] == {"qualification": [SECOND]}


def test_they_are_tested_with_the_key_as_the_main_model_is(organization: Organization, asked: Asked) -> None:
    values: dict[str, Any] = {"provider": "openrouter", "chat_model": FIRST, "api_key": KEYS["openrouter"]}
    prove_and_save(organization, values | {"further_models": {"research": [SECOND]}})
    assert asked.calls[-1]["chat"] == [FIRST, SECOND]
    # A model that was asked about is not asked about again; another one is.
    more = {"provider": "openrouter", "chat_model": FIRST}
    prove_and_save(organization, more | {"further_models": {"research": [SECOND]}})
    assert len(asked.calls) == 1
    prove_and_save(organization, more | {"further_models": {"research": [SECOND, THIRD]}})
    assert asked.calls[-1]["chat"] == [FIRST, SECOND, THIRD]


# --- The page and the API ---


def test_the_page_saves_them_in_order_and_shows_one_more_field(organization: Organization, asked: Asked) -> None:
    client = client_of(organization)
    page = text(client.get(url("settings", organization), {"provider": "openrouter"}))
    assert 'name="further_research_1"' in page
    assert 'name="further_research_2"' not in page

    sent = fields("openrouter", chat_model=FIRST, further_research_1=SECOND, further_research_3=THIRD)
    assert client.post(url("settings", organization), sent).status_code == 302

    assert get_ai_config(organization).further_models == {"research": [SECOND, THIRD]}
    page = text(client.get(url("settings", organization)))
    assert f'name="further_research_2" id="id_further_research_2" value="{THIRD}"' in page
    assert 'name="further_research_3"' in page
    assert "Research: takes over" in page


def test_the_page_tells_a_wrong_name_at_its_field(organization: Organization, asked: Asked) -> None:
    client = client_of(organization)
    sent = fields("openrouter", chat_model=FIRST, further_research_1=SECOND, further_research_2="gpt")
    answer = client.post(url("settings", organization), sent)
    assert answer.status_code == 422
    assert 'id="id_further_research_2_error"' in text(answer)
    assert not AIConfig.objects.exists()


def test_the_page_keeps_embeddings_that_it_does_not_show(organization: Organization, asked: Asked) -> None:
    choose(organization, "mirror/text-embedding-3-small", operation="embedding")
    client = client_of(organization)
    stored = get_ai_config(organization)
    sent = fields("openrouter", api_key="", chat_model=FIRST, embedding_model=stored.embedding_model, version=1)
    assert client.post(url("settings", organization), sent).status_code == 302
    assert get_ai_config(organization).further_models == {"embedding": ["mirror/text-embedding-3-small"]}


def test_the_api_reads_and_writes_them(organization: Organization, asked: Asked) -> None:
    client = client_of(organization)
    body = {
        "provider": "openrouter",
        "models": {"chat": FIRST},
        "api_key": KEYS["openrouter"],
        "further_models": {"research": [SECOND, THIRD]},
    }
    answer = client.post("/api/ai-config", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["further_models"] == {"research": [SECOND, THIRD]}
    assert client.get("/api/ai-config").json()["further_models"] == {"research": [SECOND, THIRD]}
    # Left out they stay; a stale version is a conflict.
    kept = client.post("/api/ai-config", {"usage_tracking": True}, content_type="application/json")
    assert kept.json()["further_models"] == {"research": [SECOND, THIRD]}
    stale = {"further_models": {"research": []}, "version": 1}
    assert client.post("/api/ai-config", stale, content_type="application/json").status_code == 409
    wrong = client.post("/api/ai-config", {"further_models": {"research": ["gpt"]}}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "further_research")
    emptied = client.post("/api/ai-config", {"further_models": {}}, content_type="application/json")
    assert emptied.json()["further_models"] == {}
