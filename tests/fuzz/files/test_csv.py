"""CSV files as they come, and as nobody would send them: refused in words, or every row of them told."""

import csv
import io
import traceback
from collections.abc import Callable
from random import Random

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from leadagent.leads.importing.csv_file import UnreadableFile, guess_columns
from leadagent.leads.importing.imports import file_of, start_import, take_file
from leadagent.leads.importing.reading import read_batch
from leadagent.leads.models import LeadImport
from leadagent.tenants.models import Membership
from tests.fuzz.pages.markup import complaints, parsed
from tests.fuzz.pages.values import ODD
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import Crashes, undone

pytestmark = pytest.mark.django_db

_HEADERS = (
    ["name", "email", "company", "phone", "message"],
    ["email", "message"],
    ["E-Mail-Adresse", "Nachricht", "Firma"],
    ["email", "email", "message", "message"],
    ["", "", ""],
    ["a", "b", "c", "d"],
    ["message", "email", *(f"column {number}" for number in range(150))],
)
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1", "utf-32", "shift_jis")
_NAMES = (
    "leads.csv",
    "",
    "x" * 300 + ".csv",
    "../../etc/passwd",
    "a\r\nb.csv",
    "leads.xlsx",
    "\u202efdp.csv",
    "con",
    ".csv",
)
_FITTING = ("Ann", "ann@example.test", "Gears Ltd", "+49 40 123", "We need 400 licences.")
_RAW = (
    b"", b"\n", b",", b'"', b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff\x00", b"PK\x03\x04" + b"\0" * 200, b"\x00" * 1000,
    b"%PDF-1.4", b"email,message", b"email,message\n", b"\xff" * 500, b"email;message\n\xd8\x00;x", bytes(range(256)) * 4,
    b'email,message\n"' + b"x" * 140_000 + b'",y\n', b"a," * 5_000 + b"\n", b"\r" * 2_000, b'"\n' * 2_000,
)  # fmt: skip


def made(draw: Random) -> bytes:
    """A file: written as a spreadsheet would, then now and then spoilt."""
    if draw.random() < 0.15:
        return draw.choice(_RAW)
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=draw.choice(",,,;\t|:"),
        quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        lineterminator=draw.choice(("\r\n", "\n", "\r")),
    )
    header = draw.choice(_HEADERS)
    writer.writerow(header)
    wildness = draw.choice((0.0, 0.1, 0.5, 1.0))
    for _ in range(draw.choice((0, 1, 3, 12))):
        cells = [draw.choice(ODD) if draw.random() < wildness else draw.choice(_FITTING) for _ in header]
        for place, name in enumerate(header):
            if "mail" in name.lower() and draw.random() > wildness:
                cells[place] = draw.choice(("ann@example.test", "Bob@Example.test", "c@d.test"))
        writer.writerow(cells[: draw.choice((len(cells), len(cells), 1, 0))] + ["x"] * draw.choice((0, 0, 3)))
    data = out.getvalue().encode(draw.choice(_ENCODINGS), errors="replace")
    match draw.randrange(10):
        case 0:
            return data[: draw.randrange(len(data) + 1)]
        case 1:
            place = draw.randrange(len(data) + 1)
            return data[:place] + draw.choice((b'"', b"\x00", b"\xff", b"\r\r", b'""')) + data[place:]
        case 2:
            return b"\n\n" + data
    return data


def test_files_are_refused_in_words_or_taken_in_row_by_row(admin: Membership, counted: Callable[[Tally], None]) -> None:
    tally = Tally("CSV files")
    client = Client(raise_request_exception=False)
    client.force_login(admin.user)
    crashes = Crashes()
    with crashes.watched():
        for number in range(SIZES.csv_files):
            draw = Random(number)
            tally.tried += 1
            with undone():
                try:
                    if number % 6 == 0:
                        _upload(client, admin, draw, tally, crashes, number)
                    else:
                        _import(admin, draw, tally, number)
                except Exception as error:
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    what = f"{type(error).__name__}: {str(error)[:100]} at {where.filename.rpartition('/')[2]}:{where.lineno}"
                    tally.fail("unhandled", what, example=f"file {number}")
    counted(tally)


def _import(admin: Membership, draw: Random, tally: Tally, number: int) -> None:
    """The file through the functions that view and worker call."""
    try:
        taken = take_file(admin.organization, draw.choice(_NAMES), made(draw), by=admin.user)
    except UnreadableFile as problem:
        tally.outcomes["refused"] += 1
        if not str(problem):
            tally.fail("lost", "refused without a word", example=f"file {number}")
        return
    header = file_of(taken).header
    columns = guess_columns(header)
    for name in ("email", "message"):
        columns.setdefault(name, draw.randrange(len(header)))
    start_import(taken, columns, starts_runs=False, at_once=1, by=admin.user)
    while read_batch(taken.pk):
        pass
    told = taken.rows.count()
    tally.outcomes["taken in"] += 1
    if told != taken.rows_total:
        tally.fail("lost", f"{told} of {taken.rows_total} rows are told", example=f"file {number}")
    if taken.rows.exclude(outcome="added").filter(reason="").exists():
        tally.fail("lost", "a row is left out without a reason", example=f"file {number}")


def _upload(client: Client, admin: Membership, draw: Random, tally: Tally, crashes: Crashes, number: int) -> None:
    """The file through the form, and the page that shows its columns."""
    file = SimpleUploadedFile(draw.choice(_NAMES) or "x", made(draw))
    answer = client.post(reverse("leads:import_new", args=[admin.organization.slug]), {"file": file})
    if answer.status_code == 302:
        answer = client.get(answer.headers["Location"])
        waiting: LeadImport = LeadImport.objects.get()
        client.post(reverse("leads:import", args=[admin.organization.slug, waiting.pk]), {"column_email": "0"})
    elif answer.status_code == 422 and not complaints(parsed(answer.getvalue())):
        tally.fail("lost", "refused without a word", example=f"file {number}")
    tally.outcomes[str(answer.status_code)] += 1
    if answer.status_code >= 500:
        tally.fail("crashed", crashes.latest, example=f"file {number}")
