"""Similar texts point the same way, and the same text always gives the same vector."""

import math
from base64 import b64decode
from struct import unpack

import pytest

from leadagent.sandbox.vectors import as_base64, embed


def _similarity(left: str, right: str, dimensions: int = 1536) -> float:
    return sum(a * b for a, b in zip(embed(left, dimensions), embed(right, dimensions), strict=True))


PLANS = "Our Growth plan costs 49 euros per seat and month, with volume discounts for teams."
REFUNDS = "Refunds are paid within 14 days to the card that was charged."
OFFICE = "The office in Oslo is closed on public holidays."


@pytest.mark.parametrize("dimensions", [256, 1536, 3072])
def test_a_question_is_nearest_to_the_passage_that_answers_it(dimensions: int) -> None:
    for question, answer in (
        ("What does the growth plan cost for our team?", PLANS),
        ("How long does a refund take to my card?", REFUNDS),
        ("Is the Oslo office open on a holiday?", OFFICE),
    ):
        ranked = sorted((PLANS, REFUNDS, OFFICE), key=lambda text: -_similarity(question, text, dimensions))
        assert ranked[0] == answer


def test_vectors_are_unit_length_deterministic_and_case_blind() -> None:
    for text in (PLANS, "a", "the of and", "...", "日本語 テキスト"):
        assert math.hypot(*embed(text, 1536)) == pytest.approx(1)
    assert embed(PLANS, 1536) == embed(PLANS.upper(), 1536)
    assert _similarity(PLANS, PLANS) == pytest.approx(1)
    assert _similarity("refund", "refunds") > 0.3
    assert abs(_similarity("refund", "holiday")) < 0.1


def test_base64_holds_little_endian_floats() -> None:
    vector = embed(PLANS, 8)
    assert unpack("<8f", b64decode(as_base64(vector))) == pytest.approx(vector, abs=1e-6)
