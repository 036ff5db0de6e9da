"""`make run`'s runner from end to end, on the real programs."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import State
from tests.embedded.product import Product, alive, marked, wait_until


@dataclass(frozen=True)
class FirstRun:
    """What was seen of the first start on an empty directory, until it was stopped by SIGTERM."""

    state: Path
    output: str
    address: str
    password: str
    second: tuple[int, str]
    listening: set[tuple[str, int]]
    processes: dict[int, str]
    returncode: int
    left_behind: dict[int, str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    base = tmp_path_factory.mktemp("first")
    with Product(base / "state", output=base / "out") as product:
        product.wait_until_ready()
        with urllib.request.urlopen(f"{product.address}/readyz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ready"
        _sign_in(product)
        with _database(product) as connection:
            connection.execute("CREATE TABLE kept_by_a_test AS SELECT 'here' AS word")
        with Product(product.state, output=base / "second.out") as second:
            refused = second.wait_for_end(), second.output
        listening, processes = _listening(product), product.processes()
        returncode = product.stop(signal.SIGTERM)
    return FirstRun(
        state=product.state,
        output=product.output,
        address=product.address,
        password=product.password,
        second=refused,
        listening=listening,
        processes=processes,
        returncode=returncode,
        left_behind=alive(processes),
    )


def test_from_an_empty_directory_to_ready(first: FirstRun) -> None:
    for login in ("admin@demo.test", "member@demo.test", "viewer@demo.test", "support@demo.test"):
        assert f"Login: {login}\n" in first.output
    for program in ("postgres", "redis-server", "gunicorn", "leadagent worker", "leadagent beat"):
        assert any(program in line for line in first.processes.values()), first.processes
    # Loopback only, and nothing but the web process listens on the network.
    assert first.listening == {("0100007F", int(first.address.rpartition(":")[2]))}
    assert (first.state / "secrets.json").stat().st_mode & 0o077 == 0


def test_sigterm_leaves_nothing_behind(first: FirstRun) -> None:
    assert first.returncode == 0, first.output
    assert first.left_behind == {}
    assert marked(first.state) == set()
    assert not (first.state / "sockets").exists()
    address, _, port = first.address.removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port))).close()


def test_a_second_runner_on_the_same_directory_is_refused(first: FirstRun) -> None:
    returncode, output = first.second
    assert returncode == 2
    assert output.count("\n") == 1
    assert f"running already from {first.state} at {first.address}: stop it first" in output


def test_the_next_run_keeps_the_data_and_after_kill_9_the_kernel_ends_all(first: FirstRun, tmp_path: Path) -> None:
    with Product(first.state, output=tmp_path / "out") as product:
        product.wait_until_ready()
        with _database(product) as connection:
            assert connection.execute("SELECT word FROM kept_by_a_test").fetchall() == [("here",)]
        assert product.password == first.password
        _sign_in(product)
        processes = product.processes()
        product.process.kill()
    wait_until(lambda: not alive(processes))
    assert alive(processes) == {}


def test_after_kill_9_the_next_start_stops_its_own_orphans_and_nobody_elses(
    first: FirstRun, tmp_path: Path, open_directory: Path
) -> None:
    lonely = {"PATH": _path_with_a_forgetful_setpriv(open_directory)}
    with Product(first.state, output=tmp_path / "killed.out", environment=lonely) as product:
        product.wait_until_ready()
        orphans = product.processes()
        product.process.kill()
        product.wait_for_end()
    assert any("postgres -D" in line for line in alive(orphans).values())
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(100)", str(first.state)],
        env={"LEADAGENT_STATE_MARKER": f"0123456789abcdef:{first.state}"},
        cwd=first.state,
    )
    try:
        with Product(first.state, output=tmp_path / "again.out", environment=lonely) as again:
            again.wait_until_ready()
            assert alive(orphans) == {}
            assert re.search(r"Stopped \d+ processes that an earlier run had left behind", again.output)
            with _database(again) as connection:
                assert connection.execute("SELECT word FROM kept_by_a_test").fetchall() == [("here",)]
            assert stranger.poll() is None
            # A process that dies takes all down, and the person is told which it was.
            processes = again.processes()
            # (Its helpers have the same command line; the leader is the one that leads its session.)
            leader = next(
                pid for pid, line in processes.items() if "leadagent worker" in line and os.getsid(pid) == pid
            )
            os.kill(leader, signal.SIGKILL)
            assert again.wait_for_end() == 1
        assert "worker ended by signal SIGKILL; the end of" in again.output
        assert alive(processes) == {}
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_database_and_a_redis_of_the_persons_own_are_used_and_left_alone(first: FirstRun, tmp_path: Path) -> None:
    own = State(first.state)
    runner = Runner(marker=own.marker, log_directory=tmp_path)
    try:
        servers = {"DATABASE_URL": start_postgres(own, runner), "REDIS_URL": start_redis(own, runner)}
        # Who brings a database brings the secret that its keys are sealed with.
        theirs = {**servers, "ENCRYPTION_SECRET": own.secrets.encryption_secret}
        with Product(tmp_path / "state", output=tmp_path / "out", environment=theirs) as product:
            product.wait_until_ready()
            processes = product.processes()
            assert not any("postgres -D" in line or "redis-server" in line for line in processes.values())
            assert not (product.state / "postgres").exists()
            # As a terminal does it on Ctrl-C.
            os.killpg(product.process.pid, signal.SIGINT)
            assert product.wait_for_end() == 0, product.output
        assert alive(processes) == {}
        with psycopg.connect(servers["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT word FROM kept_by_a_test").fetchall() == [("here",)]
        with redis.Redis.from_url(servers["REDIS_URL"]) as client:
            assert client.ping()
    finally:
        runner.stop()
        own.close()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DATABASE_URL": "postgres://x@127.0.0.1:1/x"}, "PostgreSQL at DATABASE_URL does not answer"),
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY is missing or still a placeholder"),
    ],
)
def test_what_the_person_has_to_mend_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    servers = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": os.environ["REDIS_URL"]}
    with Product(tmp_path / "state", output=tmp_path / "out", environment={**servers, **environment}) as product:
        assert product.wait_for_end() == 2
    assert sentence in product.output.splitlines()[-1]
    assert "Traceback" not in product.output
    assert marked(product.state) == set()


def test_a_taken_port_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Product(tmp_path / "state", output=tmp_path / "out", environment={"PORT": str(port)}) as product:
            assert product.wait_for_end() == 2
    assert f"Port {port} is in use by another program" in product.output
    assert "Starting PostgreSQL" not in product.output


def _database(product: Product) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(product.state / "sockets" / "postgres"), user="leadagent", dbname="leadagent")


def _sign_in(product: Product) -> None:
    """Through the form, so that the printed password is known to be the accounts' one."""
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=20)
    connection.request("GET", "/accounts/login/")
    answer = connection.getresponse()
    page, cookie = answer.read().decode(), (answer.getheader("Set-Cookie") or "").partition(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = f"csrfmiddlewaretoken={token.group(1)}&login=member%40demo.test&password={product.password}"
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/accounts/login/", form, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 302, answer.status
    assert "sessionid=" in str(answer.headers)


def _listening(product: Product) -> set[tuple[str, int]]:
    """(address in the kernel's hexadecimal, port) of the TCP sockets on which the product's processes listen."""
    inodes = set()
    for pid in [product.process.pid, *product.processes()]:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, connection_state, *rest = line.split()
            if connection_state == "0A" and f"socket:[{rest[5]}]" in inodes:
                address, _, port = local.partition(":")
                found.add((address, int(port, 16)))
    return found


def _path_with_a_forgetful_setpriv(directory: Path) -> str:
    """A PATH whose setpriv changes the user but does not ask the kernel for an end, as on other systems."""
    shim = directory / "setpriv"
    shim.write_text(f'#!/bin/sh\n[ "$1" = --pdeathsig ] && shift 2 && exec "$@"\nexec {shutil.which("setpriv")} "$@"\n')
    shim.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
