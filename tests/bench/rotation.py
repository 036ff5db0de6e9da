"""Figure 15: sealing every key anew, against an UPDATE of the same rows with a constant."""

from __future__ import annotations

import secrets
import time

from django.conf import settings
from django.db import connection

from byok.keys.rotation import rotate
from byok.models import ProviderCredential
from leadagent.tenants.models import Organization
from tests.bench.measuring import alternate
from tests.bench.place import Bench
from tests.bench.report import Row, at_least, per_second
from tests.bench.seeding import sealed_key_of

# The command's own default.
BATCH = 500


def figure_15(bench: Bench) -> list[Row]:
    keys = bench.sizes.rotated_keys
    bench.copy_database("rotation")
    worker = bench.worker_on("rotation")
    worker.do("rotation.make_keys", keys=keys)
    pair = alternate(
        lambda: keys / float(worker.do("rotation.rotate_all", keys=keys)),
        lambda: keys / float(worker.do("rotation.update_all")),
        runs=bench.sizes.runs,
    )
    figure, note = f"rotation of {keys:,} keys", "reference: the same rows UPDATEd with a constant"
    return [
        at_least(15, figure, per_second(pair.ours, "keys"), per_second(pair.reference, "keys"), pair.ratio, 0.5, note)
    ]


# --- In the worker ------------------------------------------------------------------


def make_keys(keys: int) -> None:
    """Exactly so many, two per organisation, and a second table with the same rows for the reference."""
    Organization.objects.all().delete()
    organizations = Organization.objects.bulk_create(
        Organization(name=f"Rotated {number}", slug=f"rotated-{number}") for number in range(keys // 2)
    )
    ProviderCredential.objects.bulk_create(
        (
            sealed_key_of(organization, provider)
            for organization in organizations
            for provider in ("openai", "anthropic")
        ),
        batch_size=1000,
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_credential (LIKE byok_providercredential INCLUDING ALL)")
        cursor.execute("INSERT INTO bench_credential SELECT * FROM byok_providercredential")
    _tidy()


def rotate_all(keys: int) -> float:
    """Seconds until every key is under a new secret."""
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = (
        secrets.token_hex(32),
        [settings.ENCRYPTION_SECRET],
    )
    begun = time.perf_counter()
    progress = rotate(batch=BATCH)
    seconds = time.perf_counter() - begun
    assert (progress.rewrapped, progress.failed) == (keys, {}), progress
    _tidy()
    return seconds


def update_all() -> float:
    """Seconds of one statement that writes texts of the same lengths into the same columns."""
    with connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute(
            "UPDATE bench_credential SET sealed_key = repeat(%s, length(sealed_key)), key_id = %s, fingerprint = %s",
            [secrets.choice("abcdef"), secrets.token_hex(4), secrets.token_hex(32)],
        )
        seconds = time.perf_counter() - begun
    _tidy()
    return seconds


def _tidy() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) byok_providercredential, bench_credential")
