"""Finding the nearest vectors: the first look by signs leaves nothing out that belongs to an answer."""

import random
from collections.abc import Sequence

import pytest
from django.db import connection

from leadagent.leads.knowledge import search
from leadagent.leads.knowledge.search import Within, everything_exactly, nearest
from leadagent.leads.models import Chunk, ChunkVector, Document, DocumentKind
from leadagent.leads.models.vector_signs import signs_of
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.leads.factories import DocumentFactory

pytestmark = pytest.mark.django_db

MODEL = "text-embedding-3-small"
DIMENSION = 64
CHANCE = random.Random(11)


def any_vector() -> list[float]:
    return [CHANCE.uniform(-1, 1) for _ in range(DIMENSION)]


def around(centre: Sequence[float], spread: float) -> list[float]:
    return [number + CHANCE.uniform(-spread, spread) for number in centre]


def stored(
    organization: Organization,
    vectors: Sequence[list[float]],
    *,
    version: int = 1,
    model: str = MODEL,
    **document: object,
) -> Document:
    """A document that is searched in its first version, with a passage of `version` for each vector."""
    made = DocumentFactory(organization=organization, searchable_version=1, **document)
    chunks = Chunk.objects.bulk_create(
        Chunk(organization=organization, document=made, version=version, position=n, text=f"Passage {n}")
        for n in range(len(vectors))
    )
    ChunkVector.objects.bulk_create(
        ChunkVector(organization=organization, chunk=chunk, model=model, dimension=len(vector), embedding=vector)
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
    return made


@pytest.fixture
def few_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LIKELY", 60)
    monkeypatch.setattr(search, "NEAR", 5)


def places(found: list[search.Passage]) -> list[tuple[object, int]]:
    return [(passage.document_id, passage.position) for passage in found]


def test_the_database_keeps_the_signs_of_every_vector(organization: Organization) -> None:
    stored(organization, [[0.5, -0.1, 0.0, 3.0], [-1.0, -1.0, 2.0, 0.1]])

    assert list(ChunkVector.objects.order_by("pk").values_list("signs", flat=True)) == ["1001", "0011"]
    ChunkVector.objects.update(embedding=[1, 1, -1, -1])
    assert set(ChunkVector.objects.values_list("signs", flat=True)) == {"1100"}
    assert ChunkVector.objects.filter(signs=signs_of([1, 1, -1, 0])).count() == 2


def test_of_many_the_same_are_found_as_by_comparing_all(organization: Organization, few_likely: None) -> None:
    centres = [any_vector() for _ in range(30)]
    stored(organization, [around(centre, 0.6) for centre in centres for _ in range(20)])
    shares = []
    for centre in centres:
        question = around(centre, 0.6)
        expected = places(everything_exactly(organization, question, MODEL, top=10))
        shares.append(len(set(expected) & set(places(nearest(organization, question, MODEL, top=10)))) / 10)

    assert sum(shares) / len(shares) >= 0.95


def test_a_small_organisation_beside_a_big_one_loses_nothing(few_likely: None, organization: Organization) -> None:
    question = any_vector()
    # The big neighbour has everything that is near.
    stored(OrganizationFactory(), [around(question, 0.1) for _ in range(300)])
    mine = stored(organization, [any_vector() for _ in range(70)])

    found = nearest(organization, question, MODEL, top=10)

    assert places(found) == places(everything_exactly(organization, question, MODEL, top=10))
    assert {passage.document_id for passage in found} == {mine.pk}


def test_versions_that_are_not_searched_take_no_place(few_likely: None, organization: Organization) -> None:
    question = any_vector()
    stored(organization, [around(question, 0.05) for _ in range(100)], version=2)
    stored(organization, [around(question, 0.05) for _ in range(100)], model="another-model")
    old = stored(organization, [any_vector() for _ in range(20)])

    found = nearest(organization, question, MODEL, top=10)

    assert {passage.document_id for passage in found} == {old.pk}
    assert len(found) == 10


def test_a_choice_of_documents_comes_first(few_likely: None, organization: Organization) -> None:
    question = any_vector()
    stored(organization, [around(question, 0.05) for _ in range(100)])
    chosen = stored(organization, [any_vector() for _ in range(80)], kind=DocumentKind.PDF)

    for within in (Within(kinds=[DocumentKind.PDF]), Within(documents=[chosen.pk])):
        found = nearest(organization, question, MODEL, top=10, within=within)
        expected = [place for place in places(everything_exactly(organization, question, MODEL, top=200))
                    if place[0] == chosen.pk][:10]  # fmt: skip
        assert places(found)[:3] == expected[:3]
        assert {passage.document_id for passage in found} == {chosen.pk}


def test_the_first_look_reads_the_index_alone(organization: Organization) -> None:
    stored(organization, [any_vector() for _ in range(2000)])
    stored(OrganizationFactory(), [any_vector() for _ in range(2000)])
    with connection.cursor() as cursor:
        # What other tests have taken back still swells the index, which the plan would mind.
        cursor.execute("REINDEX INDEX vector_signs_together")
        cursor.execute("ANALYZE leads_chunkvector")
        # Inside a test's transaction no page is known to be visible to all, which a plan would mind.
        cursor.execute("UPDATE pg_class SET relallvisible = relpages WHERE relname = 'leads_chunkvector'")
    vectors = search._vectors(organization, MODEL, DIMENSION)

    plan = search._likely(vectors, any_vector()).explain()

    assert "Index Only Scan using vector_signs_together" in plan, plan
