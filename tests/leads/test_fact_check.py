"""What an email says that nobody told the model is found; what was told is not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadagent.leads.emails.fact_check import Stretch, not_found, stretches
from leadagent.leads.emails.mentions import mentions

REPORT = """\
Gears Ltd (https://www.gears.example/about) makes gearboxes in Leeds since 1987. They need 400 licences from
March 3, 2027. Acme Cloud costs ten dollars a month; Acme Vault costs €1,250.50. Discount: 15 per cent above 100
seats. Call +44 113 496 0000 or write to ann@gears.example. The meeting is on Tuesday at 14:30. 20k users, 2.5 million
requests. SAP is in use."""


def found(text: str, *sources: str) -> list[str]:
    return [text[each.start : each.end] for each in not_found(text, sources or (REPORT,))]


@pytest.mark.parametrize(
    "text",
    [
        "You need 400 licences.",
        "It costs $10 a month, or 10 dollars, or USD 10.00.",
        "Vault is 1.250,50 €, that is EUR 1250.50.",
        "You get 15% off, 15 percent, 15 Prozent.",
        "From 3 March 2027, from 2027-03-03, in March, on the 3rd of March, in March 2027, from 3/3/2027, in 2027.",
        "On Tuesday at 2:30 pm.",
        "See gears.example or https://gears.example/about/.",
        "Write to ann@gears.example or call +44 (0)113 496 0000.",
        "20,000 users and 2,500,000 requests.",
        "We know that Acme Cloud works with SAP, since 1987.",
        "Dear Ann,\n\nThank you. May we talk? Could you tell us more?\n\nBest regards,\nAcme",
        "1. First we talk.\n2) Then you decide.",
        "Acme's Cloud",
    ],
)
def test_what_was_told_is_not_marked(text: str) -> None:
    assert found(text, REPORT, "Ann, written to Acme") == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("You need 500 licences.", ["500"]),
        ("It costs $11 a month.", ["$11"]),
        ("It costs $400.", ["$400"]),
        ("It costs 10 euros.", ["10 euros"]),
        ("It costs ten euros.", ["ten euros"]),
        ("You get 20% off.", ["20%"]),
        ("You get 400% more.", ["400%"]),
        ("From 4 March 2027.", ["4 March 2027"]),
        ("From 3 March 2026.", ["3 March 2026"]),
        ("On 2027-03-04.", ["2027-03-04"]),
        ("In April we start.", ["April"]),
        ("See you on Friday at 3 pm.", ["Friday", "3 pm"]),
        ("See https://evil.example/pay now.", ["https://evil.example/pay"]),
        ("See https://gears.example/secret.", ["https://gears.example/secret"]),
        ("Write to bob@gears.example.", ["bob@gears.example"]),
        ("Call +44 113 496 0001.", ["+44 113 496 0001"]),
        ("We suggest GearFlow Pro for this.", ["GearFlow Pro"]),
        ("You could use our Turbo Suite for this, as many other people already do today.", ["Turbo Suite"]),
        ("It runs on X200.", ["X200"]),
        ("Since 1988 we do.", ["1988"]),
        ("30k users.", ["30k"]),
    ],
)
def test_what_nobody_told_is_marked(text: str, marked: list[str]) -> None:
    assert found(text) == marked


def test_german_nouns_are_no_products() -> None:
    text = "Sehr geehrte Frau Weber,\n\nvielen Dank für Ihre Anfrage. Gern bieten wir Ihnen ein Gespräch am 3. März an."
    assert found(text, "Frau Weber", "2027-03-03") == []
    assert found(text + " Das kostet 99 Euro mit GearFlow.", "Frau Weber", "2027-03-03") == ["99 Euro", "GearFlow"]


def test_marks_cut_the_text_without_losing_a_letter() -> None:
    text = "It costs $11, or 12%."
    parts = stretches(text, not_found(text, [REPORT]))
    assert parts == [
        Stretch("It costs "), Stretch("$11", "price"), Stretch(", or "), Stretch("12%", "percentage"), Stretch("."),
    ]  # fmt: skip


@given(st.text(alphabet="aB1 .,$€%-/:@\n'kmMay March", max_size=80))
def test_any_text_can_be_read_and_holds_what_it_says_itself(text: str) -> None:
    assert not_found(text, [text]) == []
    assert "".join(part.text for part in stretches(text, mentions(text))) == text


def test_a_hostile_text_takes_no_time() -> None:
    for text in (
        "1" * 40_000,
        "1,111" * 8_000,
        "a.b" * 13_000,
        "A " * 20_000,
        "9 9" * 13_000,
        "a@" * 20_000,
        "-" * 40_000,
    ):
        began = time.monotonic()
        not_found(text, [text])
        assert time.monotonic() - began < 3, text[:10]
