"""What is taken for a vector, and what for an answer without one."""

from types import SimpleNamespace
from typing import Any

import pytest

from leadagent.leads.knowledge.answered_vectors import MAX_DIMENSIONS, read_vectors


def item(index: Any, embedding: Any) -> SimpleNamespace:
    return SimpleNamespace(index=index, embedding=embedding)


def test_vectors_come_in_the_order_of_their_texts() -> None:
    answer = SimpleNamespace(data=[item(1, [1, 2.5]), item(0, [0.0])])
    assert read_vectors(answer, count=2) == [[0.0], [1.0, 2.5]]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "x",
        [],
        {},
        [None],
        [["a"]],
        [float("nan")],
        [float("inf")],
        [1e39],
        [10**400],
        [0.5] * (MAX_DIMENSIONS + 1),
    ],
)
def test_what_is_no_vector_is_no_answer(wrong: Any) -> None:
    assert read_vectors(SimpleNamespace(data=[item(0, [0.5]), item(1, wrong)]), count=2) is None


@pytest.mark.parametrize("index", [None, "1", [], 0])
def test_a_vector_without_its_place_is_none(index: Any) -> None:
    assert read_vectors(SimpleNamespace(data=[item(0, [0.5]), item(index, [0.5])]), count=2) is None


@pytest.mark.parametrize(
    "answer", ["text", None, SimpleNamespace(), SimpleNamespace(data=None), SimpleNamespace(data={})]
)
def test_any_other_answer_holds_none(answer: Any) -> None:
    assert read_vectors(answer, count=1) is None
