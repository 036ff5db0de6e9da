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
from pathlib import Path

import psycopg
import pytest
import redis

from tests.embedded.product import Product, alive, marked, wait_until


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that the first start below has filled: the others start warm on it."""
    base = tmp_path_factory.mktemp("kept")
    first = Product(base / "state", output=base / "first.out")
    try:
        first.wait_until_ready()
        with _database(first) as connection:
            connection.execute("CREATE TABLE kept_by_a_test (word text)")
            connection.execute("INSERT INTO kept_by_a_test VALUES ('here')")
        (base / "password").write_text(first.password)
    finally:
        first.stop()
    assert marked(base / "state") == set()
    return base / "state"


def test_from_an_empty_directory_to_ready_and_back_to_nothing(tmp_path: Path) -> None:
    product = Product(tmp_path / "state", output=tmp_path / "out").wait_until_ready()
    try:
        for login in ("admin@demo.test", "member@demo.test", "viewer@demo.test", "support@demo.test"):
            assert f"Login: {login}\n" in product.output
        with urllib.request.urlopen(f"{product.address}/readyz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ready"
        _sign_in(product)
        # Loopback only, and nothing but the web process listens on the network.
        assert _listening(product) == {("0100007F", product.port)}
        assert oct((product.state / "secrets.json").stat().st_mode)[-3:] == "600"

        second = Product(product.state, output=tmp_path / "second.out")
        assert second.wait_for_end() == 2
        assert second.output.count("\n") == 1
        assert f"running already from {product.state} at {product.address}" in second.output

        processes = product.processes()
        for program in ("postgres", "redis-server", "gunicorn", "celery", " beat "):
            assert any(program in line for line in processes.values()), processes
    finally:
        returncode = product.stop(signal.SIGTERM)
    assert returncode == 0, product.output
    assert alive(processes) == {}
    assert marked(product.state) == set()
    assert _listening(product) == set()
    assert not list(product.state.rglob("*.sock"))


def test_a_second_run_keeps_the_data_and_ctrl_c_ends_it(kept: Path, tmp_path: Path) -> None:
    product = Product(kept, output=tmp_path / "out").wait_until_ready()
    with _database(product) as connection:
        assert connection.execute("SELECT word FROM kept_by_a_test").fetchall() == [("here",)]
    assert product.password == (kept.parent / "password").read_text()
    _sign_in(product)
    processes = product.processes()
    # As the terminal does it on Ctrl-C.
    os.killpg(product.process.pid, signal.SIGINT)
    assert product.wait_for_end() == 0, product.output
    assert alive(processes) == {}


def test_after_kill_9_the_kernel_ends_the_processes(kept: Path, tmp_path: Path) -> None:
    product = Product(kept, output=tmp_path / "out").wait_until_ready()
    processes = product.processes()
    product.process.kill()
    product.process.wait()
    wait_until(lambda: not alive(processes))
    assert alive(processes) == {}


def test_after_kill_9_the_next_start_stops_its_own_orphans_and_nobody_elses(kept: Path, tmp_path: Path) -> None:
    # Without setpriv the kernel is not asked to end them.
    lonely = {"PATH": _path_without(tmp_path, "setpriv")}
    product = Product(kept, output=tmp_path / "killed.out", environment=lonely).wait_until_ready()
    orphans = product.processes()
    product.process.kill()
    product.process.wait()
    assert any("postgres -D" in line for line in alive(orphans).values())
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(100)", str(kept)],
        env={"LEADAGENT_STATE_MARKER": f"0123456789abcdef:{kept}"},
        cwd=kept,
    )
    try:
        again = Product(kept, output=tmp_path / "again.out", environment=lonely).wait_until_ready()
        assert alive(orphans) == {}
        assert re.search(r"Stopped \d+ processes that an earlier run had left behind", again.output)
        with _database(again) as connection:
            assert connection.execute("SELECT word FROM kept_by_a_test").fetchall() == [("here",)]
        assert stranger.poll() is None
        processes = again.processes()
        # A process that dies takes all down, and the person is told which it was.
        worker = next(pid for pid, line in processes.items() if " worker " in line)
        os.kill(worker, signal.SIGKILL)
        assert again.wait_for_end() == 1
        assert "worker ended by signal SIGKILL; the end of" in again.output
        assert alive(processes) == {}
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_database_and_a_redis_of_the_persons_own(tmp_path: Path) -> None:
    database, broker = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
    name = f"own_{os.getpid()}"
    with psycopg.connect(_database_named(database, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        own = {"DATABASE_URL": _database_named(database, name), "REDIS_URL": broker}
        product = Product(tmp_path / "state", output=tmp_path / "out", environment=own).wait_until_ready()
        try:
            assert "PostgreSQL: the one at DATABASE_URL" in product.output
            assert not any("postgres -D" in line or "redis-server" in line for line in product.processes().values())
            assert not (product.state / "postgres").exists()
            _sign_in(product)
        finally:
            assert product.stop() == 0
        with (
            psycopg.connect(_database_named(database, "postgres"), autocommit=True) as connection,
            redis.Redis.from_url(broker) as client,
        ):
            # They are not ours to stop.
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert client.ping()
    finally:
        with psycopg.connect(_database_named(database, "postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
    product = Product(tmp_path / "state", output=tmp_path / "out", environment={**servers, **environment})
    assert product.wait_for_end() == 2
    assert sentence in product.output.splitlines()[-1]
    assert "Traceback" not in product.output
    assert marked(product.state) == set()


def test_a_taken_port_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        product = Product(tmp_path / "state", output=tmp_path / "out", environment={"PORT": str(port)})
        assert product.wait_for_end() == 2
    assert f"Port {port} is in use by another program" in product.output
    assert "Starting PostgreSQL" not in product.output


def _database(product: Product) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(product.state / "sockets" / "postgres"), user="leadagent", dbname="leadagent")


def _database_named(url: str, name: str) -> str:
    return re.sub(r"(://[^/]*/)[^?]*", rf"\g<1>{name}", url)


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


def _path_without(directory: Path, program: str) -> str:
    """A PATH on which one program is missing."""
    programs = directory / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for file in Path(folder).glob("*"):
            link = programs / file.name
            if file.name != program and not link.is_symlink():
                link.symlink_to(file)
    assert shutil.which(program, path=str(programs)) is None
    return str(programs)
