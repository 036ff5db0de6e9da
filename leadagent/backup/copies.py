"""A database beside the original, on the same server: made, filled from a dump, looked at, and dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from leadagent.backup.contents import Contents, read_contents
from leadagent.backup.programs import ProgramFailed, Programs
from usage.recording import durable

# Several at once is what makes restoring large databases bearable.
_JOBS = "2"


def dump(programs: Programs, file: Path) -> Contents:
    """Write the database to `file` (pg_dump's custom format); what it held at exactly that moment.

    Others go on writing: both are read in one exported snapshot.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        [snapshot] = cursor.fetchone()
        words = ("--format", "custom", "--file", str(file), "--snapshot", snapshot)
        programs.run("pg_dump", *words, "--dbname", _current())
        return read_contents()


def restore(programs: Programs, file: Path, name: str) -> None:
    """Make the database `name` like the original, empty, and fill it; an error ends it at once."""
    _create(name)
    programs.run("pg_restore", "--exit-on-error", "--no-comments", "--jobs", _JOBS, "--dbname", name, str(file))


def drop(name: str) -> None:
    """Drop the copy, whoever is still connected to it."""
    with _beside() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def on_copy(name: str) -> Iterator[None]:
    """Inside, Django's connection leads to the database `name`."""
    settings = connection.settings_dict
    original = settings["NAME"]
    connection.close()
    durable.close()
    settings["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        durable.close()
        settings["NAME"] = original


def _current() -> str:
    return str(connection.settings_dict["NAME"])


def _create(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_encoding_to_char(encoding), datlocprovider, datcollate, datctype, datlocale, "
            "(SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user "
            "FROM pg_database WHERE datname = current_database()"
        )
        encoding, provider, collate, ctype, locale, may_create, user = cursor.fetchone()
    if not may_create:
        raise ProgramFailed(
            f"The role {user} may not create databases: allow it with “ALTER ROLE {user} CREATEDB”, or restore the "
            "dump yourself and prove the result with --restored."
        )
    # As the original: text sorts and compares alike, and indexes on it hold.
    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(
            sql.Identifier(name), sql.Literal(encoding)
        ),
        sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(sql.Literal(collate), sql.Literal(ctype)),
    ]
    if provider == "b":
        words.append(sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(sql.Literal(locale)))
    elif provider == "i":
        words.append(sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(sql.Literal(locale)))
    with _beside() as server:
        server.execute(sql.SQL(" ").join(words))


@contextmanager
def _beside() -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
    """A connection of its own without a transaction, as making and dropping databases wants it."""
    parameters = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name not in {"cursor_factory", "context"}
    }
    try:
        with psycopg.connect(**parameters, autocommit=True) as server:
            yield server
    except (psycopg.Error, DatabaseError) as error:
        raise ProgramFailed(str(error).strip().partition("\n")[0]) from None
