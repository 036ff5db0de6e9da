"""Marks in HTML: on the right words, across elements, and never more than marks."""

from django.utils.safestring import mark_safe

from leadagent.leads.marking import marked, marked_message, text_of
from leadagent.leads.rendering import report_html

REPORT = "## Need\n\nThey want **400 licences** from March [1] & a price < $10.\n\n- Answers within an hour"


def test_a_passage_is_marked_across_elements_and_has_one_anchor() -> None:
    html, ids = marked(
        report_html(REPORT), {"quote-1": "want 400 licences from March", "quote-2": "not in here at all"}
    )

    assert ids == {"quote-1"}
    assert html.count('id="quote-1"') == 1
    assert (
        'They <mark id="quote-1">want </mark><strong><mark>400 licences</mark></strong><mark> from March</mark>' in html
    )


def test_nothing_but_marks_is_changed() -> None:
    plain = report_html(REPORT)
    html, _ = marked(plain, {"a": "400 licences from March & a price", "b": "a price < $10"})

    assert html.replace("</mark>", "").replace('<mark id="a">', "").replace('<mark id="b">', "").replace(
        "<mark>", ""
    ) == str(plain)
    assert text_of(html) == text_of(plain)


def test_a_text_that_looks_like_html_stays_text() -> None:
    message = "Hello <script>alert(1)</script> & <img src=x onerror=alert(2)> we need 400 licences"
    html, ids = marked_message(message, {"quote-1": "<script>alert(1)</script> & <img src=x onerror=alert(2)>"})

    assert ids == {"quote-1"}
    assert "<script" not in html
    assert "<img" not in html
    assert '<mark id="quote-1">&lt;script&gt;' in html


def test_an_id_is_escaped_too() -> None:
    html, _ = marked(mark_safe("<p>They make gears</p>"), {'"><script>': "They make gears"})

    assert "<script>" not in html


def test_two_passages_that_begin_together_have_an_anchor_each() -> None:
    html, ids = marked(
        mark_safe("<p>They make gears in Leeds</p>"), {"a": "They make gears", "b": "They make gears in"}
    )

    assert ids == {"a", "b"}
    assert html.startswith('<p><mark id="a"><mark id="b">They make gears</mark></mark><mark> in</mark>')
