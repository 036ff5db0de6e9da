"""What a diff shows adds up to both texts."""

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from leadagent.leads.text_diff import Piece, compare

TEXTS = st.lists(st.sampled_from(["Dear", "Ann,", " ", "\n", "gears", "ü", "\r", "\u2028", "<b>"]), max_size=40).map(
    "".join
)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_put_together_again(old: str, new: str) -> None:
    pieces = compare(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == new
    assert all(a.kind != b.kind for a, b in pairwise(pieces))


def test_words_are_shown_not_whole_paragraphs() -> None:
    assert compare("We sell gears.\nBye", "We sell fine gears.\nBye") == [
        Piece("same", "We sell "), Piece("new", "fine "), Piece("same", "gears.\nBye"),
    ]  # fmt: skip


def test_a_hostile_length_takes_no_time() -> None:
    began = time.monotonic()
    compare("a b " * 5000, "b a " * 5000)
    compare("a\n" * 9000, "b\n" * 9000)
    assert time.monotonic() - began < 2


def test_changed_words_side_by_side_are_one_phrase() -> None:
    assert compare("I say good bye now", "I say fare well now") == [
        Piece("same", "I say "), Piece("gone", "good bye"), Piece("new", "fare well"), Piece("same", " now"),
    ]  # fmt: skip
