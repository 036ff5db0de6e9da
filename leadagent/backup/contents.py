"""What a database holds, in a form in which two databases can be compared: rows and how they are guarded."""

import re
from dataclasses import dataclass

from django.db import connection

# Leaves of partitioned tables are tables of their own here; their parents hold nothing.
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY 1
"""
# Sums do not depend on the order of rows. Times and numbers are written alike in both sessions.
_ROWS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {table} t"
_PARTS = {
    "partitions": """
        SELECT i.inhrelid::regclass || ' of ' || i.inhparent::regclass || ' '
            || coalesce(pg_get_expr(c.relpartbound, c.oid), '')
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid""",
    "triggers": """
        SELECT pg_get_triggerdef(oid) || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal""",
    # Those of extensions come with the extension.
    "functions": """
        SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.prokind IN ('f', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """
        SELECT coalesce(conrelid::regclass::text, '') || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    # Their values go on while a dump is made: `proofs` sees that they are not behind their rows.
    "sequences": "SELECT sequencename::text FROM pg_sequences",
    "extensions": "SELECT extname || ' ' || extversion FROM pg_extension",
    # Roles belong to the server, not to the database: a dump names them, and restoring needs them to be there.
    "owners and grants": """
        SELECT c.oid::regclass || ' ' || c.relowner::regrole || ' ' || coalesce(c.relacl::text, '')
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v', 'm')""",
}


_CASTS_AND_BRACKETS = re.compile(r"::(character varying|timestamp with time zone|\w+)|[()\[\]]")


@dataclass(frozen=True, slots=True)
class Contents:
    """`rows`: table -> (number of rows, a sum over their contents). `parts`: kind -> definitions."""

    rows: dict[str, tuple[int, str]]
    parts: dict[str, frozenset[str]]

    @property
    def row_count(self) -> int:
        return sum(count for count, _ in self.rows.values())


def read_contents() -> Contents:
    """Read every row of the database that the connection leads to, in one statement per table."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        rows = {}
        for table in tables:
            cursor.execute(_ROWS.format(table=table))
            rows[table] = cursor.fetchone()
        parts = {}
        for kind, question in _PARTS.items():
            cursor.execute(question)
            parts[kind] = frozenset(_plain(definition) for (definition,) in cursor.fetchall())
    return Contents(rows, parts)


def different_rows(original: Contents, copy: Contents) -> list[str]:
    """One sentence for each table that does not hold the same rows; empty where all do."""
    found = []
    for table in sorted(original.rows.keys() | copy.rows.keys()):
        here, there = original.rows.get(table), copy.rows.get(table)
        if here == there:
            continue
        if here is None or there is None:
            found.append(f"{table} is missing in the {'original' if here is None else 'copy'}")
        elif here[0] != there[0]:
            found.append(f"{table} has {here[0]:,} rows in the original and {there[0]:,} in the copy")
        else:
            found.append(f"{table} has {here[0]:,} rows in both, with other contents")
    return found


def different_parts(original: Contents, copy: Contents) -> list[str]:
    """One sentence for each trigger, partition and so on that only one of the two has."""
    found = []
    for kind in original.parts:
        missing, added = original.parts[kind] - copy.parts[kind], copy.parts[kind] - original.parts[kind]
        found += [f"{kind}: missing in the copy: {one[:200]}" for one in sorted(missing)]
        found += [f"{kind}: only in the copy: {one[:200]}" for one in sorted(added)]
    return found


def _plain(definition: str) -> str:
    """Without casts and brackets: PostgreSQL writes some conditions otherwise once they were dumped and restored."""
    return " ".join(_CASTS_AND_BRACKETS.sub(" ", definition).split())
