"""What a report may cite: what was read, by its number."""

import pytest

from leadagent.leads.rendering import report_html
from leadagent.leads.research.citations import Cited, check_citations
from leadagent.leads.research.shown import shown_sources
from leadagent.leads.research.sources import Sources


@pytest.mark.parametrize(
    ("text", "left", "numbers", "dropped"),
    [
        ("They make gears [1].", "They make gears [1].", [1], 0),
        ("Gears [1, 2] and more [2].", "Gears [1][2] and more [2].", [1, 2], 0),
        ("Made up [7].", "Made up.", [], 1),
        ("Half [2, 9; 8] true", "Half [2] true", [2], 2),
        ("[3](https://evil.example/x) linked", "[3] linked", [3], 0),
        ("[9](https://evil.example/x) linked", " linked", [], 1),
        ("Footnote [^2]", "Footnote [2]", [2], 0),
        ("[0] [00] [99999]", " [99999]", [], 2),
        ("A list [x] and [a link](https://gears.example)", "A list [x] and [a link](https://gears.example)", [], 0),
    ],
)
def test_citations_of_what_was_not_read_are_taken_out(text: str, left: str, numbers: list[int], dropped: int) -> None:
    assert check_citations(text, {1, 2, 3}) == Cited(left, numbers, dropped)


def test_what_is_read_twice_has_one_number_and_a_page_keeps_that_of_its_search_result() -> None:
    sources = Sources()
    assert sources.add("lead", "Message", ref="x") == 1
    assert sources.add("search", "Gears", url="https://gears.example/") == 2
    assert sources.add("tech", "Technology", url="https://gears.example/") == 3
    assert sources.add("page", "Gears Ltd – home", url="https://gears.example/") == 2
    assert sources.add("search", "Gears again", url="https://gears.example/") == 2
    assert [(s.number, s.kind, s.title) for s in sources.all()] == [
        (1, "lead", "Message"), (2, "page", "Gears Ltd – home"), (3, "tech", "Technology"),
    ]  # fmt: skip


RESULT = {
    "sources": [
        {"number": 1, "kind": "lead", "title": "Message", "url": "", "ref": "x"},
        {"number": 2, "kind": "page", "title": "Gears", "url": "https://gears.example/about", "ref": ""},
        {"number": 3, "kind": "page", "title": "Bad", "url": "javascript:alert(1)", "ref": ""},
        {"number": 4, "kind": "crm", "title": "Bob", "url": "", "ref": "0192f0c1-2f2e-7c55-8000-000000000001"},
        {"number": 5, "kind": "crm", "title": "Nobody", "url": "", "ref": "no id"},
    ],
    "cited": [2, 4],
}


def test_sources_lead_to_pages_and_to_rows_of_our_own_and_nowhere_else() -> None:
    shown = shown_sources(RESULT, "acme")
    assert [(s.number, s.href, s.is_outside) for s in (*shown.cited, *shown.others)] == [
        (2, "https://gears.example/about", True),
        (4, "/o/acme/leads/0192f0c1-2f2e-7c55-8000-000000000001/", False),
        (1, "", False), (3, "", False), (5, "", False),
    ]  # fmt: skip


def test_a_report_links_its_citations_and_the_pages_that_were_read() -> None:
    html = report_html(
        "Gears [2], see [their page](https://gears.example/about) and [this](https://evil.example/?leak) and "
        "<https://evil.example/> and [9] `[2]` [in](/o/acme/settings/)",
        shown_sources(RESULT, "acme"),
    )
    assert '<a href="#source-2" rel="noopener nofollow noreferrer">[2]</a>' in html
    assert '<a href="https://gears.example/about" rel="noopener nofollow noreferrer">their page</a>' in html
    assert html.count("<a ") == 2
    assert html.count("a link to a page that was not read") == 3
    assert "<code>[2]</code>" in html


def test_a_result_of_before_there_were_sources_has_none() -> None:
    shown = shown_sources({"report": "x", "tool_calls": []}, "acme")
    assert (shown.cited, shown.others, shown.dropped, shown.gaps) == ([], [], 0, [])
