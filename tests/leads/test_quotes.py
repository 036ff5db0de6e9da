"""What counts as a quote of a text, and what is only like it."""

import pytest

from leadagent.leads.quotes import Passages, stretches, without_marks

REPORT = """\
## Summary

Northwind gets **about 400** quote requests a week [1], and loses “half” of them – nobody answers [2, 5].

- Answers within an hour
- A fee of $1,500, not $15
1. Who approves an _answer_?

See [their page](https://northwind.example/about) for more. 納期は来月の三日までに必要です。
"""


@pytest.mark.parametrize(
    "quote",
    [
        "about 400 quote requests a week",
        "Northwind gets **about 400** quote requests a week [1], and loses",
        "northwind gets about 400\n quote   requests a week, and loses 'half' of them",
        'loses "half" of them — nobody answers.',
        "“about 400 quote requests a week…”",
        "- Answers within an hour",
        "Who approves an answer",
        "A fee of $1,500, not $15",
        "See their page for more",
        "来月の三日までに",
    ],
)
def test_the_same_words_are_a_quote(quote: str) -> None:
    assert Passages(REPORT).find(quote)


@pytest.mark.parametrize(
    "quote",
    [
        "the",
        "a week",
        "Northwind",
        "",
        "…",
        "about 4,000 quote requests a week",
        "about 400 requests a week",
        "A fee of $1.500, not $15",
        "A fee of $1,500, not $1",
        "orthwind gets about 400",
        "about 400 quote … nobody answers",
        "They have a budget of ten thousand",
    ],
)
def test_other_words_too_few_and_cut_ones_are_none(quote: str) -> None:
    assert Passages(REPORT).find(quote) is None


def test_a_passage_is_in_the_words_of_its_text() -> None:
    found = Passages(REPORT).passage("NORTHWIND GETS ABOUT 400 QUOTE REQUESTS A WEEK, and loses 'half' of them")

    assert found == "Northwind gets about 400 quote requests a week, and loses “half” of them"


def test_accents_are_the_same_however_they_are_written() -> None:
    composed, apart = "Das Büro in Köln antwortet", "Das Bu\u0308ro in Ko\u0308ln antwortet"

    assert Passages(composed).passage(apart) == composed
    assert Passages(apart).find(composed)


def test_invisible_characters_hide_nothing() -> None:
    assert Passages("They have a bud\u00adget of\u200b ten thousand").find("a budget of ten thousand")


def test_without_marks_a_passage_can_stand_alone() -> None:
    assert without_marks("- **Budget** named [3],\n  this quarter [1, 2]") == "Budget named, this quarter"


def test_a_text_is_cut_where_passages_begin_and_end() -> None:
    text = "We need gears by March, and a price."
    cut = stretches(text, {"a": "need gears by March", "b": "by March, and a price", "c": "something else here"})

    assert [(each.text, each.names, each.begins) for each in cut] == [
        ("We ", (), ()),
        ("need gears ", ("a",), ("a",)),
        ("by March", ("a", "b"), ("b",)),
        (", and a price", ("b",), ()),
        (".", (), ()),
    ]
    assert "".join(each.text for each in cut) == text
