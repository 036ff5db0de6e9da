"""Uploaded files are read outside of the worker's own process: every kind, every trouble, and its limits."""

import base64
import os
import time

import pytest

from leadagent.leads.knowledge.documents import FILE_TEXT_LIMIT
from leadagent.leads.knowledge.file_reading import MAX_PAGES, PROBLEMS, FileProblem, ReadFile, read_file
from tests.leads.made_files import docx, paragraph, pdf, sealed_pdf, table


def problem(data: bytes, **limits: float) -> str:
    with pytest.raises(FileProblem) as caught:
        read_file(data, **limits)  # type: ignore[arg-type]
    assert caught.value.sentence
    return caught.value.code


# --- Kinds ---


@pytest.mark.parametrize(
    "data",
    [
        "# Preise\n\nZehn Euro für Büros.".encode(),
        "\ufeff# Preise\n\nZehn Euro für Büros.".encode(),
        "# Preise\n\nZehn Euro für Büros.".encode("utf-16"),
        "# Preise\n\nZehn Euro für Büros.".encode("cp1252"),
    ],
)
def test_text_in_any_usual_encoding(data: bytes) -> None:
    assert read_file(data) == ReadFile("text", "# Preise\n\nZehn Euro für Büros.", None)


def test_a_web_page_keeps_its_structure_and_loses_what_is_no_text() -> None:
    page = (
        b"<!doctype html><html><head><title>Shop</title><style>p{}</style></head><body><nav>Home</nav><h2>Prices</h2>"
        b"<script>alert(1)</script><ul><li>small</li><li>large</li></ul><p hidden>secret</p>"
        b"<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>"
    )

    read = read_file(page)

    assert read.kind == "html"
    assert read.text.startswith("# Shop\n\n## Prices")
    assert "* small\n* large" in read.text
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in read.text
    assert not any(word in read.text for word in ("alert", "Home", "secret", "p{}"))


def test_a_word_file_keeps_headings_and_tables() -> None:
    data = docx(paragraph("Prices", heading=1), paragraph("In euros."), table(["a", "b"], ["1", "2"]))

    read = read_file(data)

    assert read.kind == "docx"
    assert read.text.startswith("# Prices\n\nIn euros.")
    assert "| 1 | 2 |" in read.text


def test_a_pdf_is_cited_by_its_pages() -> None:
    read = read_file(pdf("Ten dollars a month.", "Twenty dollars a year."))

    assert (read.kind, read.pages) == ("pdf", 2)
    assert read.text == "# Page 1\n\nTen dollars a month.\n\n# Page 2\n\nTwenty dollars a year."
    assert read_file(pdf("Only one page here.")).text == "Only one page here."


def test_a_pdf_that_is_sealed_against_changes_only_is_read() -> None:
    assert read_file(sealed_pdf("Ten dollars a month.", password="")).text == "Ten dollars a month."


# --- Troubles ---


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"  \n ", "empty"),
        (docx(paragraph("")), "empty"),
        (sealed_pdf("Ten dollars", password="secret"), "encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "old_office"),
        (pdf("", "", ""), "scanned"),
        (base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="), "image"),
        (os.urandom(4000), "unsupported"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 100, "unsupported"),
        (rb"{\rtf1\ansi Hello}", "unsupported"),
        (docx(paragraph("x"))[:-300], "damaged"),
        (b"%PDF-1.7\ngarbage", "damaged"),
        (docx(paragraph("x"), prolog='<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'), "damaged"),
        (docx(paragraph("x"), more={"word/media/zeros.bin": b"\0" * (30 * 1024 * 1024)}), "bomb"),
        (("word " * (FILE_TEXT_LIMIT // 5 + 1)).encode(), "too_long"),
        (pdf(*["Ten dollars"] * (MAX_PAGES + 1)), "too_many_pages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_gives_no_text_says_why(data: bytes, code: str) -> None:
    assert problem(data) == code


def test_a_spreadsheet_is_not_taken_for_a_document() -> None:
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")

    assert problem(made.getvalue()) == "unsupported"


def test_a_page_without_end_in_its_nesting_is_survived() -> None:
    assert problem(b"<html><body>" + b"<div>" * 100_000 + b"x") in {"damaged", "too_much"}


# --- Limits ---

# About two million operators on one page.
HEAVY = pdf("", content=b"BT /F1 12 Tf " + b"(a) Tj 1 0 Td " * 700_000 + b"ET")


def test_processor_time_is_limited() -> None:
    started = time.monotonic()

    assert problem(HEAVY, cpu_seconds=1) == "too_much"
    assert time.monotonic() - started < 30


def test_waiting_is_limited() -> None:
    assert problem(HEAVY, wall_seconds=0.5) == "too_much"


def test_memory_is_limited() -> None:
    assert problem(("word " * 190_000).encode() * 20, memory=60 * 1024 * 1024) == "too_much"


def test_the_reader_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would print what it finds there, were it asked to: the words of a file never reach it as code."""
    import subprocess

    seen: dict[str, object] = {}
    popen = subprocess.Popen

    def noting(*args: object, **kwargs: object) -> object:
        seen.update(kwargs)
        return popen(*args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", noting)
    read_file(b"hello")

    assert seen["env"] == {}
    assert seen["cwd"] == "/"


def test_every_problem_has_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in PROBLEMS.values())
