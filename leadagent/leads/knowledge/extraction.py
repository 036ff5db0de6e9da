"""The text of a file that somebody uploaded. Runs as a process of its own, with hard limits, and knows nothing of us.

`python -I extraction.py` reads the file from standard input and writes one JSON object: `kind`, `text` and
`pages`, or `problem`, a code that `file_reading` has a sentence for. Whatever the file makes the
libraries do ends with this process: its memory and processor time are limited before the first byte is
read, it gets no environment and no open file but these two, and can reach no network and start no program
(`no_network`).

Arguments: bytes of memory, seconds of processor time, characters of text, pages.
"""

from __future__ import annotations

import io
import json
import re
import resource
import runpy
import sys
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What all parts of an archive may hold together once they are unpacked, and how much smaller they may be packed.
UNPACKED_BYTES = 100 * 1024 * 1024
PACKED_AT_MOST = 200
PARTS = 5000
# A page of a scanned book has less text than this, if any.
CHARACTERS_PER_PAGE = 8

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_MEANINGLESS = ("script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "form", "button")


class Unreadable(Exception):
    """There is no text to be had; `problem` is its code."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Extracted:
    """`kind`: text, html, pdf or docx. `text` is Markdown as far as the file has structure."""

    kind: str
    text: str
    pages: int | None = None


def extract(data: bytes, *, max_characters: int, max_pages: int) -> Extracted:
    """The text of a file, whose kind its content decides and not its name. Raises `Unreadable`."""
    if not data.strip():
        raise Unreadable("empty")
    if b"%PDF-" in data[:1024]:
        found = _pdf(data, max_pages)
    elif data.startswith(b"PK\x03\x04"):
        found = Extracted("docx", _docx(data))
    elif data.startswith(_OLE):
        # Office's container of old: a .doc, or a .docx with a password.
        raise Unreadable("encrypted" if "EncryptedPackage".encode("utf-16-le") in data else "old_office")
    elif data.startswith(_IMAGES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        raise Unreadable("image")
    else:
        found = _plain(data)
    if not found.text.strip():
        raise Unreadable("empty")
    if len(found.text) > max_characters:
        raise Unreadable("too_long")
    return found


def _plain(data: bytes) -> Extracted:
    text = _decoded(data)
    if text.lstrip().startswith("{\\rtf"):
        raise Unreadable("unsupported")
    if _HTML.search(text[:4000]):
        return Extracted("html", _markdown(text))
    return Extracted("text", text)


def _decoded(data: bytes) -> str:
    """UTF-8, UTF-16 where it says so, else what Windows writes."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\x00" in data:
        raise Unreadable("unsupported")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    odd = sum(not (character.isprintable() or character in "\n\r\t\f\v") for character in text[:20_000])
    if odd > len(text[:20_000]) * 0.05 or text.count("\ufffd") > len(text) * 0.02:
        raise Unreadable("unsupported")
    return text


def _markdown(html: str) -> str:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    with warnings.catch_warnings():
        # It warns of what looks like XML or like a file's name; both are only text here.
        warnings.simplefilter("ignore")
        soup = BeautifulSoup(html, "html.parser")
    for tag in soup(list(_MEANINGLESS)):
        tag.decompose()
    for tag in soup.select("[hidden], [aria-hidden=true]"):
        tag.decompose()
    body = soup.body or soup
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    if soup.head:
        soup.head.decompose()
    converter = MarkdownConverter(heading_style="ATX", strip=["img", "a"], escape_misc=False, table_infer_header=True)
    text = re.sub(r"\n{3,}", "\n\n", converter.convert_soup(body)).strip()
    has_heading = re.search(r"^# ", text, re.MULTILINE)
    return f"# {title}\n\n{text}" if title and text and not has_heading else text


def _docx(data: bytes) -> str:
    import mammoth

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > PARTS:
            raise Unreadable("bomb")
        for part in parts:
            if part.file_size > 1024 * 1024 and part.file_size > part.compress_size * PACKED_AT_MOST:
                raise Unreadable("bomb")
        if sum(part.file_size for part in parts) > UNPACKED_BYTES:
            raise Unreadable("bomb")
        if any(part.flag_bits & 0x1 for part in parts):
            raise Unreadable("encrypted")
        names = {part.filename for part in parts}
        if "[Content_Types].xml" not in names or not any(name.startswith("word/") for name in names):
            raise Unreadable("unsupported")
        for name in names:
            # No document of Word declares a document type; entities that unfold without end do.
            if name.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.open(name).read(65_536):
                raise Unreadable("damaged")
    no_images = mammoth.images.img_element(lambda _: {"src": ""})
    made = mammoth.convert_to_html(io.BytesIO(data), convert_image=no_images, external_file_access=False)
    return _markdown(made.value)


def _pdf(data: bytes, max_pages: int) -> Extracted:
    import logging

    import pypdf
    from pypdf.errors import FileNotDecryptedError

    # It tells of every flaw of a file that it can read nevertheless.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(io.BytesIO(data))
    # Many files are sealed with an empty password only against changes.
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("encrypted")
    try:
        count = len(reader.pages)
        if count > max_pages:
            raise Unreadable("too_many_pages")
        pages = [reader.pages[number].extract_text().strip() for number in range(count)]
    except FileNotDecryptedError:
        raise Unreadable("encrypted") from None
    if not count:
        raise Unreadable("empty")
    if sum(map(len, pages)) < CHARACTERS_PER_PAGE * count:
        raise Unreadable("scanned")
    if count == 1:
        return Extracted("pdf", pages[0], 1)
    # The page is what a passage of a PDF is cited by.
    return Extracted("pdf", "\n\n".join(f"# Page {n}\n\n{text}" for n, text in enumerate(pages, 1) if text), count)


def _limit(memory: int, seconds: int, characters: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    # The answer is a file, and the only one to write: six bytes for a character at most.
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * characters + 4096, 8 * characters + 4096))


def _shut_network() -> None:
    # By its path: started with -I, this finds no module of ours.
    runpy.run_path(str(Path(__file__).with_name("no_network.py")))["shut"]()


def main(arguments: list[str]) -> None:
    memory, seconds, characters, pages = (int(argument) for argument in arguments)
    _limit(memory, seconds, characters)
    _shut_network()
    answer: dict[str, Any]
    try:
        found = extract(sys.stdin.buffer.read(), max_characters=characters, max_pages=pages)
        answer = {"kind": found.kind, "text": found.text, "pages": found.pages}
    except Unreadable as error:
        answer = {"problem": error.problem}
    except MemoryError:
        answer = {"problem": "too_much"}
    except Exception as error:
        # Whatever a library says of a broken file: its words may hold anything, its type says where to look.
        answer = {"problem": "damaged", "type": type(error).__name__}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
