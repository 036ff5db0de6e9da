"""The web service as its image starts it, as a plain process."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.project.files import ROOT, web_command

BIN = Path(sys.executable).parent


@contextmanager
def running_web(env: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The image's command on a free port; gives the port and the process."""
    command = [word.replace("0.0.0.0:8000", "127.0.0.1:0") for word in web_command()]
    assert command != web_command()
    command[0] = str(BIN / command[0])
    with subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            port = next(
                (match[1] for line in process.stderr if (match := re.search(r"Listening at: http://.*:(\d+)", line))),
                None,
            )
            assert port, "gunicorn ended without listening"
            yield port, process
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0
