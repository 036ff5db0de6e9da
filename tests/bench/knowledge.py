"""Searches of the knowledge base by size: `python -m tests.bench.knowledge`, with DATABASE_URL naming an empty database.

The exact scan alone, as `leadagent.leads.knowledge.search.nearest` does it: the question's own embedding is
the provider's time. Vectors are random, of 1,536 dimensions; another organisation holds as many beside.
"""

from __future__ import annotations

import random
import sys
import time
from statistics import median, quantiles

DIMENSION = 1536
SIZES = (1_000, 50_000)
SEARCHES = 100


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    print("passages  p50 ms  p95 ms")
    for size in SIZES:
        with transaction.atomic():
            organization = _filled(size)
        with connection.cursor() as cursor:
            # As in a database that has been in use.
            cursor.execute("VACUUM ANALYZE leads_chunkvector, leads_chunk, leads_document")
        times = _searched(organization)
        print(f"{size:>8,}  {median(times):>6.1f}  {quantiles(times, n=20)[-1]:>6.1f}", flush=True)


def _filled(size: int) -> object:
    """An organisation with so many passages, ten to a document, beside another with as many."""
    from django.db import connection

    from leadagent.tenants.models import Organization

    made = [Organization.objects.create(name=f"Bench {size} {n}", slug=f"bench-{size}-{n}") for n in range(2)]
    with connection.cursor() as cursor:
        for organization in made:
            cursor.execute(
                """
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
                SELECT %(org)s, chunks.id, 'text-embedding-3-small', %(dimension)s, made.vector
                FROM chunks CROSS JOIN LATERAL (
                    -- Naming the passage makes it a new one for each.
                    SELECT array_agg(random() - 0.5)::vector AS vector FROM generate_series(1, %(dimension)s + 0 * chunks.id)
                ) made
                """,
                {"org": organization.pk, "documents": size // 10, "dimension": DIMENSION},
            )
    return made[0]


def _searched(organization: object) -> list[float]:
    """Milliseconds per search, after a few that warm the cache."""
    from leadagent.leads.knowledge.search import nearest

    times = []
    for number in range(SEARCHES + 5):
        question = [random.random() - 0.5 for _ in range(DIMENSION)]
        begun = time.perf_counter()
        found = nearest(organization, question, "text-embedding-3-small", top=5)  # type: ignore[arg-type]
        if len(found) != 5:
            sys.exit("The search did not find what is there.")
        if number >= 5:
            times.append((time.perf_counter() - begun) * 1000)
    return times


if __name__ == "__main__":
    main()
