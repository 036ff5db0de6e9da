"""Keys at aimock, which takes one and refuses every other with a 401 of its own."""

from collections.abc import Callable

import pytest

from byok.checking.connection import test_ai_connection as check
from byok.checking.reports import LineState, ReportLine
from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.models import CredentialStatus, ProviderCredential
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import chat
from tests.wire.answers import says, usage
from tests.wire.models import CHAT_MODELS, EMBEDDING_MODELS
from tests.wire.provider import Aimock
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]


def lines_of(mock: Aimock, key: str) -> dict[str, ReportLine]:
    """What a test of `key` says, by question."""
    provider = mock.provider
    report = check(
        provider, key, chat_models=[CHAT_MODELS[provider]], embedding_model=EMBEDDING_MODELS.get(provider, "")
    )
    return {line.check: line for line in report.lines}


def wrong(mock: Aimock) -> str:
    return mock.key[:-6] + "000000"


def test_the_right_key_is_accepted_and_its_models_are_found(mock: Aimock) -> None:
    # aimock lists the models that it has answers for.
    models = [CHAT_MODELS[mock.provider], EMBEDDING_MODELS.get(mock.provider, "")]
    mock.answers(
        *(says("Hello", name="x", told=usage(1, 1), when={"model": model}) for model in filter(None, models)),
    )

    lines = lines_of(mock, mock.key)

    assert lines["key"].state is LineState.OK
    if mock.provider == "openrouter":
        assert lines["credit"].state is LineState.OK
        # aimock knows OpenRouter's public list only. What the account may use is documented, and asked for:
        # https://openrouter.ai/docs/api/api-reference/models/list-models-filtered-by-user-provider-preferences-privacy-settings-and-guardrails
        assert lines["chat_model"].state is lines["embedding_model"].state is LineState.UNKNOWN
    else:
        assert lines["chat_model"].state is LineState.OK
    if mock.provider == "openai":
        assert lines["embedding_model"].state is LineState.OK


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_model_that_is_not_offered_is_told(mock: Aimock) -> None:
    mock.answers(says("Hello", name="x", told=usage(1, 1), when={"model": "another-model"}))
    assert lines_of(mock, mock.key)["chat_model"].state is LineState.FAILED


def test_a_wrong_key_is_refused_and_nothing_else_is_asked_with_it(mock: Aimock) -> None:
    before = mock.counted()

    lines = lines_of(mock, wrong(mock))

    assert (lines["key"].state, lines["key"].code) == (LineState.FAILED, "invalid_key")
    assert mock.counted() - before == {401: 1}


def test_a_call_with_a_wrong_key_is_one_row_and_marks_the_key(tenant: Organization, mock: Aimock, rows: Rows) -> None:
    mock.answers(says("Hello", name="x", told=usage(1, 1)))
    save_ai_config(tenant, provider=mock.provider, api_key=wrong(mock), chat_model=CHAT_MODELS[mock.provider])
    model = get_model_for_tenant(tenant, "chat", operation="qualification")
    before = mock.counted()

    with pytest.raises(AIError) as raised, translated(mock.provider):
        chat(model)

    assert raised.value.code == "invalid_key"
    # aimock's journal leaves these out; its counters do not.
    assert mock.counted() - before == {401: 1}
    (row,) = rows()
    assert (row.http_status, row.error_code, row.success) == (401, "invalid_key", False)
    assert row.cost == 0
    assert row.provider_request_id
    assert ProviderCredential.objects.get().status == CredentialStatus.REJECTED
