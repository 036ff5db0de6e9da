"""The full proof of the audit log's chains: every entry is read once and hashed again.

One chain is one streamed query in one snapshot, so that memory stays the same however long the
chain is and events written meanwhile do not look like breaks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from leadagent.tenants.audit_trail.chain import CANONICAL_SQL, hash_of

# More breaks than this are counted and no longer described.
MAX_DESCRIBED = 200
_ROWS_AT_ONCE = 2000


class Kind(StrEnum):
    CHANGED = "changed entry"
    MISSING = "missing entry"
    REORDERED = "reordered entry"
    ADDED = "entry written past the chain"
    TRUNCATED = "truncated end"
    HEAD = "head changed"
    NOT_AS_KEPT = "not as kept elsewhere"
    UNPROTECTED = "protection off"


@dataclass(frozen=True, slots=True)
class Break:
    kind: Kind
    # 0 where it is not about one entry.
    position: int
    detail: str


@dataclass(slots=True)
class ChainProof:
    """What reading one chain from its start to its end has shown."""

    chain_id: int
    length: int = 0
    head: str = ""
    breaks: list[Break] = field(default_factory=list)
    # Every break, the ones that are not described too.
    break_count: int = 0

    def note(self, kind: Kind, position: int, detail: str) -> None:
        self.break_count += 1
        if len(self.breaks) < MAX_DESCRIBED:
            self.breaks.append(Break(kind, position, detail))


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An entry whose hash is not its content's: it may be another position's."""

    position: int
    previous_hash: str
    hash: str
    canonical: str

    def belongs_at(self, position: int, previous_hash: str) -> bool:
        # The canonical text begins with `[<position>, "<previous hash>", `; hashes hold no comma.
        rest = self.canonical.split(", ", 2)[2]
        return hash_of(f'[{position}, "{previous_hash}", {rest}') == self.hash


def all_chains() -> list[int]:
    """Every chain there is: those with a head, and those of which only entries are left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM tenants_auditchain "
            "UNION SELECT coalesce(organization_id, 0) FROM tenants_auditevent ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def prove_chain(
    chain_id: int, *, kept: Mapping[int, set[str]] | None = None, progress: Callable[[int], None]
) -> ChainProof:
    """Read the chain of an organisation (by id; 0 for the events of none) and list every break.

    `kept` are hashes that were written down earlier, by position: the chain must still hold them.
    `progress` is told the number of entries read.
    """
    proof = ChainProof(chain_id)
    suspects: list[_Suspect] = []
    kept = kept or {}
    found_kept: set[int] = set()
    with _one_snapshot():
        proof.length, proof.head = _head_of(chain_id)
        last_position, last_hash, is_last_suspect = 0, "", False
        for read, (position, previous_hash, own_hash, canonical) in enumerate(_entries(chain_id), start=1):
            if read % _ROWS_AT_ONCE == 0:
                progress(read)
            if position == last_position:
                proof.note(Kind.ADDED, position, "there are two entries with this number")
                continue
            if position > last_position + 1:
                _note_gap(proof, last_position + 1, position - 1)
            computed = hash_of(canonical)
            follows = position == last_position + 1 and not is_last_suspect
            is_last_suspect = computed != own_hash
            if is_last_suspect:
                suspects.append(_Suspect(position, previous_hash, own_hash, canonical))
                if len(suspects) > MAX_DESCRIBED:
                    suspects.pop()
                    proof.note(Kind.CHANGED, position, "its content does not have its hash")
            elif follows and previous_hash != last_hash:
                proof.note(Kind.CHANGED, position - 1, f"entry {position} was chained to another content of it")
            if position in kept:
                found_kept.add(position)
                if kept[position] != {computed}:
                    proof.note(Kind.NOT_AS_KEPT, position, "its hash is not the one that was kept")
            last_position, last_hash = position, own_hash
        _check_unchained(proof)
    _explain(proof, suspects)
    _check_end(proof, last_position, last_hash)
    for position in sorted(kept.keys() - found_kept):
        proof.note(Kind.NOT_AS_KEPT, position, "a hash was kept of this entry, which is not there")
    proof.breaks.sort(key=lambda found: found.position)
    return proof


def unprotected() -> list[Break]:
    """Triggers of the audit tables that are missing or switched off."""
    wanted = {
        "audit_mark", "audit_chain", "audit_guard", "audit_refuse_truncate", "audit_chain_guard",
        "audit_chain_refuse_truncate",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND tgrelid IN "
            "('tenants_auditevent'::regclass, 'tenants_auditchain'::regclass)"
        )
        working = {row[0] for row in cursor.fetchall()}
    return [
        Break(Kind.UNPROTECTED, 0, f"the trigger {name} is missing or switched off")
        for name in sorted(wanted - working)
    ]


@contextmanager
def _one_snapshot() -> Iterator[None]:
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _of_chain(chain_id: int) -> tuple[str, list[Any]]:
    # An index serves either; it would not serve coalesce().
    return ("organization_id = %s", [chain_id]) if chain_id else ("organization_id IS NULL", [])


def _head_of(chain_id: int) -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT length, head FROM tenants_auditchain WHERE id = %s", [chain_id])
        return cursor.fetchone() or (0, "")


def _entries(chain_id: int) -> Iterator[tuple[int, str, str, str]]:
    where, parameters = _of_chain(chain_id)
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT position, previous_hash, hash, {CANONICAL_SQL} FROM tenants_auditevent "  # noqa: S608
            f"WHERE {where} AND position > 0 ORDER BY position, id",
            parameters,
        )
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _note_gap(proof: ChainProof, first: int, last: int) -> None:
    entries = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    proof.note(Kind.MISSING, first, f"{entries} not there")


def _check_unchained(proof: ChainProof) -> None:
    where, parameters = _of_chain(proof.chain_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM tenants_auditevent "  # noqa: S608
            f"WHERE {where} AND (position IS NULL OR position <= 0)",
            parameters,
        )
        count = cursor.fetchone()[0]
    if count:
        proof.note(Kind.ADDED, 0, f"{count} without a place in the chain")


def _explain(proof: ChainProof, suspects: list[_Suspect]) -> None:
    """Tell entries that changed their place from those that changed their content."""
    places = {suspect.position: suspect.previous_hash for suspect in suspects}
    # Neighbours too: after a deletion the rest may have been numbered anew.
    for suspect in suspects:
        for near in (suspect.position - 1, suspect.position + 1):
            places.setdefault(near, suspect.previous_hash)
    for suspect in suspects:
        home = next(
            (
                place
                for place, previous_hash in places.items()
                if suspect.belongs_at(place, previous_hash) or suspect.belongs_at(place, suspect.previous_hash)
            ),
            None,
        )
        if home is None:
            proof.note(Kind.CHANGED, suspect.position, "its content does not have its hash")
        elif home == suspect.position:
            proof.note(Kind.REORDERED, suspect.position, "it names another entry before it")
        else:
            proof.note(Kind.REORDERED, suspect.position, f"it was written as entry {home}")


def _check_end(proof: ChainProof, last_position: int, last_hash: str) -> None:
    if proof.length > last_position:
        proof.note(
            Kind.TRUNCATED, last_position + 1, f"the head counts {proof.length} entries, {last_position} are there"
        )
    elif proof.length < last_position:
        proof.note(Kind.HEAD, last_position, f"the head counts {proof.length} entries, there are {last_position}")
    elif proof.head != last_hash:
        proof.note(Kind.HEAD, last_position, "the head is not the hash of the last entry")
