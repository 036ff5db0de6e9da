"""A CSV file as it was uploaded: its encoding, its delimiter, its header and its rows. Pure."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MOST_COLUMNS = 100
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODING_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}

# What columns are called, lower case and without anything but letters.
_NAMES = {
    "name": {"name", "fullname", "contact", "contactname", "person", "ansprechpartner", "nom", "nombre"},
    "email": {"email", "emailaddress", "mail", "mailaddress", "emailadresse", "correo", "courriel"},
    "company": {"company", "companyname", "organisation", "organization", "account", "firma", "unternehmen", "societe"},
    "phone": {"phone", "phonenumber", "telephone", "tel", "mobile", "telefon", "handy"},
    "message": {"message", "text", "enquiry", "inquiry", "request", "comment", "notes", "nachricht", "anfrage"},
}


class UnreadableFile(Exception):
    """The file cannot be taken in. The text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `line` is where it begins in the file, from 1; `problem` says why it cannot be read."""

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A decoded file. The first row with anything in it is the header."""

    text: str
    encoding: str
    delimiter: str

    @property
    def encoding_label(self) -> str:
        return _ENCODING_NAMES.get(self.encoding, self.encoding)

    @property
    def header(self) -> list[str]:
        return next((row.cells for row in self._records()), [])

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """The rows below the header, without empty ones; `start` leaves out so many."""
        return islice(self._records(), start + 1, None)

    def count(self) -> int:
        return sum(1 for _ in self.rows())

    def _records(self) -> Iterator[Row]:
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter, strict=False)
        line = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(line, [], f"This row cannot be read ({error}).")
                line = reader.line_num + 1
                continue
            if any(cell.strip() for cell in cells):
                yield Row(line, [cell.strip() for cell in cells[:MOST_COLUMNS]])
            line = reader.line_num + 1


def read_csv(data: bytes, *, most_rows: int) -> CsvFile:
    """The file with what was found out about it. Raises `UnreadableFile`."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise UnreadableFile("The file says that it is Unicode and is not. Save it as CSV in UTF-8.") from None
        # What spreadsheets write in western Europe and America where nobody chose UTF-8; it can decode anything.
        encoding, text = "cp1252", data.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise UnreadableFile("This is no CSV file. Save the sheet as CSV (comma separated) and upload that.")
    file = CsvFile(text, encoding, _delimiter_of(text))
    if not file.header:
        raise UnreadableFile("The file is empty.")
    rows = file.count()
    if not rows:
        raise UnreadableFile("There are no rows below the header.")
    if rows > most_rows:
        raise UnreadableFile(f"The file has {rows:,} rows, and {most_rows:,} are allowed. Split it first.")
    return file


def guess_columns(header: list[str]) -> dict[str, int]:
    """Field of a lead -> the column that seems to hold it; what nobody can guess is left out."""
    words = ["".join(filter(str.isalpha, cell.lower())) for cell in header]
    found: dict[str, int] = {}
    for field, names in _NAMES.items():
        exact = [i for i, word in enumerate(words) if word in names]
        inside = [i for i, word in enumerate(words) if any(len(name) > 3 and name in word for name in names)]
        free = [i for i in (*exact, *inside) if i not in found.values()]
        if free:
            found[field] = free[0]
    return found


def _delimiter_of(text: str) -> str:
    """The one that cuts the first lines into the same number of columns, more than one."""
    best, most = ",", 1.0
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter)
        try:
            widths = [len(cells) for cells in islice(reader, 20) if cells]
        except csv.Error:
            continue
        alike = widths.count(widths[0]) / len(widths) if widths else 0
        if widths and widths[0] > 1 and widths[0] * alike > most:
            best, most = delimiter, widths[0] * alike
    return best
