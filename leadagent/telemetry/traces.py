"""Spans for a tracing system, by OpenTelemetry's conventions for generative AI; nothing unless one is configured.

Without a configured exporter the API's own tracer records nothing. Attributes are names, models, counts and codes:
never a prompt, an answer or a key.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from leadagent.logs import scrub

Value = str | int | float | bool
_TRACER_NAME = "leadagent"


def start_tracing() -> None:
    """Send spans to OTEL_EXPORTER_OTLP_ENDPOINT, where that is set. Once per process, after it was forked.

    The SDK reads the other OTEL_… variables (headers, sampler, service name) from the environment itself.
    """
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return
    # Not before it is wanted: the exporter takes a while to import.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = Resource.create({SERVICE_NAME: settings.OTEL_SERVICE_NAME})
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def record_call(
    name: str, *, seconds: float, attributes: Mapping[str, Value | None], error: str = "", error_text: str = ""
) -> None:
    """A call that is over, as a span of the step or request that made it."""
    tracer = trace.get_tracer(_TRACER_NAME)
    ended = time.time_ns()
    span = tracer.start_span(scrub(name), kind=SpanKind.CLIENT, start_time=ended - round(seconds * 1e9))
    if not span.is_recording():
        return
    span.set_attributes(_plain(attributes))
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR, scrub(error_text) or None))
    span.end(ended)


@contextmanager
def span(name: str, attributes: Mapping[str, Value | None]) -> Iterator[None]:
    """The block as a span; calls inside it are its children, on the event loop and its threads, too."""
    tracer = trace.get_tracer(_TRACER_NAME)
    # An exception's text may quote what a person wrote: its type is enough.
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        if current.is_recording():
            current.set_attributes(_plain(attributes))
        try:
            yield
        except BaseException as error:
            note_error(type(error).__name__)
            raise


def note_error(code: str) -> None:
    """The span around this has failed with one of our codes."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attribute("error.type", code)
        current.set_status(Status(StatusCode.ERROR))


def _plain(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    # Models are texts that people type in: a key that was pasted there is cut out.
    return {
        name: scrub(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None and value != ""
    }
