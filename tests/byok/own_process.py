"""A management command as a process of its own, on the test's database, to be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

_ROOT = Path(__file__).resolve().parents[2]


def start(*command: str, **environment: str) -> "subprocess.Popen[bytes]":
    """`manage.py` with the settings of this run; the test has to commit what the process shall see."""
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=_ROOT,
        env=os.environ | {"DATABASE_URL": address} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_until(check: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Wait while `process` works; fail where it ends first or takes more than a minute."""
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)
