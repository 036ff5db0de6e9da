"""Documents are cut, given vectors and found again, within one organisation and one embedding model."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from byok.errors import AIError
from byok.providers import REGISTRY
from leadagent.leads import tasks
from leadagent.leads.knowledge import (
    add_document_to_knowledge_base,
    find_passages,
    generate_embedding,
    search_knowledge_base,
)
from leadagent.leads.knowledge.documents import delete_document, rename_document, replace_document
from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.knowledge.indexing import (
    CLAIM_LOST_AFTER,
    LOOK_AGAIN_AFTER,
    MAX_ATTEMPTS,
    ask_again,
    index_document,
    take_due_documents,
)
from leadagent.leads.knowledge.search import Within
from leadagent.leads.models import Document, DocumentKind, DocumentStatus
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


def test_vectors_of_another_dimension_are_not_compared(organization: Organization, provider: FakeProvider) -> None:
    ready(organization, "Old", "price")
    provider.embed = by_words

    assert search_knowledge_base(organization, "price") == []


def test_a_search_stays_within_what_is_asked_for(organization: Organization, provider: FakeProvider) -> None:
    provider.embed = by_words
    ready(organization, "Pasted", "The price.")
    pdf = ready(organization, "File", "The price. The holiday.")
    Document.objects.filter(pk=pdf.pk).update(kind=DocumentKind.PDF)

    def titles(within: Within) -> list[str]:
        return [passage.title for passage in find_passages(organization, "price", within=within).passages]

    assert titles(Within()) == ["Pasted", "File"]
    assert titles(Within(kinds=["pdf"])) == ["File"]
    assert titles(Within(documents=[pdf.pk])) == ["File"]
    assert titles(Within(similarity=0.9)) == ["Pasted"]


def test_a_passage_is_cited_by_its_headings(organization: Organization, provider: FakeProvider) -> None:
    ready(organization, "List", "# Licences\n\n## Teams\n\nTen dollars.")

    [passage] = search_knowledge_base(organization, "price")

    assert (passage.cited_as, passage.headings, passage.position) == (
        "List \u203a Licences \u203a Teams",
        ("Licences", "Teams"),
        0,
    )


def test_an_empty_knowledge_base_costs_no_call(organization: Organization, provider: FakeProvider) -> None:
    assert find_passages(organization, "price").note == ""
    DocumentFactory(organization=organization)

    found = find_passages(organization, "price")

    assert (found.passages, found.note) == ([], "1 document is not searchable yet.")
    assert provider.calls == []


def test_many_texts_go_out_in_batches_and_come_back_in_order(
    organization: Organization, provider: FakeProvider
) -> None:
    sizes: list[int] = []
    most = REGISTRY["openai"].embedding_batch.inputs

    def embed(texts: list[str]) -> list[list[float]]:
        sizes.append(len(texts))
        return [[float(text), 1.0] for text in texts]

    provider.embed = embed

    found = generate_embeddings(organization, [str(n) for n in range(most + 3)])

    assert sizes == [most, 3]
    assert [vector[0] for vector in found.vectors] == [float(n) for n in range(most + 3)]
    assert generate_embedding(organization, "7") == [7.0, 1.0]


def test_a_short_answer_is_an_error(organization: Organization, provider: FakeProvider) -> None:
    provider.embed = lambda texts: [[1.0]] * (len(texts) - 1)

    with pytest.raises(AIError) as caught:
        generate_embedding(organization, "price")

    assert caught.value.code == "bad_response"


def test_what_cannot_be_embedded_is_shown_and_tried_again_by_a_person(
    organization: Organization, provider: FakeProvider
) -> None:
    provider.fail_with["embedding"] = AIError("content_refused", provider="openai")
    document = DocumentFactory(organization=organization)

    assert index_document(document.pk) is None

    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, "content_refused")
    assert document.error_sentence
    assert index_document(document.pk) is None
    assert len(provider.exchanges) == 1, "a failed document is not tried again by itself"

    del provider.fail_with["embedding"]
    assert ask_again(document)
    assert not ask_again(document)
    index_document(document.pk)
    document.refresh_from_db()
    assert (document.status, document.error_sentence) == (DocumentStatus.READY, "")


@pytest.mark.parametrize("code", ["invalid_key", "no_credit", "config_missing", "budget_exhausted", "quota_exhausted"])
def test_a_document_waits_for_what_an_admin_has_to_mend(
    organization: Organization, provider: FakeProvider, nudges: Nudges, code: str
) -> None:
    provider.fail_with["embedding"] = AIError(code, provider="openai")
    document = DocumentFactory(organization=organization)
    at = timezone.now()

    assert index_document(document.pk) is None
    index_document(document.pk)

    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.WAITING, code)
    assert len(provider.exchanges) == 1

    # By itself after an hour, or as soon as somebody saves the settings.
    with time_machine.travel(at + LOOK_AGAIN_AFTER + timedelta(minutes=1)):
        assert take_due_documents() == [document.pk]
        index_document(document.pk)
    assert len(provider.exchanges) == 2
    del provider.fail_with["embedding"]
    nudges.take()
    tasks.follow_embedding_model(organization.pk)
    assert ("index_document", document.pk, timedelta(0)) in nudges.sent
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
    assert len(provider.exchanges) == 3


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
    assert not document.chunks.filter(vectors__isnull=False).exists()


def test_texts_are_made_storable(organization: Organization) -> None:
    document = add_document_to_knowledge_base(organization, "Price\nlist", "Ten\x00 dollars\r\n")

    assert (document.title, document.content) == ("Price list", "Ten dollars")


def long_text(batches: int) -> str:
    """A text whose passages fill so many calls, and a bit."""
    most = REGISTRY["openai"].embedding_batch.inputs
    return "\n\n".join(f"# Part {number}\n\nprice" for number in range(batches * most + 1))


def test_a_killed_worker_pays_for_no_stored_batch_twice(organization: Organization, provider: FakeProvider) -> None:
    asked: list[str] = []

    def dies_in_the_third_call(texts: list[str]) -> list[list[float]]:
        if len(provider.exchanges) == 3:
            raise SystemExit
        asked.extend(texts)
        return [[1.0] for _ in texts]

    provider.embed = dies_in_the_third_call
    document = DocumentFactory(organization=organization, content=long_text(3))
    with pytest.raises(SystemExit):
        index_document(document.pk)
    document.refresh_from_db()
    assert document.chunks.filter(vectors__isnull=False).count() == len(asked) > 0

    with time_machine.travel(timezone.now() + CLAIM_LOST_AFTER + timedelta(seconds=1)):
        assert take_due_documents() == [document.pk]
        index_document(document.pk)

    document.refresh_from_db()
    assert document.status == DocumentStatus.READY
    assert len(asked) == len(set(asked)) == document.chunks.count()


def test_progress_gives_new_attempts(organization: Organization, provider: FakeProvider) -> None:
    """A limit of the provider that is met again and again behind stored batches ends no document."""
    document = DocumentFactory(organization=organization, content=long_text(5))

    def every_other(texts: list[str]) -> list[list[float]]:
        if len(provider.exchanges) % 2 == 0:
            raise AIError("rate_limited", provider="openai", retry_after=30)
        return [[1.0] for _ in texts]

    provider.embed = every_other
    at = timezone.now()
    pauses = []
    for attempt in range(8):
        with time_machine.travel(at + attempt * timedelta(minutes=20)):
            pauses.append(index_document(document.pk))

    document.refresh_from_db()
    assert document.status == DocumentStatus.READY
    assert [pause.total_seconds() for pause in pauses if pause] == [30.0] * 5


def test_a_replaced_text_is_found_once_it_is_prepared(organization: Organization, provider: FakeProvider) -> None:
    document = ready(organization, "List", "Ten dollars.")
    old = document.chunks.get().pk
    assert not replace_document(document, "Ten dollars.\n")
    provider.fail_with["embedding"] = AIError("overloaded", provider="openai")
    assert replace_document(document, "Twenty dollars.")
    index_document(document.pk)
    del provider.fail_with["embedding"]
    assert [passage.content for passage in search_knowledge_base(organization, "price")] == ["Ten dollars."]

    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        index_document(document.pk)

    assert [passage.content for passage in search_knowledge_base(organization, "price")] == ["Twenty dollars."]
    document.refresh_from_db()
    assert (document.version, document.searchable_version, document.status) == (2, 2, DocumentStatus.READY)
    assert not document.chunks.filter(pk=old).exists()


def test_a_text_that_is_replaced_while_it_is_prepared(organization: Organization, provider: FakeProvider) -> None:
    document = DocumentFactory(organization=organization, content="Ten dollars.")

    def overtaken(texts: list[str]) -> list[list[float]]:
        provider.embed = lambda texts: [[1.0] for _ in texts]
        replace_document(document, "Twenty dollars.")
        return [[1.0] for _ in texts]

    provider.embed = overtaken
    index_document(document.pk)
    document.refresh_from_db()
    assert (document.status, document.searchable_version) == (DocumentStatus.PENDING, 0)

    index_document(document.pk)

    assert [passage.content for passage in search_knowledge_base(organization, "price")] == ["Twenty dollars."]


def test_a_new_title_is_cited_at_once_and_costs_nothing(organization: Organization, provider: FakeProvider) -> None:
    document = ready(organization, "Old", "price")
    exchanges = len(provider.exchanges)

    rename_document(document, "New\nname")

    assert len(provider.exchanges) == exchanges
    assert [passage.title for passage in search_knowledge_base(organization, "price")] == ["New name"]


def test_a_document_that_is_deleted_while_it_is_prepared(organization: Organization, provider: FakeProvider) -> None:
    document = DocumentFactory(organization=organization)

    def deleted(texts: list[str]) -> list[list[float]]:
        assert delete_document(document)
        assert not delete_document(document)
        return [[1.0] for _ in texts]

    provider.embed = deleted

    assert index_document(document.pk) is None
    assert not organization.chunk_vectors.exists()


def test_a_fault_of_our_own_is_not_paid_for_again_and_again(
    organization: Organization, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = DocumentFactory(organization=organization)

    def broken(*_: object) -> None:
        raise RuntimeError("the vectors do not fit")

    monkeypatch.setattr("leadagent.leads.knowledge.indexing.store_vectors", broken)
    assert index_document(document.pk) is None
    document.refresh_from_db()
    assert (document.status, document.error_code) == (DocumentStatus.FAILED, "internal_error")


def test_a_document_whose_workers_die_each_time_is_given_up(organization: Organization, provider: FakeProvider) -> None:
    document = DocumentFactory(organization=organization, attempts=MAX_ATTEMPTS)
    assert index_document(document.pk) is None
    document.refresh_from_db()
    assert (document.status, provider.calls) == (DocumentStatus.FAILED, [])


def test_passages_that_are_not_found_yet_do_not_crowd_out_the_others(
    organization: Organization, provider: FakeProvider
) -> None:
    provider.embed = by_words
    ready(organization, "Far", "holiday")
    coming = DocumentFactory(organization=organization, content="\n\n".join(f"# Part {n}\n\nprice" for n in range(20)))
    index_document(coming.pk)
    Document.objects.filter(pk=coming.pk).update(searchable_version=0)

    assert [passage.title for passage in search_knowledge_base(organization, "price", top=2)] == ["Far"]
