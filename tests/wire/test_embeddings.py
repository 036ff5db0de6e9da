"""Embeddings on the wires that have them: in batches, in order, each call one row.

aimock tells zero tokens for every embedding, where OpenAI and OpenRouter tell how many they read
(https://platform.openai.com/docs/api-reference/embeddings/object): that the told count is booked is tested
with the sandbox.
"""

from collections.abc import Callable

import pytest

from byok.providers import REGISTRY
from byok.providers.base import BatchLimits
from leadagent.leads.knowledge import add_document_to_knowledge_base
from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.knowledge.indexing import index_document
from leadagent.leads.models import DocumentStatus
from leadagent.tenants.models import Organization
from tests.wire.models import EMBEDDING_MODELS
from tests.wire.provider import Aimock
from usage.models import AIUsage

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("provider", EMBEDDING_MODELS)]

Rows = Callable[[], list[AIUsage]]


@pytest.fixture(autouse=True)
def batches_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in EMBEDDING_MODELS:
        monkeypatch.setattr(type(REGISTRY[provider]), "embedding_batch", BatchLimits(inputs=4, tokens=100_000))


def test_many_texts_go_in_batches_and_come_back_in_order(tenant: Organization, mock: Aimock, rows: Rows) -> None:
    texts = [f"Passage {number} of ten." for number in range(10)]

    made = generate_embeddings(tenant, texts)

    # The vector follows from the text alone, so that the same text tells whether the order was kept.
    again = [generate_embeddings(tenant, [text]).vectors[0] for text in (texts[0], texts[5], texts[9])]
    assert [made.vectors[0], made.vectors[5], made.vectors[9]] == again
    assert len({tuple(vector) for vector in made.vectors}) == 10
    assert {len(vector) for vector in made.vectors} == {1536}
    base = "/api/v1" if mock.provider == "openrouter" else "/v1"
    calls, booked = mock.calls, rows()
    assert {call.path for call in calls} == {f"{base}/embeddings"}
    assert len(calls) == len(booked) == 3 + 3
    assert [row.provider_request_id for row in booked] == [call.request_id for call in calls]
    assert {(row.operation, row.model, row.success) for row in booked} == {
        ("embedding", EMBEDDING_MODELS[mock.provider], True)
    }


def test_a_document_goes_on_after_the_batch_that_failed(tenant: Organization, mock: Aimock, rows: Rows) -> None:
    sections = [f"# Section {number}\n\n" + f"Gears of kind {number} cost money. " * 30 for number in range(10)]
    document = add_document_to_knowledge_base(tenant, "Prices", "\n\n".join(sections))
    too_many = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
    mock.answers({"match": {"inputText": "Section 5"}, "response": {**too_many, "status": 429, "retryAfter": 2}})

    pause = index_document(document.pk)

    assert pause is not None
    assert pause.total_seconds() >= 2
    document.refresh_from_db()
    stored = document.chunks.count()
    assert (document.status, stored >= 10) == (DocumentStatus.PENDING, True)
    assert [call.status for call in mock.calls] == [200, 429]

    mock.answers_only()
    document.next_attempt_at = None
    document.save(update_fields=["next_attempt_at"])
    assert index_document(document.pk) is None

    document.refresh_from_db()
    assert document.status == DocumentStatus.READY
    calls, booked = mock.calls, rows()
    asked = [str(call.body["embeddingInput"]) for call in calls if call.status == 200]
    # No passage is sent twice but those of the batch that was refused.
    assert all(sum(f"Section {number}" in text for text in asked) == 1 for number in range(10))
    assert [(row.http_status, row.error_code) for row in booked] == [
        (call.status, "" if call.status == 200 else "rate_limited") for call in calls
    ]
