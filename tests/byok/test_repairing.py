"""Answers that were lost on the way back: OpenRouter is asked what they have cost, and the sums move by just that."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from django.utils import timezone
from pytest_django import Settings

from byok.calls.repairing import repair_due
from byok.models import ProviderCredential
from byok.providers import REGISTRY
from byok.providers.base import Generation
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import OPENROUTER_CHAT, STREAM, FakeProvider, chat, chat_async, streamed
from tests.byok.keys import KEYS
from tests.byok.lost_answers import GENERATION, again, cut
from tests.usage.rollup import assert_rollup_equals_events
from usage.ledger import ingest, reconciling, repair
from usage.models import AIUsage, UnsettledCall, UsageDaily, UsageInbox

pytestmark = pytest.mark.django_db


def told(**changes: Any) -> httpx2.Response:
    return httpx2.Response(200, json={"data": GENERATION | changes})


@pytest.fixture
def lost(tenant: Tenant, fake: FakeProvider) -> AIUsage:
    cut(tenant("openrouter"), fake)
    ingest.drain()
    row = AIUsage.objects.get()
    assert (row.cost, row.provider_request_id, row.state) == (None, "gen-1", "final")
    fake.sent.clear()
    return row


def test_a_cut_stream_is_repaired_exactly(lost: AIUsage, fake: FakeProvider) -> None:
    fake.answer = lambda request: told()
    assert repair_due() == 1
    (asked,) = fake.sent
    assert (asked.method, asked.url.path, parse_qs(asked.url.query.decode())) == (
        "GET",
        "/api/v1/generation",
        {"id": ["gen-1"]},
    )
    assert asked.headers["authorization"] == f"Bearer {KEYS['openrouter']}"
    row = AIUsage.objects.get()
    assert (row.id, row.created_at, row.duration_ms) == (lost.id, lost.created_at, lost.duration_ms)
    assert (row.state, row.actual_cost, row.estimated_cost) == ("repaired", Decimal("0.000123"), None)
    tokens = (row.input_tokens, row.cached_input_tokens, row.output_tokens, row.reasoning_tokens, row.total_tokens)
    assert tokens == (600, 400, 70, 20, 1070)
    assert (row.success, row.error_code) == (False, lost.error_code)
    day = UsageDaily.objects.get()
    assert (day.requests, day.actual_cost, day.unpriced_requests, day.total_tokens) == (1, Decimal("0.000123"), 0, 1070)
    assert_rollup_equals_events()
    assert not UnsettledCall.objects.exists()
    assert repair_due() == 0


def test_the_organisation_finds_it_in_its_audit_log(
    lost: AIUsage, organization: Organization, fake: FakeProvider
) -> None:
    fake.answer = lambda request: told()
    repair_due()
    event = AuditEvent.objects.get(action="usage.repaired")
    assert (event.organization_id, event.after) == (organization.pk, {"asked": 1, "repaired": 1})
    assert KEYS["openrouter"] not in json.dumps([event.after, event.target])


def test_what_the_account_pays_upstream_counts(lost: AIUsage, fake: FakeProvider) -> None:
    fake.answer = lambda request: told(is_byok=True)
    repair_due()
    assert AIUsage.objects.get().actual_cost == Decimal("0.000223")


def test_a_call_that_was_killed_is_repaired_by_the_name_it_had_told(
    tenant: Tenant, organization: Organization, fake: FakeProvider
) -> None:
    """The process died in the stream: only its start, and the answer's name, were written."""
    cut(tenant("openrouter"), fake)
    assert [kind for (kind,) in UsageInbox.objects.order_by("seq").values_list("kind")] == [
        "started",
        "answered",
        "finished",
    ]
    UsageInbox.objects.filter(kind="finished").delete()
    UsageInbox.objects.update(received_at=timezone.now() - reconciling.UNRECONCILED_AFTER - timedelta(seconds=1))
    assert reconciling.reconcile() == 1
    ingest.drain()
    assert AIUsage.objects.get().state == "unreconciled"
    fake.answer = lambda request: told()
    assert repair_due() == 1
    row = AIUsage.objects.get()
    assert (row.state, row.error_code, row.actual_cost) == ("repaired", "stream_cut", Decimal("0.000123"))
    assert_rollup_equals_events()


