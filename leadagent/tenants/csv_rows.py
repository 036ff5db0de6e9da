"""CSV that is sent while it is read, and that a spreadsheet does not take for formulas."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

# What spreadsheets take for the start of a formula, also in full width and behind white space.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROWS_AT_ONCE = 500


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: object) -> str:
    """The value as text, with an apostrophe before what would be read as a formula; None is empty."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def csv_response(filename: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A download of these rows; `rows` is read as the answer goes out."""
    response = StreamingHttpResponse(_chunks(heading, rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _chunks(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # The mark tells spreadsheets that this is UTF-8.
    chunk = ["\ufeff", writer.writerow(heading)]
    for row in rows:
        chunk.append(writer.writerow([safe_cell(value) for value in row]))
        if len(chunk) >= _ROWS_AT_ONCE:
            yield "".join(chunk)
            chunk = []
    yield "".join(chunk)
