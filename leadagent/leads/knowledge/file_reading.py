"""Reading an uploaded file outside of this process: see `extraction`, which does it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from leadagent.leads.knowledge.documents import FILE_TEXT_LIMIT

logger = logging.getLogger(__name__)

# A file that was saved by a person is read in a second or two.
WALL_SECONDS = 60.0
CPU_SECONDS = 40
MEMORY_BYTES = 768 * 1024 * 1024
MAX_PAGES = 1000
# JSON may need six bytes for a character.
_ANSWER_BYTES = 8 * FILE_TEXT_LIMIT

_SCRIPT = Path(__file__).with_name("extraction.py")

PROBLEMS = {
    "empty": "There is no text in this file.",
    "encrypted": "This file is protected by a password. Save a copy without one and upload that.",
    "scanned": "This PDF holds pictures of pages and no text. "
    "Run it through text recognition (OCR) and upload the result.",
    "image": "This is a picture. Upload its text, or paste it.",
    "old_office": "This is a file of an old Office format. Save it as .docx or PDF and upload that.",
    "unsupported": "This kind of file cannot be read. Upload text, Markdown, HTML, PDF or Word (.docx).",
    "damaged": "This file is damaged, or not what it seems to be. Open it, save it anew and upload that.",
    "bomb": "This file unpacks into far more than a document holds, so it was not opened.",
    "too_long": f"There are more than {FILE_TEXT_LIMIT:,} characters of text in this file. "
    "Split it and upload the parts.",
    "too_many_pages": f"This PDF has more than {MAX_PAGES:,} pages. Split it and upload the parts.",
    "too_much": "Reading this file took more time or memory than a document needs, so it was stopped. "
    "Save it as text or PDF, or split it.",
}


class FileProblem(Exception):
    """A file that gives no text. `sentence` says why and what to do."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = PROBLEMS[code]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """`kind` as in `models.DocumentKind`; `pages` of a PDF, else None."""

    kind: str
    text: str
    pages: int | None


def read_file(
    data: bytes, *, memory: int = MEMORY_BYTES, cpu_seconds: int = CPU_SECONDS, wall_seconds: float = WALL_SECONDS
) -> ReadFile:
    """The text of a file, read by a process of its own within the limits. Raises `FileProblem`."""
    limits = [str(value) for value in (memory, cpu_seconds, FILE_TEXT_LIMIT, MAX_PAGES)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(data)
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 -- our own script, numbers as arguments
            # -I: neither the environment nor the working directory decides what is imported.
            [sys.executable, "-I", str(_SCRIPT), *limits],
            stdin=given,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )
        try:
            process.wait(wall_seconds)
        except subprocess.TimeoutExpired:
            raise FileProblem("too_much") from None
        finally:
            if process.poll() is None:
                # With whatever it may have started.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if os.fstat(answer.fileno()).st_size > _ANSWER_BYTES:
            raise FileProblem("too_long")
        answer.seek(0)
        written = answer.read()
    if process.returncode != 0:
        # The kernel ended it at a limit, or Python gave up for want of memory.
        raise FileProblem("too_much")
    return _understood(written)


def _understood(written: bytes) -> ReadFile:
    try:
        answer = json.loads(written)
        if problem := answer.get("problem"):
            if answer.get("type"):
                logger.info("An uploaded file could not be read: %s", answer["type"])
            raise FileProblem(problem if problem in PROBLEMS else "damaged")
        return ReadFile(str(answer["kind"]), str(answer["text"]), answer["pages"])
    except (ValueError, KeyError, AttributeError):
        raise FileProblem("damaged") from None
