"""Lines for the way, and the same text at its end."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leadagent.leads.emails.flowed import WIDTH, flowed, joined

TEXTS = st.lists(
    st.sampled_from(
        ["Dear", "Ann,", " ", "  ", "\n", "\n\n", ">", "> quoted", "From ", "-- ", "x" * 80, "üß漢", "a b " * 30]
    ),
    max_size=30,
).map("".join)


def trimmed(text: str) -> str:
    """Spaces at the ends of lines mean something else in this format."""
    return "\n".join(line if line == "-- " else line.rstrip(" ") for line in text.split("\n"))


@given(TEXTS)
@example("-- " + "x" * 80)
@example("-- " + "x" * 80 + " y")
def test_the_reader_gets_the_text_back(text: str) -> None:
    assert joined(flowed(text)) == trimmed(text)


@given(TEXTS)
def test_lines_are_short_where_they_can_be(text: str) -> None:
    for line in flowed(text).split("\n"):
        assert len(line) <= WIDTH + 1 or " " not in line.strip(" ")[: WIDTH - 1] or "x" * 80 in line


@pytest.mark.parametrize("line", ["From here on", "> not a quotation", " indented"])
def test_what_a_mail_program_would_misread_is_stuffed(line: str) -> None:
    assert flowed(line) == f" {line}"


def test_a_long_address_stays_whole() -> None:
    url = f"https://gears.example/{'a' * 200}"
    assert url in flowed(f"Please see {url} for the whole of it, and write to us whenever you like to.")
