"""One input at a time: whatever it changes is taken back, so that the next one finds the same rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.signals import got_request_exception
from django.db import connection, transaction


@contextmanager
def undone() -> Iterator[None]:
    """A savepoint that is rolled back. What the database would only refuse at a commit is refused at its end."""
    with transaction.atomic():
        yield
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


class Crashes:
    """The errors behind answers of 500, which only the log would tell."""

    def __init__(self) -> None:
        self.latest = ""

    def _note(self, **_: object) -> None:
        import sys
        import traceback

        kind, error, trace = sys.exc_info()
        if kind is None:
            self.latest = "an error that was handled before"
            return
        ours = [
            frame
            for frame in traceback.extract_tb(trace)
            if ".venv" not in frame.filename and "/telemetry/" not in frame.filename
        ]
        where = f" at {'/'.join(ours[-1].filename.split('/')[-3:])}:{ours[-1].lineno}" if ours else ""
        self.latest = f"{kind.__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}{where}"

    @contextmanager
    def watched(self) -> Iterator["Crashes"]:
        got_request_exception.connect(self._note)
        try:
            yield self
        finally:
            got_request_exception.disconnect(self._note)
