"""Documents are cut, given vectors and found again, within one organisation and one embedding model."""

import math
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from byok.errors import AIError
from leadagent.leads import tasks
from leadagent.leads.indexing import (
    CLAIM_LOST_AFTER,
    MAX_ATTEMPTS,
    OVERLAP,
    PASSAGE,
    ask_again,
    cut,
    index_document,
    take_due_documents,
)
from leadagent.leads.knowledge import (
    BATCH,
    add_document_to_knowledge_base,
    generate_embedding,
    generate_embeddings,
    search_knowledge_base,
)
from leadagent.leads.models import Chunk, Document, DocumentStatus
from leadagent.tenants.models import Organization
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import DocumentFactory

pytestmark = pytest.mark.django_db

WORDS = ("price", "gears", "holiday")


def by_words(texts: list[str]) -> list[list[float]]:
    """A vector that counts known words: texts about the same thing point the same way."""
    return [[float(text.lower().count(word)) + 0.01 for word in WORDS] for text in texts]


def ready(organization: Organization, title: str, content: str) -> Document:
    document = add_document_to_knowledge_base(organization, title, content)
    index_document(document.pk)
    document.refresh_from_db()
    assert document.status == DocumentStatus.READY
    return document


def test_the_nearest_passage_comes_first(organization: Organization, provider: FakeProvider) -> None:
    provider.embed = by_words
    ready(organization, "Shop", "Our holiday is in August. The holiday is long.")
    prices = ready(organization, "List", "The price of a licence: a price per month.")

    best, other = search_knowledge_base(organization, "What is the price?")

    assert (best.title, best.document_id) == ("List", prices.pk)
    assert best.similarity == pytest.approx(1.0, abs=0.01)
    assert other.similarity < 0.1
    assert len(search_knowledge_base(organization, "price", top=1)) == 1


def test_another_organisations_documents_are_not_there(organization: Organization, provider: FakeProvider) -> None:
    ready(DocumentFactory().organization, "Theirs", "price")
    assert search_knowledge_base(organization, "price") == []

    ready(organization, "Ours", "price")
    assert [passage.title for passage in search_knowledge_base(organization, "price")] == ["Ours"]


def test_vectors_of_another_model_or_dimension_are_not_compared(
    organization: Organization, provider: FakeProvider
) -> None:
    document = ready(organization, "Old", "price")
    provider.embedding_model = "large"
    assert search_knowledge_base(organization, "price") == []

    provider.embedding_model = "small"
    provider.embed = by_words
    assert search_knowledge_base(organization, "price") == []

    assert ask_again(document)
    index_document(document.pk)
    assert [passage.title for passage in search_knowledge_base(organization, "price")] == ["Old"]
    assert Chunk.objects.filter(document=document).count() == 1


def test_an_empty_knowledge_base_costs_no_call(organization: Organization, provider: FakeProvider) -> None:
    DocumentFactory(organization=organization)

    assert search_knowledge_base(organization, "price") == []
    assert provider.calls == []


def test_many_texts_go_out_in_batches_and_come_back_in_order(
    organization: Organization, provider: FakeProvider
) -> None:
    sizes: list[int] = []

    def embed(texts: list[str]) -> list[list[float]]:
        sizes.append(len(texts))
        return [[float(text), 1.0] for text in texts]

    provider.embed = embed

    found = generate_embeddings(organization, [str(n) for n in range(BATCH + 3)])

    assert sizes == [BATCH, 3]
    assert [vector[0] for vector in found.vectors] == [float(n) for n in range(BATCH + 3)]
    assert generate_embedding(organization, "7") == [7.0, 1.0]


def test_a_short_answer_is_an_error(organization: Organization, provider: FakeProvider) -> None:
    provider.embed = lambda texts: [[1.0]] * (len(texts) - 1)

    with pytest.raises(AIError) as caught:
        generate_embedding(organization, "price")

    assert caught.value.code == "bad_response"


