"""What goes wrong at a provider or on the way, met by the official SDKs: one call, one row, and our word for it.

aimock sends no error inside of a stream that has begun; the sandbox does (`errorin200`), on all three wires.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from byok.errors import AIError, translated
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import chat
from tests.wire.answers import Fixture, says, usage
from tests.wire.provider import Aimock
from tests.wire.refusals import CASES, REFUSALS
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def model(tenant: Organization) -> TenantModel:
    return get_model_for_tenant(tenant, "chat", operation="qualification")


def failing(model: TenantModel, *, stream: bool = False) -> AIError:
    """How a call ends that has no answer."""
    with pytest.raises(AIError) as raised:
        call(model, stream=stream)
    return raised.value


def call(model: TenantModel, *, stream: bool) -> list[Any]:
    with translated(model.provider):
        answer = chat(model, stream=stream)
        return list(answer) if stream else [answer]


def greeting(**how: Any) -> Fixture:
    """Long enough for several pieces of a stream. `how`: what aimock does to them."""
    return says("Hello, how can I help you today? " * 10, name="cut-1", told=usage(700, 80, cost=0.001)) | how


@pytest.mark.parametrize(("provider", "name"), CASES)
def test_a_refusal_is_one_unbilled_row(mock: Aimock, model: TenantModel, rows: Rows, name: str) -> None:
    # A refusal has the same form whether a stream was asked for or not: half of them try each.
    stream = len(name) % 2 == 0
    refusal = REFUSALS[mock.provider][name]
    mock.answers(refusal.fixture())

    error = failing(model, stream=stream)

    assert (error.code, error.status) == (refusal.code, refusal.status)
    # aimock names a second with every 429 that names nothing.
    assert error.retry_after == (refusal.retry_after or (1 if refusal.status == 429 else None))
    assert refusal.message[:20] in error.detail
    (call,), (row,) = mock.calls, rows()
    assert (row.http_status, row.error_code, row.success) == (call.status, refusal.code, False)
    assert row.cost == 0
    assert (row.total_tokens, row.streamed) == (0, stream)
    assert row.provider_request_id == call.request_id


def test_an_answer_that_is_no_json_is_not_understood(mock: Aimock, model: TenantModel, rows: Rows) -> None:
    mock.answers(greeting())
    mock.fails(malformedRate=1)
    assert failing(model).code == "bad_response"
    (call,), (row,) = mock.calls, rows()
    assert (call.chaos, call.status) == ("malformed", 200)
    assert (row.http_status, row.error_code, row.success) == (200, "bad_response", False)
    # It may have been billed.
    assert row.cost is None


def test_a_stream_that_is_none_is_not_booked_as_a_success(mock: Aimock, model: TenantModel, rows: Rows) -> None:
    mock.answers(greeting())
    mock.fails(malformedRate=1)
    assert list(chat(model, stream=True)) == []
    (row,) = rows()
    assert (row.http_status, row.error_code, row.success) == (200, "bad_response", False)
    assert row.cost is None


@WAYS
def test_who_hangs_up_without_an_answer_cannot_be_reached(
    mock: Aimock, model: TenantModel, rows: Rows, stream: bool
) -> None:
    mock.answers(greeting())
    mock.fails(disconnectRate=1)
    assert failing(model, stream=stream).code == "unreachable"
    (call,), (row,) = mock.calls, rows()
    assert (call.chaos, call.status) == ("disconnect", 0)
    assert (row.http_status, row.error_code, row.success) == (None, "unreachable", False)
    # The request had left: that nothing was billed cannot be known.
    assert row.cost is None


def test_a_stream_that_is_cut_keeps_what_it_told(mock: Aimock, model: TenantModel, rows: Rows) -> None:
    mock.answers(greeting(truncateAfterChunks=4, latency=20))
    assert failing(model, stream=True).code == "unreachable"
    (call,), (row,) = mock.calls, rows()
    assert (call.status, call.was_cut) == (200, True)
    assert (row.http_status, row.error_code, row.success) == (200, "unreachable", False)
    assert row.provider_request_id == call.answer_id == "cut-1"
    assert row.cost is None
    # Anthropic tells the input at the stream's begin, the others tell everything at its end.
    assert row.input_tokens == (700 if mock.provider == "anthropic" else 0)


@WAYS
def test_who_takes_too_long_is_not_waited_for(
    mock: Aimock, model: TenantModel, rows: Rows, settings: Settings, stream: bool
) -> None:
    settings.AI_READ_TIMEOUT = 0.3
    mock.answers(greeting())
    mock.fails(latencyMs=1500)
    before = mock.counted()
    assert failing(model, stream=stream).code == "timeout"
    (row,) = rows()
    assert (row.http_status, row.error_code, row.success) == (None, "timeout", False)
    assert row.cost is None
    # aimock writes no journal of whom it could not answer any more; its counters have it.
    assert mock.calls == []
    assert mock.counted() - before == {0: 1}


def test_a_stream_may_be_slow_as_long_as_it_goes_on(
    mock: Aimock, model: TenantModel, rows: Rows, settings: Settings
) -> None:
    settings.AI_READ_TIMEOUT = 0.5
    mock.answers(greeting(latency=60, chunkSize=40))
    assert list(chat(model, stream=True))
    (row,) = rows()
    assert (row.success, row.total_tokens) == (True, 780)
    assert row.duration_ms is not None
    assert row.duration_ms > 500


def test_a_stream_that_stops_to_talk_is_given_up(
    mock: Aimock, model: TenantModel, rows: Rows, settings: Settings
) -> None:
    settings.AI_READ_TIMEOUT = 0.3
    mock.answers(greeting(streamingProfile={"ttft": 0, "tps": 1}))
    assert failing(model, stream=True).code == "timeout"
    (row,) = rows()
    assert (row.http_status, row.error_code, row.success) == (200, "timeout", False)
    assert row.cost is None


def test_no_refusal_holds_the_key(mock: Aimock, model: TenantModel, rows: Rows) -> None:
    refusal = REFUSALS[mock.provider]["wrong key"].fixture()
    refusal["response"]["error"]["message"] += f" Your key was {mock.key}."
    mock.answers(refusal)
    error = failing(model)
    (row,) = rows()
    told = json.dumps([error.detail, error.sentence, str(error), row.error_message])
    assert mock.key not in told
    assert mock.key[:-4] not in told
