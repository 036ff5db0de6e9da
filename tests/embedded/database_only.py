"""Start the embedded PostgreSQL in a directory, ask it something, stop it: run in a process of its own, as anybody.

Prints one line of JSON. The second start on the same directory finds what the first left.
"""

import json
import os
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.privileges import server_account
from leadagent.embedded.processes import Runner
from leadagent.embedded.state import State


def main() -> None:
    state = State(Path(sys.argv[1]))
    runner = Runner(marker=state.marker, log_directory=state.directory("log"))
    try:
        url = urlsplit(start_postgres(state, runner, durable=False))
        sockets = Path(parse_qs(url.query)["host"][0])
        # It is found in the state directory, wherever it had to be put.
        found = state.path / "sockets" / "postgres"
        with psycopg.connect(host=str(found), user=url.username, dbname=url.path[1:]) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("CREATE TABLE IF NOT EXISTS start (at timestamptz DEFAULT now())")
            connection.execute("INSERT INTO start DEFAULT VALUES")
            starts = connection.execute("SELECT count(*), '[1,2]'::vector <-> '[1,3]' FROM start").fetchone()
            server = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
        assert starts
        assert server
        print(
            json.dumps(
                {
                    "uid": os.geteuid(),
                    "prefix": server_account().prefix[:1],
                    "starts": starts[0],
                    "distance": starts[1],
                    "server_uid": os.stat(f"/proc/{server[0].splitlines()[0]}").st_uid,
                    "data_owner": (state.path / "postgres" / "data").stat().st_uid,
                    "sockets": str(sockets),
                    "sockets_open_to_others": sockets.stat().st_mode & 0o077,
                    "outside": (state.path / "postgres").is_symlink(),
                }
            )
        )
    except CannotStart as error:
        sys.exit(str(error))
    finally:
        runner.stop()
        if "--remove" in sys.argv:
            state.remove()
        state.close()


main()
