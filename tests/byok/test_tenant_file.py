"""The exported file is read a piece at a time, and refused where it is no JSON array."""

import json
import tracemalloc
from io import StringIO
from typing import Any

import pytest

from byok.migrating.tenant_file import CHUNK_CHARACTERS, DamagedFile, read_array
from tests.byok.old_system import tenant


def test_the_array_is_read_piece_by_piece() -> None:
    """50,000 tenants take the memory of a few, wherever the pieces are cut."""

    class Endless(StringIO):
        """The file as it would be, made while it is read."""

        def __init__(self) -> None:
            super().__init__()
            self._parts = self._make()
            self._rest = ""

        def _make(self) -> Any:
            yield "[ "
            for number in range(50_000):
                yield text.replace("NUMBER", str(number)) + (",\n" if number < 49_999 else "]\n")

        def read(self, size: int | None = -1) -> str:
            assert size == CHUNK_CHARACTERS
            # Cut at odd places.
            while len(self._rest) < 9_973 and (part := next(self._parts, "")):
                self._rest += part
            piece, self._rest = self._rest[:9_973], self._rest[9_973:]
            return piece

    text = json.dumps(tenant(1) | {"id": "NUMBER"}).replace('"NUMBER"', "NUMBER")
    tracemalloc.start()
    ids = (raw["id"] for raw in read_array(Endless()))
    assert all(found == number for number, found in enumerate(ids))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("cut", range(1, 9))
def test_numbers_and_texts_at_the_edge_of_a_piece_are_whole(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byok.migrating.tenant_file.CHUNK_CHARACTERS", cut)
    assert list(read_array(StringIO(' [12345 , "a,]b" ,{"c": [1, 2]}, true ] '))) == [
        12345,
        "a,]b",
        {"c": [1, 2]},
        True,
    ]
    with pytest.raises(DamagedFile):
        list(read_array(StringIO("[12345, 6")))
