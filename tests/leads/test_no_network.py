"""The process that reads an uploaded file reaches nothing: neither by Python nor past it, and starts no program."""

import json
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from leadagent.leads.knowledge import extraction

SCRIPT = Path(extraction.__file__)
BY_KERNEL = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}

# In place of the reading: what a hostile file might make a library do.
ATTEMPTS = """
    import ctypes, os, runpy, socket, subprocess, sys, urllib.request

    script, port, *limits = sys.argv[1:]
    module = runpy.run_path(script, run_name="extraction")
    tried = {}

    def attempt(name, act):
        try:
            tried[name] = f"succeeded: {act()!r}"
        except BaseException as error:
            tried[name] = type(error).__name__

    def extract(data, **_):
        libc = ctypes.CDLL(None, use_errno=True)
        attempt("connect", lambda: socket.create_connection(("127.0.0.1", int(port)), 2))
        attempt("look up", lambda: socket.getaddrinfo("localhost", 80))
        attempt("fetch", lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2))
        attempt("program", lambda: subprocess.run(["/bin/true"]))
        attempt("shell", lambda: os.system("true"))
        tried["past Python"] = [libc.socket(2, 1, 0), ctypes.get_errno()]
        import json
        return module["Extracted"]("text", json.dumps(tried))

    module["main"].__globals__["extract"] = extract
    module["main"](limits)
"""


@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A port of this machine, and who came there."""
    came: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def take() -> None:
            while not over.is_set():
                try:
                    taken, address = server.accept()
                except TimeoutError:
                    continue
                taken.close()
                came.append(address)

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1], came
        over.set()
        thread.join()


@pytest.mark.network_loopback
def test_the_reader_reaches_nothing_and_starts_nothing(listener: tuple[int, list[Any]]) -> None:
    port, came = listener
    with socket.create_connection(("127.0.0.1", port), 2):
        pass  # the listener does listen

    limits = [str(768 * 1024 * 1024), "20", "100000", "10"]
    ran = subprocess.run(
        [sys.executable, "-I", "-c", dedent(ATTEMPTS), str(SCRIPT), str(port), *limits],
        input=b"hello", capture_output=True, env={}, check=True, timeout=60,
    )  # fmt: skip

    tried = json.loads(json.loads(ran.stdout)["text"])
    past_python = tried.pop("past Python")
    assert tried == dict.fromkeys(["connect", "look up", "program", "shell"], "PermissionError") | {"fetch": "URLError"}
    if BY_KERNEL:
        assert past_python == [-1, 1], "EPERM by the kernel"
    assert len(came) == 1
