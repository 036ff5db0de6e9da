"""Text from outside becomes storable, and fit for a header."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadagent.leads.rendering import report_html
from leadagent.leads.text import clean, one_line


@given(st.text(st.characters()))  # halves of characters too, as JSON and PDF may bring them
def test_clean_text_has_no_control_characters(text: str) -> None:
    cleaned = clean(text)

    cleaned.encode()
    assert "\x00" not in cleaned
    assert "\r" not in cleaned
    assert clean(cleaned) == cleaned


@given(st.text())
def test_one_line_fits_a_header(text: str) -> None:
    line = one_line(text, limit=50)

    assert len(line) <= 50
    assert line.splitlines() in ([], [line])


def test_words_stay() -> None:
    assert clean(" Größe\tand\nprice €\x07 ") == "Größe\tand\nprice €"
    assert one_line("a\r\n b\t c", limit=4) == "a b"


def test_a_report_is_formatted() -> None:
    html = report_html("# Summary\n\nThey make **gears**.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |")

    assert "<h3>Summary</h3>" in html
    assert "<strong>gears</strong>" in html
    assert html.count("<li>") == 2
    assert "<td>1</td>" in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<img src="https://spy.example/pixel">',
        "[click](javascript:alert(1))",
        '<a href="https://x.example" onclick="alert(1)">x</a>',
        "<iframe src=https://x.example></iframe>",
        "<style>body{display:none}</style>",
    ],
)
def test_a_report_runs_and_loads_nothing(hostile: str) -> None:
    found: list[tuple[str, list[tuple[str, str | None]]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, attrs))

    Tags().feed(report_html(hostile))

    assert [tag for tag, _ in found] in (["p"], [])
    assert not any(attrs for _, attrs in found)


def test_headings_begin_below_those_of_the_page() -> None:
    html = report_html("## Summary\n\ntext\n\n### Detail\n\n###### Deep")

    assert "<h3>Summary</h3>" in html
    assert "<h4>Detail</h4>" in html
    assert "<h6>Deep</h6>" in html


def test_an_image_becomes_its_words() -> None:
    html = report_html("![pixel](https://spy.example/pixel)")

    assert "<img" not in html
    assert "<a" not in html
    assert "pixel" in html


def test_links_lead_to_pages_that_were_read_only() -> None:
    html = report_html("[their site](https://gears.example)")

    assert "<a" not in html
    assert "their site (a link to a page that was not read)" in html
