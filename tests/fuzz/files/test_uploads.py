"""Files for the knowledge base, whole and spoilt: each becomes a document, or keeps its line with the reason."""

import io
import json
import traceback
import zipfile
from collections.abc import Callable
from random import Random

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pypdf import PdfReader, PdfWriter

from leadagent.leads.knowledge import extraction, file_reading, uploads
from leadagent.leads.knowledge.documents import FILE_TEXT_LIMIT
from leadagent.leads.models import UploadStatus
from leadagent.tenants.models import Membership
from tests.fuzz.pages.values import ODD
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import undone
from tests.leads.made_files import docx, paragraph, pdf, sealed_pdf, table

pytestmark = pytest.mark.django_db

# So many files go through a process of their own as in production; the others through the same code in this one.
_IN_OWN_PROCESS = 12

_HTML = (
    "<!doctype html><html><head><title>Prices</title><style>p{}</style></head><body><h1>Prices</h1>"
    "<p>Ten <b>dollars</b>.</p><table><tr><td>a</td><td>b</td></tr></table><script>x()</script></body></html>"
)
_NAMES = (
    "prices.pdf", "notes.txt", "a.docx", "x" * 300 + ".md", "../../etc/passwd", "C:\\docs\\a.pdf", "\u202efdp.exe", "a\r\nb.txt",
    ".pdf", "no ending", "\0.txt", "🙂.html", "a.txt.exe", "   ",
)  # fmt: skip


def _bomb() -> bytes:
    return docx(paragraph("x"), more={"word/media/image1.xml": b" " * 60_000_000})


def _nested_archive() -> bytes:
    return docx(paragraph("x"), more={"word/inner.zip": docx(paragraph("y")), "word/../../evil.xml": b"<a/>"})


def _encrypted_flag() -> bytes:
    made = bytearray(docx(paragraph("x")))
    made[6] |= 1
    return bytes(made)


def _no_document() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return made.getvalue()


def _pdf_that_refers_to_itself() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Ten dollars a month for everybody."))))
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue().replace(b"/Kids [ 4 0 R", b"/Kids [ 2 0 R")


_WHOLE: tuple[Callable[[], bytes], ...] = (
    lambda: pdf("Ten dollars a month for everybody.", "Twenty dollars a year."),
    lambda: docx(paragraph("Prices", heading=1), paragraph("Ten dollars."), table(["a", "b"], ["1", "2"])),
    _HTML.encode,
    "# Preise\n\nZehn Euro für Büros.\n".encode,
    lambda: "# Preise\n\nZehn Euro für Büros.\n".encode("utf-16"),
    lambda: sealed_pdf("Ten dollars a month.", password=""),
    lambda: sealed_pdf("Ten dollars a month.", password="secret"),
    _bomb, _nested_archive, _encrypted_flag, _no_document, _pdf_that_refers_to_itself,
    lambda: docx(paragraph("&lol;"), prolog='<!DOCTYPE a [<!ENTITY lol "lol">]>'),
    lambda: pdf("", ""),
    lambda: b"<html>" + b"<div>" * 3_000 + b"deep",
    lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    lambda: b"{\\rtf1 hello}",
    lambda: b"\xff\xfe\x00\xd8a\x00b\x00",
    lambda: b"",
    lambda: b" \n ",
)  # fmt: skip


def made(draw: Random, whole: list[bytes]) -> bytes:
    if draw.random() < 0.15:
        return "\n".join(draw.choice(ODD)[:5_000] for _ in range(draw.randrange(12))).encode("utf-8", "surrogatepass")
    data = draw.choice(whole)
    if not data:
        return data
    match draw.randrange(8):
        case 0:
            return data[: draw.randrange(len(data))]
        case 1:
            return data[draw.randrange(len(data)) :]
        case 2 | 3 | 4:
            spoilt = bytearray(data)
            for _ in range(draw.choice((1, 3, 20, 200))):
                spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
            return bytes(spoilt)
        case 5:
            place = draw.randrange(len(data))
            return data[:place] + draw.randbytes(draw.choice((1, 16, 500))) + data[place:]
        case 6:
            return data + draw.choice(whole)
    return data


def _in_this_process(data: bytes) -> file_reading.ReadFile:
    """As the process of its own would answer, without its limits."""
    try:
        found = extraction.extract(data, max_characters=FILE_TEXT_LIMIT, max_pages=file_reading.MAX_PAGES)
        answer = {"kind": found.kind, "text": found.text, "pages": found.pages}
    except extraction.Unreadable as error:
        answer = {"problem": error.problem}
    except Exception as error:
        answer = {"problem": "damaged", "type": type(error).__name__}
    return file_reading._understood(json.dumps(answer).encode())


@pytest.mark.filterwarnings("ignore")
def test_files_become_documents_or_say_why_not(
    admin: Membership, counted: Callable[[Tally], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally("uploads")
    whole = [make() for make in _WHOLE]
    step = max(SIZES.uploads // (_IN_OWN_PROCESS * (1 + SIZES.uploads // 500)), 1)
    for number in range(SIZES.uploads):
        draw = Random(number)
        tally.tried += 1
        monkeypatch.setattr(uploads, "read_file", file_reading.read_file if number % step == 0 else _in_this_process)
        with undone():
            try:
                file = SimpleUploadedFile(draw.choice(_NAMES), made(draw, whole))
                [row] = uploads.take_in(admin.organization, [file], created_by=admin.user)
                document = uploads.read_upload(row.pk) if row.status != UploadStatus.FAILED else None
                line = admin.organization.uploads.filter(pk=row.pk).first()
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                what = (
                    f"{type(error).__name__}: {str(error)[:100]} at {where.filename.rpartition('/')[2]}:{where.lineno}"
                )
                tally.fail("unhandled", what, example=f"file {number}")
                continue
            if document is None:
                tally.outcomes[line.error_code if line else "gone"] += 1
                if line is None or not line.error_sentence:
                    tally.fail("lost", "gone without a reason", example=f"file {number}")
            else:
                tally.outcomes["a document"] += 1
                if not admin.organization.documents.get(pk=document).content.strip():
                    tally.fail("lost", "a document without text", example=f"file {number}")
    counted(tally)
