"""What has to hold in a restored database, each proved in it: keys, audit log, daily sums, version."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from byok.keys.inventory import take_inventory
from byok.keys.proof import prove_stored_keys
from leadagent.tenants.audit_trail.verify import all_chains, prove_chain, unprotected
from usage.ledger.rebuilding import differences, provable_months

_OWNED_SEQUENCES = """
SELECT d.objid::regclass::text, d.refobjid::regclass::text, quote_ident(a.attname)
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What holds, or in `faults` why it does not, sentence by sentence."""

    holds: str
    faults: list[str]


def proofs() -> Iterator[Proof]:
    """Prove the database that the connection leads to, one thing after the other."""
    for prove in _ALL:
        yield prove()


def _version() -> Proof:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Proof(
        "its tables are those of this version",
        [f"{migration.app_label}.{migration.name} was not run: migrate it first" for migration, _ in pending],
    )


def _keys() -> Proof:
    found = prove_stored_keys()
    faults = [f"{len(found.unopened):,} of {found.total:,} stored keys do not open"] if found.unopened else []
    if unknown := take_inventory().unknown:
        named = ", ".join(unknown)
        faults.append(
            f"they were sealed by a secret that is not configured (key id {named}): set ENCRYPTION_SECRET, or "
            "ENCRYPTION_SECRET_PREVIOUS, to the one that was kept with this backup"
        )
    elif faults:
        faults.append("their secret is configured: is ENCRYPTION_ENVIRONMENT the one of the original?")
    return Proof(
        f"stored keys that open with the configured secrets: {found.total:,}, all of them", faults + found.unopened
    )


def _audit() -> Proof:
    breaks = [f"{found.kind}: {found.detail}" for found in unprotected()]
    chains, entries = all_chains(), 0
    for chain in chains:
        proof = prove_chain(chain, progress=lambda _: None)
        entries += proof.length
        breaks += [f"chain {chain}, {found.kind}: {found.detail}" for found in proof.breaks]
    return Proof(
        f"entries of the audit log: {entries:,}, unchanged and in their order (chains: {len(chains):,})", breaks
    )


def _sequences() -> Proof:
    """A dump takes a sequence's value at another moment than its rows: a lower one would give numbers out twice."""
    with connection.cursor() as cursor:
        cursor.execute(_OWNED_SEQUENCES)
        owned, behind = cursor.fetchall(), []
        for sequence, table, column in owned:
            cursor.execute(f"SELECT (SELECT last_value FROM {sequence}), (SELECT max({column}) FROM {table})")
            last_value, highest = cursor.fetchone()
            if highest is not None and highest > last_value:
                behind.append(f"the sequence {sequence} is at {last_value:,}, and {table} has {highest:,}")
    return Proof(f"sequences that are not behind their rows: {len(owned):,}, all of them", behind)


def _sums() -> Proof:
    months, _ = provable_months()
    wrong = [str(difference) for month in months for difference in differences(month)]
    return Proof(f"daily sums equal their calls (months: {len(months):,})", wrong)


# The version first: on other tables the rest would only say so in its own way.
_ALL: tuple[Callable[[], Proof], ...] = (_version, _keys, _audit, _sums, _sequences)
