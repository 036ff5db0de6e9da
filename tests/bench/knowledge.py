"""Searches of the knowledge base by size: `python -m tests.bench.knowledge`, in a PostgreSQL of its own.

The search alone, as `leadagent.leads.knowledge.search.nearest` does it, beside an exact scan of all vectors: the
question's own embedding is the provider's time. Vectors have 1,536 dimensions. *random* ones have nothing in common,
which is the hardest that signs can meet; *topics* lie around a thousand subjects of one trade, as texts do.
Another organisation holds as many passages beside, and a third one a hundred.
"""

from __future__ import annotations

import os
import random
import sys
import time
from statistics import mean, median, quantiles
from typing import Any

from tests.bench.place import Sizes, bench, say

DIMENSION, MODEL = 1536, "text-embedding-3-small"
SIZES = (1_000, 50_000)
SEARCHES, TOP, FEW = 60, 10, 100
# What the vectors of one organisation have in common, of its subjects, and alone: about 0.75 between passages of one
# subject and 0.3 between others, as an embedding model has them.
_KINDS = {"random": (0.0, 0.0, 1.0), "topics": (0.55, 0.67, 0.5)}
_SUBJECTS = 1_000


def main() -> None:
    """Fill, search, print a table."""
    quick = "--quick" in sys.argv
    with bench(Sizes.quick()) as made:
        os.environ.update(made.environment)
        worker = made.worker_on("small")
        print("| vectors | passages | exact p50, p95 ms | search p50, p95 ms | recall at 10 | of a small neighbour |")
        print("|---|---|---|---|---|---|", flush=True)
        for kind in _KINDS:
            for size in SIZES[:1] if quick else SIZES:
                say(f"Making {size:,} passages, {kind}")
                worker.do("knowledge.fill", kind=kind, size=size)
                row = worker.do("knowledge.measure", kind=kind, size=size, searches=5 if quick else SEARCHES)
                print(
                    f"| {kind} | {size:,} | {row['exact'][0]:.1f}, {row['exact'][1]:.1f} "
                    f"| {row['search'][0]:.1f}, {row['search'][1]:.1f} | {row['recall']:.3f} "
                    f"| {row['recall_of_few']:.3f} |",
                    flush=True,
                )


def fill(*, kind: str, size: int) -> None:
    """Two organisations with so many passages, ten to a document, and one with a few."""
    from django.db import connection, transaction

    from leadagent.tenants.models import Organization

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        common, of_subject, alone = _KINDS[kind]
        cursor.execute(
            "CREATE TEMPORARY TABLE subjects ON COMMIT DROP AS SELECT n, "
            "array_agg(random() - 0.5)::vector AS vector FROM generate_series(0, %s) n, "
            "generate_series(1, %s) GROUP BY n",
            [_SUBJECTS, DIMENSION],
        )
        for name, count in (("a", size), ("b", size), ("few", FEW)):
            organization = Organization.objects.create(name=name, slug=f"bench-{kind}-{size}-{name}")
            cursor.execute(
                _FILL,
                {
                    "org": organization.pk,
                    "documents": count // 10,
                    "dimension": DIMENSION,
                    "model": MODEL,
                    "common": _as_vector(common),
                    "subject": _as_vector(of_subject),
                    "alone": _as_vector(alone),
                    "subjects": _SUBJECTS,
                },
            )
    with connection.cursor() as cursor:
        # As in a database that has been in use.
        cursor.execute("VACUUM ANALYZE leads_chunkvector, leads_chunk, leads_document")


