"""The servers of the test runs themselves (`tests/servers.py`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from leadagent.embedded.errors import CannotStart
from leadagent.embedded.orphans import MARKER_NAME
from leadagent.embedded.state import State
from tests import servers


def test_what_a_killed_run_left_is_removed_and_a_running_one_is_not(tmp_path: Path) -> None:
    running = servers.new_state(tmp_path)
    killed = servers.new_state(tmp_path)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    orphan = subprocess.Popen(sleep, env={**os.environ, MARKER_NAME: killed.marker})
    other = subprocess.Popen(sleep, env={**os.environ, MARKER_NAME: running.marker})
    try:
        killed.close()
        fresh = servers.new_state(tmp_path)
        assert not killed.path.exists()
        assert orphan.wait(timeout=10) != 0
        assert running.path.exists()
        assert other.poll() is None
        assert len({fresh.path, running.path, killed.path}) == 3
        fresh.close()
        running.close()
    finally:
        for process in (orphan, other):
            process.kill()
            process.wait()


def test_a_place_that_cannot_be_written_ends_the_run_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart, match="set LEADAGENT_STATE_DIR to one that can"):
        servers.new_state(Path("/proc/nowhere/test"))


@pytest.mark.django_db
def test_django_has_them(tmp_path: Path) -> None:
    assert settings.MODE == "test"
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone()[0].startswith("test_")
    # The directory of this very run is locked by whoever started it.
    if "/test/run-" in settings.REDIS_URL:
        path = Path(settings.REDIS_URL.removeprefix("unix://").partition("/sockets")[0])
        with pytest.raises(CannotStart, match="running already"):
            State(path)