def test_the_name_is_written_before_the_caller_sees_the_first_piece(tenant: Tenant, fake: FakeProvider) -> None:
    model = tenant("openrouter")
    fake.answer = lambda request: streamed(STREAM["openrouter"])
    stream = chat(model, stream=True)
    next(iter(stream))
    note = UsageInbox.objects.get(kind="answered")
    assert note.payload["provider_request_id"] == "gen-1"
    stream.close()
    assert UsageInbox.objects.filter(kind="answered").count() == 1


def test_a_name_in_the_header_is_written_before_any_piece(tenant: Tenant, fake: FakeProvider) -> None:
    model = tenant("openrouter")
    answer = streamed(STREAM["openrouter"])
    answer.headers["x-generation-id"] = "gen-early"
    fake.answer = lambda request: answer
    with model.client().chat.completions.with_streaming_response.create(  # type: ignore[union-attr]
        model=model.model_id, messages=[{"role": "user", "content": "Hello"}], stream=True
    ):
        assert UsageInbox.objects.get(kind="answered").payload["provider_request_id"] == "gen-early"


def test_an_event_loop_writes_it_too(tenant: Tenant, fake: FakeProvider) -> None:
    model = tenant("openrouter")
    fake.answer = lambda request: streamed(STREAM["openrouter"])

    async def read() -> None:
        async for _ in await chat_async(model, stream=True):
            pass

    asyncio.run(read())
    kinds = list(UsageInbox.objects.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["started", "answered", "finished"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_streams_that_nobody_can_be_asked_about_cost_no_third_write(
    tenant: Tenant, fake: FakeProvider, provider: str
) -> None:
    fake.answer = lambda request: streamed(STREAM[provider])
    for _ in chat(tenant(provider), stream=True):
        pass
    assert list(UsageInbox.objects.order_by("seq").values_list("kind", flat=True)) == ["started", "finished"]


def test_whole_answers_cost_no_third_write(tenant: Tenant, fake: FakeProvider) -> None:
    fake.answers(200, OPENROUTER_CHAT, x_generation_id="gen-1")
    chat(tenant("openrouter"))
    assert list(UsageInbox.objects.order_by("seq").values_list("kind", flat=True)) == ["started", "finished"]


def test_an_answer_whose_body_was_damaged_is_found_by_its_header(tenant: Tenant, fake: FakeProvider) -> None:
    fake.answers(200, b'{"id": "gen-', x_generation_id="gen-1")
    with pytest.raises(ValueError, match="Unterminated"):
        chat(tenant("openrouter"))
    ingest.drain()
    assert AIUsage.objects.get().cost is None
    fake.answer = lambda request: told(cancelled=False)
    assert repair_due() == 1
    assert_rollup_equals_events()


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(404, json={"error": {"code": 404, "message": "Generation gen-1 not found"}}),
        httpx2.Response(500, text="no"),
        httpx2.Response(200, text="no JSON"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"data": None}),
        httpx2.Response(200, json={"data": GENERATION | {"total_cost": None}}),
        httpx2.Response(200, json={"data": GENERATION | {"total_cost": -1}}),
        httpx2.Response(200, json={"data": GENERATION | {"is_byok": True, "upstream_inference_cost": None}}),
        httpx2.ConnectError("away"),
        httpx2.ReadTimeout("slow"),
    ],
    ids=repr,
)
def test_what_is_not_told_yet_is_asked_again_ever_more_rarely_and_not_for_ever(
    lost: AIUsage, fake: FakeProvider, answer: Any
) -> None:
    fake.answer = lambda request: answer
    waits = []
    for _ in range(len(repair.WAITS)):
        before = timezone.now()
        assert repair_due() == 0
        waits.append(UnsettledCall.objects.get().next_try_at - before)
        assert repair_due() == 0, "not before its time"
        again()
    assert sorted(waits) == waits
    assert timedelta(hours=20) < sum(repair.WAITS, timedelta()) < timedelta(hours=26)
    asked = len(fake.sent)
    assert repair_due() == 0
    assert len(fake.sent) == asked
    assert not UnsettledCall.objects.exists()
    row = AIUsage.objects.get()
    assert (row.state, row.cost) == ("final", None), "unknown stays unknown"
    assert_rollup_equals_events()


def test_a_truth_that_came_meanwhile_is_left_alone(lost: AIUsage, fake: FakeProvider) -> None:
    def meanwhile(request: httpx2.Request) -> httpx2.Response:
        AIUsage.objects.update(actual_cost=Decimal("0.5"))
        UsageDaily.objects.update(actual_cost=Decimal("0.5"), unpriced_requests=0)
        return told()

    fake.answer = meanwhile
    assert repair_due() == 0
    assert AIUsage.objects.get().actual_cost == Decimal("0.5")
    assert_rollup_equals_events()


