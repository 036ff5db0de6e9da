"""Re-wrapping stored keys under the current secret, beside everything that runs.

What is left to do is told by the rows themselves: an envelope names the secret that sealed
it. So a run may be killed at any point and started again, and two may run at once. Each
batch is one short transaction, and each row is written only if it still holds the envelope
that was read (compare-and-swap): a key that a person replaced meanwhile is not ours any more.
A row that somebody else holds at that moment is left for the next round: nobody waits for us.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from byok.encryption import (
    KeyBinding,
    KeyUnreadable,
    Resealed,
    current_key_id,
    envelope_head,
    key_id_of,
    reseal_api_key,
)
from byok.models import ProviderCredential, SupersededKey, superseded_binding
from leadagent.tenants.models import AuditEvent

# So often all is looked through again, until nothing is found: for rows that were held, and for keys that
# a process with the former secret has stored meanwhile. The pause lets a save come to its end.
_ROUNDS = 5
_PAUSE_SECONDS = 0.2

_CREDENTIALS = ProviderCredential._meta.db_table
_SUPERSEDED = SupersededKey._meta.db_table

# By the envelopes, which are the truth; `key_id` repeats it. An organisation's keys stay together, so that
# one transaction re-wraps and records them.
_READ = """
SELECT c.organization_id, c.provider, c.id, c.sealed_key, s.id, s.sealed_key
FROM byok_providercredential c LEFT JOIN byok_supersededkey s ON s.credential_id = c.id
WHERE c.organization_id > %(after)s
AND (NOT starts_with(c.sealed_key, %(head)s) OR NOT starts_with(s.sealed_key, %(head)s))
ORDER BY c.organization_id FETCH FIRST %(batch)s ROWS WITH TIES
"""

# The lock skips rows that others hold, and looks at the newest version of the row. The values come as
# four texts: no envelope that opened has a comma in it, and arrays would take longer than the update.
_WRITE = """
WITH ours AS MATERIALIZED (
    SELECT v.* FROM unnest(
        string_to_array(%(ids)s, ',')::{id_type}[],
        string_to_array(%(opened)s, ','),
        string_to_array(%(sealed)s, ','),
        string_to_array(%(fingerprints)s, ',')
    ) AS v (id, opened, sealed, fingerprint)
    CROSS JOIN LATERAL (
        SELECT FROM {table} t WHERE t.id = v.id AND t.sealed_key = v.opened FOR NO KEY UPDATE SKIP LOCKED
    ) held
)
UPDATE {table} t SET sealed_key = ours.sealed, key_id = %(key_id)s, fingerprint = ours.fingerprint
FROM ours WHERE t.id = ours.id AND t.sealed_key = ours.opened
RETURNING t.id
"""
_WRITES = {
    _CREDENTIALS: _WRITE.format(table=_CREDENTIALS, id_type="uuid"),
    _SUPERSEDED: _WRITE.format(table=_SUPERSEDED, id_type="bigint"),
}

RowName = tuple[str, UUID | int]


@dataclass(frozen=True, slots=True)
class StaleKey:
    """A sealed key that is not under the current secret, and the row it stands in."""

    table: str
    row_id: UUID | int
    binding: KeyBinding
    sealed_key: str

    @property
    def name(self) -> RowName:
        return self.table, self.row_id

    @property
    def is_superseded(self) -> bool:
        return self.table == _SUPERSEDED


@dataclass(frozen=True, slots=True)
class Unopened:
    """A key that cannot be re-wrapped, and the sentence that says why. Names its row, never its text."""

    credential_id: UUID
    organization_id: int
    provider: str
    is_superseded: bool
    reason: str


Pairs = list[tuple[StaleKey, Resealed]]
Failures = dict[RowName, Unopened]


@dataclass(slots=True)
class Progress:
    """What a run has done so far, in keys."""

    rewrapped: int = 0
    missed: set[RowName] = field(default_factory=set)
    failed: Failures = field(default_factory=dict)

    @property
    def looked_at(self) -> int:
        return self.rewrapped + len(self.missed) + len(self.failed)


def rotate(
    *,
    batch: int,
    dry_run: bool = False,
    on_batch: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Re-wrap every stored key that is not under the current secret, about `batch` keys at a time.

    `on_batch` hears of each batch that is through; `should_stop` is asked after it. A dry run
    opens and seals in memory and writes nothing.
    """
    progress = Progress()
    for _ in range(1 if dry_run else _ROUNDS):
        if progress.missed:
            time.sleep(_PAUSE_SECONDS)
        found = 0
        for resealed, failed in _resealed(_batches(batch, progress)):
            found += len(resealed) + len(failed)
            progress.failed |= failed
            if dry_run:
                progress.rewrapped += len(resealed)
            else:
                _write(resealed, progress)
            if on_batch is not None:
                on_batch(progress)
            if should_stop():
                return progress
        if not found:
            break
    return progress


