"""A tracing system in memory, in place of the one that an operator configures."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """`.get_finished_spans()`: what was traced so far."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The API's own place for it can be set once per process only.
    monkeypatch.setattr("leadagent.telemetry.traces.trace.get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()