def test_the_truth_of_a_killed_call_may_come_after_the_repair(
    tenant: Tenant, fake: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answer = lambda request: streamed(STREAM["openrouter"])
    for _ in chat(tenant("openrouter"), stream=True):
        pass
    late = UsageInbox.objects.get(kind="finished")
    late.delete()
    UsageInbox.objects.update(received_at=timezone.now() - timedelta(hours=1))
    reconciling.reconcile()
    ingest.drain()
    fake.answer = lambda request: told()
    assert repair_due() == 1
    UsageInbox.objects.create(event_id=late.event_id, kind="finished", payload=late.payload)
    ingest.drain()
    row = AIUsage.objects.get()
    assert (row.state, row.success, row.actual_cost) == ("final", True, Decimal("0.00123"))
    assert_rollup_equals_events()
    assert "other figures" not in caplog.text


def test_the_cut_event_coming_twice_does_not_undo_the_repair(
    tenant: Tenant, fake: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    cut(tenant("openrouter"), fake)
    event = UsageInbox.objects.get(kind="finished")
    ingest.drain()
    fake.answer = lambda request: told()
    repair_due()
    UsageInbox.objects.create(event_id=event.event_id, kind="finished", payload=event.payload)
    ingest.drain()
    assert AIUsage.objects.get().state == "repaired"
    assert not UnsettledCall.objects.exists()
    assert "other figures" not in caplog.text
    assert_rollup_equals_events()


@pytest.mark.parametrize("why", ["removed", "refused", "unreadable", "switched off"])
def test_without_a_key_in_force_nobody_is_asked(
    lost: AIUsage, fake: FakeProvider, settings: Settings, why: str
) -> None:
    keys = ProviderCredential.objects.all()
    match why:
        case "removed":
            keys.delete()
        case "refused":
            keys.update(status="rejected")
        case "unreadable":
            keys.update(sealed_key="v1:00000000:AAAA:AAAA")
        case "switched off":
            settings.BYOK_ENABLED = False
    assert repair_due() == 0
    assert fake.sent == []
    assert UnsettledCall.objects.count() == 1
    assert not AuditEvent.objects.filter(action="usage.repaired").exists()


def test_the_platforms_calls_are_asked_about_with_its_key(
    organization: Organization, fake: FakeProvider, settings: Settings
) -> None:
    settings.PLATFORM_PROVIDER = "openrouter"
    settings.PLATFORM_CHAT_MODEL = "openai/gpt-4o-mini"
    settings.PLATFORM_KEYS = settings.PLATFORM_KEYS | {"openrouter": "sk-or-v1-platformplatformplatform"}
    cut(get_model_for_tenant(organization, "chat", operation="research"), fake)
    ingest.drain()
    fake.answer = lambda request: told()
    assert repair_due() == 1
    assert fake.sent[-1].headers["authorization"] == "Bearer sk-or-v1-platformplatformplatform"
    assert AIUsage.objects.get().state == "repaired"
    assert not AuditEvent.objects.filter(action="usage.repaired").exists(), "no key of the organisation was opened"


def test_who_cannot_be_asked_is_not_asked(tenant: Tenant, fake: FakeProvider) -> None:
    cut(tenant("openai"), fake)
    ingest.drain()
    fake.sent.clear()
    assert repair_due() == 0
    assert (fake.sent, UnsettledCall.objects.count()) == ([], 0)


@pytest.mark.parametrize("name", ["chatcmpl-1", "", "req_1", "../gen-1"])
def test_only_names_of_generations_are_asked_for(name: str) -> None:
    assert REGISTRY["openrouter"].generation_path(name) == ""


def test_a_name_stays_inside_its_parameter() -> None:
    assert REGISTRY["openrouter"].generation_path("gen-1&x=/../..") == "/generation?id=gen-1%26x%3D%2F..%2F.."


def test_damaged_counts_are_no_counts() -> None:
    answer = {
        "data": GENERATION
        | {"native_tokens_prompt": "many", "native_tokens_cached": None, "native_tokens_reasoning": 900}
    }
    assert REGISTRY["openrouter"].read_generation(answer) == Generation(Decimal("0.000123"), 0, 0, 70, 70)
