"""What operators see of calls: figures and spans, each call once, and never a key, an organisation or a text."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from byok.calls.metering import CallContext, Exchange
from byok.calls.model_fallback import on_own_models
from byok.calls.operators import tell_operators
from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from leadagent.telemetry.figures import exposition
from leadagent.telemetry.traces import span
from leadagent.tenants.models import Organization
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import CHAT, MODELS, STREAM, FakeProvider, chat, chat_async, streamed
from tests.byok.keys import KEYS
from tests.byok.told_figures import FIGURES
from tests.telemetry.spans import spans
from usage.models import AIUsage, KeyOwner

__all__ = ["spans"]

pytestmark = pytest.mark.django_db
WIRES = pytest.mark.parametrize("provider", KEYS)


def figures() -> dict[str, float]:
    """`name{labels}` -> value, of everything that was counted in this process."""
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition())
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


class Moved:
    """By how much figures moved since it was made."""

    def __init__(self) -> None:
        self._before = figures()

    def __call__(self) -> dict[str, float]:
        return {
            name: value - self._before.get(name, 0)
            for name, value in figures().items()
            if value != self._before.get(name, 0)
        }


def labelled(name: str, **labels: str) -> str:
    return name + str(sorted(labels.items()))


def call(model: object, way: str, **more: object) -> None:
    async def awaited() -> None:
        answer = await chat_async(model, **more)  # type: ignore[arg-type]  # a TenantModel
        if more.get("stream"):
            _ = [event async for event in answer]

    if way == "async":
        asyncio.run(awaited())
    else:
        answer = chat(model, **more)  # type: ignore[arg-type]  # as above
        _ = list(answer) if more.get("stream") else answer


@WIRES
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_counted_and_traced_once(
    tenant: Tenant, fake: FakeProvider, spans: InMemorySpanExporter, provider: str, way: str, stream: bool
) -> None:
    if stream:
        fake.answer = lambda request: streamed(STREAM[provider])
    else:
        fake.answers(200, CHAT[provider])
    model, moved = tenant(provider), Moved()

    call(model, way, **({"stream": True} if stream else {}))

    of_call = {"provider": provider, "operation": "qualification"}
    told = moved()
    assert told.pop(labelled("leadagent_provider_calls_total", **of_call, outcome="ok")) == 1
    assert told.pop(labelled("leadagent_provider_call_seconds_count", **of_call)) == 1
    told.pop(labelled("leadagent_provider_call_seconds_sum", **of_call), None)
    uncached, cached, written, output, _ = FIGURES[provider].tokens
    expected = {"input": uncached, "cached_input": cached, "cache_write": written, "output": output}
    assert told == {
        labelled("leadagent_provider_tokens_total", **of_call, kind=kind): number
        for kind, number in expected.items()
        if number
    }
    [traced] = spans.get_finished_spans()
    assert traced.name == f"chat {MODELS[provider]}"
    assert traced.kind.name == "CLIENT"
    attributes = dict(traced.attributes or {})
    assert attributes.pop("leadagent.usage_id")
    assert attributes.pop("server.address") in {"openrouter.ai", "api.openai.com", "api.anthropic.com"}
    assert attributes.pop("gen_ai.response.model")
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": MODELS[provider],
        "gen_ai.response.id": FIGURES[provider].request_id,
        "gen_ai.usage.input_tokens": uncached + cached + written,
        "gen_ai.usage.output_tokens": output,
        "http.response.status_code": 200,
        "leadagent.operation": "qualification",
    }


@WIRES
@pytest.mark.parametrize("way", ["sync", "async"])
def test_no_key_no_text_and_no_organisation_in_either(
    organization: Organization, tenant: Tenant, fake: FakeProvider, spans: InMemorySpanExporter, provider: str, way: str
) -> None:
    # A key where the model's name should be (forms refuse it), and an error that quotes the one in use.
    model = replace(tenant(provider), model_id=f"m-{KEYS[provider]}")
    fake.answers(401, {"error": {"message": f"No: {KEYS[provider]}", "type": "authentication_error"}})

    with span("step", {"about": KEYS[provider]}), suppress(AIError), translated(provider):
        call(model, way)

    shown = exposition() + "".join(found.to_json() for found in spans.get_finished_spans())
    assert len(spans.get_finished_spans()) == 2
    for hidden in (KEYS[provider], KEYS[provider][-12:], organization.slug, "about gears", "No: "):
        assert hidden not in shown
    assert '"error.type": "invalid_key"' in shown
    assert 'outcome="invalid_key"' in shown


def test_a_call_is_a_child_of_the_step_that_makes_it_on_the_event_loop_too(
    tenant: Tenant, fake: FakeProvider, spans: InMemorySpanExporter
) -> None:
    fake.answers(200, CHAT["openai"])
    model = tenant("openai")
    for way in ("sync", "async"):
        with span("step research", {}):
            call(model, way)
    found: tuple[ReadableSpan, ...] = spans.get_finished_spans()
    assert [one.name for one in found] == ["chat gpt-4o-mini", "step research"] * 2
    for inner, outer in (found[:2], found[2:]):
        assert inner.parent is not None
        assert outer.context is not None
        assert inner.parent.span_id == outer.context.span_id


def test_a_refusal_that_was_never_sent_is_counted_as_one(tenant: Tenant, fake: FakeProvider) -> None:
    model = tenant("openai")
    from byok.models import ProviderCredential

    ProviderCredential.objects.all().delete()
    moved = Moved()
    with suppress(AIError), translated("openai"):
        call(model, "sync")
    assert moved() == {
        labelled(
            "leadagent_provider_refusals_total", provider="openai", operation="qualification", reason="config_missing"
        ): 1
    }


def test_a_fallback_is_counted_with_what_stood_in(organization: Organization) -> None:
    from byok.config.ai_config import get_ai_config

    save_ai_config(
        organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"], further_models={"qualification": ["gpt-4o-mini"]}
    )  # fmt: skip
    moved = Moved()

    def work(instead: object) -> str:
        if instead is None:
            raise AIError("model_not_found", provider="openai")
        return "answer"

    on_own_models(get_ai_config(organization), "qualification", work)
    name = labelled("leadagent_fallbacks_total", operation="qualification", to="own_model", reason="model_not_found")
    assert moved() == {name: 1}


def test_counting_that_fails_breaks_no_call(
    tenant: Tenant, fake: FakeProvider, rows: Callable[[], list[AIUsage]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr("byok.calls.operators.count_call", fail)
    fake.answers(200, CHAT["openai"])
    call(tenant("openai"), "sync")
    assert [row.success for row in rows()] == [True]


def test_it_costs_a_call_next_to_nothing(organization: Organization) -> None:
    """While nothing is traced: far under a thousandth of the quickest call to a model."""
    context = CallContext(
        organization.pk, "qualification", "openai", "gpt-4o", KeyOwner.CUSTOMER, None, None, None, keep_detail=True
    )
    exchange = Exchange(context, path="/v1/chat/completions", body=b"{}")
    event = exchange.unsent("timeout")
    tell_operators(event, exchange)
    began = time.perf_counter()
    for _ in range(1000):
        tell_operators(event, exchange)
    assert (time.perf_counter() - began) / 1000 < 0.0005