# Subject 0 is what all have in common.
_FILL = """
WITH documents AS (
    INSERT INTO leads_document (id, organization_id, title, content, kind, file_name, version,
        searchable_version, status, error_code, error_sentence, platform_granted, platform_reason,
        created_at, updated_at, attempts)
    SELECT gen_random_uuid(), %(org)s, 'Document ' || n, 'x', 'pasted', '', 1, 1, 'ready', '', '', false,
        '', now(), now(), 0
    FROM generate_series(1, %(documents)s) n RETURNING id
), chunks AS (
    INSERT INTO leads_chunk (organization_id, document_id, version, position, headings, start, "end", text)
    SELECT %(org)s, id, 1, n, '["Prices"]', 0, 1200, repeat('A passage about prices. ', 50)
    FROM documents, generate_series(0, 9) n RETURNING id
)
INSERT INTO leads_chunkvector (organization_id, chunk_id, model, dimension, embedding)
SELECT %(org)s, chunks.id, %(model)s, %(dimension)s,
    %(common)s::vector * common.vector + %(subject)s::vector * own.vector + %(alone)s::vector * made.vector
FROM chunks
JOIN subjects common ON common.n = 0
JOIN subjects own ON own.n = 1 + chunks.id %% %(subjects)s
CROSS JOIN LATERAL (
    -- Naming the passage makes it a new one for each.
    SELECT array_agg(random() - 0.5)::vector AS vector FROM generate_series(1, %(dimension)s + 0 * chunks.id)
) made
"""


def _as_vector(factor: float) -> str:
    """A vector of this number alone: pgvector multiplies vectors by vectors."""
    return f"[{','.join([str(factor)] * DIMENSION)}]"


def measure(*, kind: str, size: int, searches: int) -> dict[str, Any]:
    """Milliseconds (p50, p95) of exact scans and of searches, and how many of the ten nearest were found."""
    from leadagent.leads.knowledge.search import nearest
    from leadagent.tenants.models import Organization

    big, few = (Organization.objects.get(slug=f"bench-{kind}-{size}-{name}") for name in ("a", "few"))
    chance = random.Random(3)  # nosec B311 - the same questions in every run
    exact, search, recall, recall_of_few = [], [], [], []
    for number in range(searches + 3):
        question = _question(kind, chance)
        begun = time.perf_counter()
        expected = _exact_ids(big, question)
        between = time.perf_counter()
        found = nearest(big, question, MODEL, top=TOP)
        ended = time.perf_counter()
        if number >= 3:  # the first ones warm the cache
            exact.append(1000 * (between - begun))
            search.append(1000 * (ended - between))
        recall.append(_share({(one.document_id, one.position) for one in found}, expected))
        beside = nearest(few, question, MODEL, top=TOP)
        recall_of_few.append(_share({(one.document_id, one.position) for one in beside}, _exact_ids(few, question)))
    return {
        "exact": (median(exact), quantiles(exact, n=20)[-1]),
        "search": (median(search), quantiles(search, n=20)[-1]),
        "recall": mean(recall),
        "recall_of_few": mean(recall_of_few),
    }


def _exact_ids(organization: Any, question: list[float]) -> set[tuple[Any, int]]:
    from leadagent.leads.knowledge.search import everything_exactly

    found = everything_exactly(organization, question, MODEL, top=TOP)
    return {(one.document_id, one.position) for one in found}


def _question(kind: str, chance: random.Random) -> list[float]:
    """A vector that resembles the stored ones as they resemble each other."""
    from django.db import connection

    _, of_subject, alone = _KINDS[kind]
    noise = [chance.random() - 0.5 for _ in range(DIMENSION)]
    if not of_subject:
        return noise
    with connection.cursor() as cursor:
        # Something near a stored passage, and not it.
        cursor.execute(
            "SELECT embedding::text FROM leads_chunkvector WHERE id = (SELECT v.id FROM leads_chunkvector v "
            "JOIN tenants_organization o ON o.id = v.organization_id WHERE o.slug LIKE %s "
            "ORDER BY v.id OFFSET %s LIMIT 1)",
            [f"bench-{kind}-%-a", chance.randrange(900)],
        )
        near = [float(number) for number in cursor.fetchone()[0].strip("[]").split(",")]
    return [a + alone * b for a, b in zip(near, noise, strict=True)]


def _share(found: set[Any], expected: set[Any]) -> float:
    return len(found & expected) / len(expected)


if __name__ == "__main__":
    main()
