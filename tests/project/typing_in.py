"""Types a document's commands into a shell of its own, in which programs that cannot run here are stood in for.

The shell is real: quotes, variables, pipes, redirections and plain programs (`cp`, `grep`) do what they do. Each
stand-in tells this process its words and environment, and prints and ends with what it is answered.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from tests.project.documents import Block

# Programs that do their work as in life.
REAL = ("bash", "cat", "chmod", "cp", "cut", "env", "grep", "head", "openssl", "rm", "sh", "tr")
_END = "\x1e"
_STAND_IN = """#!/bin/sh
{ printf '%s' "${0##*/}"; for word in "$@"; do printf '\\037%s' "$word"; done; printf '\\035'; env -0 | tr '\\0' '\\037'
printf '\\036'; } > {asks}
{ read -r code; cat; } < {answers}
exit "$code"
"""
_STAND_IN = _STAND_IN.replace('exit "$code"\n', 'exit "${code:-1}"\n')


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a stand-in."""

    words: list[str]
    environment: dict[str, str]


Answer = Callable[[Asked], tuple[int, str]]


def type_in(blocks: Sequence[Block], folder: Path, *, programs: Sequence[str], answer: Answer, stdin: str = "") -> str:
    """Run the blocks in their order in `folder`; what the shell wrote to stderr. `answer` is asked on this thread.

    Raises `AssertionError` where the shell ends with another code than 0.
    """
    tools = folder.parent / f"{folder.name}-tools"
    tools.mkdir()
    asks, answers = tools / "asks", tools / "answers"
    os.mkfifo(asks)
    os.mkfifo(answers)
    for name in REAL:
        found = which(name)
        assert found, name
        (tools / name).symlink_to(found)
    for name in programs:
        (tools / name).write_text(_STAND_IN.replace("{asks}", str(asks)).replace("{answers}", str(answers)))
        (tools / name).chmod(0o755)
    # As `make setup` leaves a checkout.
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(tools)
    script = "\n".join(["set -eu", *(block.text for block in blocks)])
    ended: list[subprocess.CompletedProcess[str]] = []

    def run() -> None:
        environment = {"PATH": str(tools), "HOME": str(folder), "OLD_DATABASE_URL": "postgres://old", "TOKEN": "lat_x"}
        try:
            ended.append(
                subprocess.run(
                    ["bash", "-c", script],
                    cwd=folder,
                    env=environment,
                    input=stdin,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
            )
        finally:
            asks.write_text("")

    shell = threading.Thread(target=run)
    shell.start()
    while told := asks.read_text():
        words, _, environment = told.removesuffix(_END).partition("\x1d")
        pairs = (pair.partition("=") for pair in environment.split("\x1f") if pair)
        code, printed = answer(Asked(words.split("\x1f"), {name: value for name, _, value in pairs}))
        with suppress(BrokenPipeError):
            answers.write_text(f"{code}\n{printed}")
    shell.join()
    (result,) = ended
    assert result.returncode == 0, f"code {result.returncode}: {result.stderr}"
    return result.stderr
