"""Plain calls through the official SDKs: what aimock was asked and told is what the usage row says, to the token."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from byok.models import CatalogModel
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import chat
from tests.wire.answers import says, usage
from tests.wire.provider import CHAT_PATHS, Aimock
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def model(tenant: Organization) -> TenantModel:
    return get_model_for_tenant(tenant, "chat", operation="qualification")


def text_of(answer: Any) -> str:
    return str(answer.content[0].text if hasattr(answer, "content") else answer.choices[0].message.content)


@WAYS
def test_a_call_is_booked_with_the_tokens_that_the_provider_told(
    mock: Aimock, model: TenantModel, rows: Rows, stream: bool
) -> None:
    fixture = says("Hello, how can I help you today?", name="answer-1", told=usage(1234, 567, cost=0.0123))
    # OpenRouter's streams begin with a comment.
    mock.answers(fixture | {"openRouterProcessing": True})

    answer = chat(model, stream=stream)
    if stream:
        assert len(list(answer)) > 2
    else:
        assert text_of(answer) == "Hello, how can I help you today?"

    (call,), (row,) = mock.calls, rows()
    assert (call.path, call.status, call.body["model"]) == (CHAT_PATHS[mock.provider], 200, model.model_id)
    assert (row.input_tokens, row.output_tokens) == (call.told["prompt_tokens"], call.told["completion_tokens"])
    assert row.total_tokens == call.told["total_tokens"] == 1801
    assert row.provider_request_id == call.answer_id == "answer-1"
    assert (row.success, row.http_status, row.streamed) == (True, 200, stream)
    listed = CatalogModel.objects.get(route=mock.provider, model_id=model.model_id)
    assert listed.input_price is not None
    assert listed.output_price is not None
    assert row.estimated_cost == (1234 * listed.input_price + 567 * listed.output_price) / 1_000_000
    # Only OpenRouter says itself what a call cost.
    assert row.actual_cost == (Decimal("0.0123") if mock.provider == "openrouter" else None)


@WAYS
@pytest.mark.parametrize("provider", ["openrouter"])
def test_cached_tokens_thoughts_and_the_bill_of_another_account_are_kept_apart(
    mock: Aimock, model: TenantModel, rows: Rows, stream: bool
) -> None:
    told = usage(1000, 300, cost=0.001) | {
        "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 120},
        # The account has a key of its own at the vendor, who sends a bill beside OpenRouter's.
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.02},
    }
    mock.answers(says("Hello", name="answer-1", told=told))
    answer = chat(model, stream=stream)
    if stream:
        list(answer)

    (row,) = rows()
    assert (row.input_tokens, row.cached_input_tokens, row.cache_write_tokens) == (500, 400, 100)
    assert (row.output_tokens, row.reasoning_tokens, row.total_tokens) == (300, 120, 1300)
    assert row.actual_cost == Decimal("0.021")