def test_a_lasting_failure_is_shown_and_can_be_mended(organization: Organization, provider: FakeProvider) -> None:
    provider.fail_with["embedding"] = AIError("invalid_key", provider="openai")
    document = DocumentFactory(organization=organization)

    assert index_document(document.pk) is None

    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, "invalid_key")
    assert document.error_sentence
    assert index_document(document.pk) is None
    assert len(provider.calls) == 1, "a failed document is not tried again by itself"

    del provider.fail_with["embedding"]
    assert ask_again(document)
    assert not ask_again(document)
    index_document(document.pk)
    document.refresh_from_db()
    assert (document.status, document.error_sentence) == (DocumentStatus.READY, "")


def test_a_passing_failure_is_tried_three_times(organization: Organization, provider: FakeProvider) -> None:
    provider.fail_with["embedding"] = AIError("overloaded", provider="openai")
    document = DocumentFactory(organization=organization)
    at = timezone.now()
    pauses = []
    for attempt in range(3):
        with time_machine.travel(at + attempt * timedelta(minutes=20)):
            pauses.append(index_document(document.pk))
            assert index_document(document.pk) is None, "not before the pause is over"

    assert [pause is None for pause in pauses] == [False, False, True]
    document.refresh_from_db()
    assert document.status == DocumentStatus.FAILED
    assert len(provider.calls) == 3


def test_what_a_dead_worker_left_is_found_and_its_late_result_dropped(
    organization: Organization, provider: FakeProvider, nudges: Nudges
) -> None:
    document = DocumentFactory(organization=organization)

    def die(texts: list[str]) -> list[list[float]]:
        raise SystemExit

    provider.embed = die
    with pytest.raises(SystemExit):
        index_document(document.pk)
    assert index_document(document.pk) is None
    assert take_due_documents() == []

    def overtaken(texts: list[str]) -> list[list[float]]:
        Document.objects.filter(pk=document.pk).update(claimed_at=timezone.now() + timedelta(hours=1))
        return [[1.0] for _ in texts]

    with time_machine.travel(timezone.now() + CLAIM_LOST_AFTER + timedelta(seconds=1)):
        tasks.sweep_runs()
        assert nudges.sent == [("index_document", document.pk, timedelta(0))]
        provider.embed = overtaken
        index_document(document.pk)

    document.refresh_from_db()
    assert document.status == DocumentStatus.PENDING
    assert not document.chunks.exists()


def test_texts_are_made_storable(organization: Organization) -> None:
    document = add_document_to_knowledge_base(organization, "Price\nlist", "Ten\x00 dollars\r\n")

    assert (document.title, document.content) == ("Price list", "Ten dollars")


def test_cutting_follows_paragraphs() -> None:
    paragraphs = [f"Paragraph {n}. " + "word " * 150 for n in range(6)]

    pieces = cut("\n\n".join(paragraphs))

    assert len(pieces) == 6
    assert all(f"Paragraph {n}." in piece for n, piece in enumerate(pieces))


@given(st.text(alphabet=st.sampled_from("ab .\n"), max_size=5000))
def test_cutting_loses_nothing(content: str) -> None:
    pieces = cut(content)

    assert all(0 < len(piece) <= PASSAGE for piece in pieces)
    words = content.split()
    joined = " ".join(pieces)
    assert all(word in joined or len(word) > OVERLAP for word in words)
    assert len(pieces) <= math.ceil(len(content) / (PASSAGE / 2 - OVERLAP)) + 1


def test_a_fault_of_our_own_is_not_paid_for_again_and_again(
    organization: Organization, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = DocumentFactory(organization=organization)

    def broken(*_: object) -> None:
        raise RuntimeError("the vectors do not fit")

    monkeypatch.setattr("leadagent.leads.indexing._store", broken)
    assert index_document(document.pk) is None
    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, "internal_error")


def test_a_document_whose_workers_die_each_time_is_given_up(organization: Organization, provider: FakeProvider) -> None:
    document = DocumentFactory(organization=organization, attempts=MAX_ATTEMPTS)
    assert index_document(document.pk) is None
    document.refresh_from_db()
    assert (document.status, provider.calls) == (DocumentStatus.FAILED, [])