def _batches(batch: int, progress: Progress) -> Iterator[list[StaleKey]]:
    """What is stale, organisation by organisation; without what has failed to open in this run."""
    after = 0
    while stale := _read(after, batch):
        after = stale[-1].binding.organization_id
        if new := [key for key in stale if key.name not in progress.failed]:
            yield new


def _read(after: int, batch: int) -> list[StaleKey]:
    """The stale keys of the next organisations by id, all keys of each."""
    head = envelope_head()
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"after": after, "head": head, "batch": batch})
        for organization_id, provider, credential_id, sealed, superseded_id, superseded in cursor.fetchall():
            binding = KeyBinding(organization_id, provider, credential_id)
            if not sealed.startswith(head):
                found.append(StaleKey(_CREDENTIALS, credential_id, binding, sealed))
            if superseded is not None and not superseded.startswith(head):
                found.append(StaleKey(_SUPERSEDED, superseded_id, superseded_binding(binding), superseded))
    return found


def _resealed(batches: Iterable[list[StaleKey]]) -> Iterator[tuple[Pairs, Failures]]:
    """Each batch opened and sealed again; on a thread, so that the next one is sealed while PostgreSQL writes."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="reseal") as worker:
        waiting: Future[tuple[Pairs, Failures]] | None = None
        for stale in batches:
            begun = worker.submit(_reseal, stale)
            if waiting is not None:
                yield waiting.result()
            waiting = begun
        if waiting is not None:
            yield waiting.result()


def _reseal(stale: Iterable[StaleKey]) -> tuple[Pairs, Failures]:
    done: Pairs = []
    failed: Failures = {}
    for key in stale:
        try:
            done.append((key, reseal_api_key(key.sealed_key, binding=key.binding)))
        except KeyUnreadable as error:
            binding = key.binding
            failed[key.name] = Unopened(
                binding.credential_id, binding.organization_id, binding.provider, key.is_superseded, str(error)
            )
    return done, failed


def _write(resealed: Pairs, progress: Progress) -> None:
    """One transaction: the rows that are still as they were read, and one audit event per organisation."""
    written: set[RowName] = set()
    with transaction.atomic():
        for table in _WRITES:
            written |= _swap(table, [pair for pair in resealed if pair[0].table == table])
        _record([key for key, _ in resealed if key.name in written])
    progress.rewrapped += len(written)
    progress.missed |= {key.name for key, _ in resealed}
    progress.missed -= written


def _swap(table: str, resealed: Pairs) -> set[RowName]:
    if not resealed:
        return set()
    values = {
        "ids": ",".join(str(key.row_id) for key, _ in resealed),
        "opened": ",".join(key.sealed_key for key, _ in resealed),
        "sealed": ",".join(new.sealed_key for _, new in resealed),
        "fingerprints": ",".join(new.fingerprint for _, new in resealed),
        "key_id": current_key_id(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITES[table], values)
        return {(table, row_id) for (row_id,) in cursor.fetchall()}


def _record(rewrapped: list[StaleKey]) -> None:
    """Many rows at once, so not by `audit.record`: nobody asked for this over HTTP, and no value is anybody's text."""
    by_organization: dict[int, Counter[str]] = {}
    for key in rewrapped:
        by_organization.setdefault(key.binding.organization_id, Counter())[key_id_of(key.sealed_key)] += 1
    to, now = current_key_id(), timezone.now()
    AuditEvent.objects.bulk_create(
        AuditEvent(
            organization_id=organization_id,
            actor_label="system",
            action="encryption.rotated",
            target="stored keys",
            after={"rewrapped": sum(counts.values()), "from": sorted(counts), "to": to},
            created_at=now,
        )
        for organization_id, counts in by_organization.items()
    )
