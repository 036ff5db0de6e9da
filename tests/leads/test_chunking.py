"""Texts are cut along their structure: nothing is lost, the order is kept, no passage is too long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadagent.leads.knowledge.chunking import OVERLAP, PASSAGE, cut
from leadagent.leads.knowledge.structure import blocks_of

# Pieces of Markdown, whole and broken, put together at random.
LINES = st.one_of(
    st.sampled_from(
        [
            "", "# Prices", "## Teams", "### ", "Title", "=====", "---", "- one", "  - two", "1. first", "> quoted",
            "| a | b |", "|---|---|", "| 1 | 2 |", "```", "    code", "[x]: https://x.test", "<div>", "a\u2028b",
            "word " * 60, "x" * 3000, "Sentence one. Sentence two! " * 40, "| " + "cell " * 90 + "| b |",
        ]
    ),
    st.text(max_size=80),
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=40).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_passages_have_the_whole_text_in_order_and_within_the_limit(content: str) -> None:
    pieces = cut(content)

    at = 0
    for number, piece in enumerate(pieces):
        assert piece.position == number
        assert content[at : piece.start].strip() == "", "only blanks lie between passages"
        assert piece.begins <= piece.start < piece.end
        assert piece.start - piece.begins <= OVERLAP
        assert 0 < len(piece.text(content)) <= PASSAGE
        at = piece.end
    assert content[at:].strip() == ""


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_blocks_are_the_text(content: str) -> None:
    blocks = blocks_of(content)

    assert "".join(content[block.start : block.end] for block in blocks) == (content if content.strip() else "")
    assert all(block.parts[0] == block.start and list(block.parts) == sorted(set(block.parts)) for block in blocks)


def test_each_passage_knows_the_headings_above_it() -> None:
    pieces = cut(
        "Hello.\n\n# Prices\n\nIn euros.\n\n## Teams\n\nTen.\n\n## Firms\n\nHundred.\n\nOffices\n=======\n\nBonn.\n"
    )

    assert [(piece.headings, piece.position) for piece in pieces] == [
        ((), 0),
        (("Prices",), 1),
        (("Prices", "Teams"), 2),
        (("Prices", "Firms"), 3),
        (("Offices",), 4),
    ]


def test_headings_without_text_between_open_one_passage() -> None:
    content = "# Handbook\n\n## Holidays\n\nAugust."

    [piece] = cut(content)

    assert (piece.headings, piece.text(content)) == (("Handbook", "Holidays"), content)


def test_short_blocks_stay_together() -> None:
    content = "# Prices\n\nIn euros.\n\n- small: 1\n- large: 2\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

    assert len(cut(content)) == 1


def test_a_long_list_is_parted_between_its_items() -> None:
    content = "\n".join(f"- Item {number}: " + "word " * 30 for number in range(40))

    pieces = cut(content)

    assert len(pieces) > 3
    assert all(content[piece.start :].startswith("- Item") for piece in pieces)


def test_each_part_of_a_long_table_begins_with_its_head() -> None:
    head = "| product | price |\n|---|---|\n"
    content = head + "\n".join(
        f"| product {number} | {number} dollars a month, less for schools |" for number in range(80)
    )

    pieces = cut(content)

    assert len(pieces) > 2
    assert all(piece.text(content).startswith(head) for piece in pieces)
    assert sum(piece.text(content).count("product 40 |") for piece in pieces) == 1


def test_a_long_section_goes_on_with_the_end_of_the_passage_before() -> None:
    content = "# Story\n\n" + " ".join(f"Sentence number {number} is here." for number in range(200))

    first, second, *_ = cut(content)

    repeated = content[second.begins : second.start].strip()
    assert 0 < len(repeated) <= OVERLAP
    assert repeated.startswith("Sentence number"), "it begins with a sentence"
    assert first.text(content).endswith(repeated)


@pytest.mark.parametrize("hostile", ["> " * 20_000, "- " * 20_000, "[" * 100_000, "* a\n" * 30_000, "`" * 100_000])
def test_hostile_texts_are_cut_too(hostile: str) -> None:
    pieces = cut(hostile)

    assert all(len(piece.text(hostile)) <= PASSAGE for piece in pieces)
