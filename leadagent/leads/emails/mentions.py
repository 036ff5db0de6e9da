"""What in a text can be checked: prices, percentages, dates, times, addresses, figures, names. Pure.

Each mention is read by value: "1,000" is "1.000" is "1000", "ten dollars" is "$10", "3 March" is 2026-03-03.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from leadagent.leads.emails.words_for_facts import (
    CURRENCIES,
    MONTHS,
    MULTIPLIERS,
    NUMBER_WORDS,
    ORDINARY_CAPITALS,
    PERCENT,
    TOP_LEVELS,
    WEEKDAYS,
)


class Kind(StrEnum):
    PRICE = "price"
    PERCENTAGE = "percentage"
    DATE = "date"
    TIME = "time"
    ADDRESS = "address"
    FIGURE = "figure"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of a text, and the ways in which it can be read; each is compared as it is."""

    kind: Kind
    start: int
    end: int
    readings: frozenset[object]


def mentions(text: str, *, in_words: bool = False) -> list[Mention]:
    """Everything in `text` that can be checked, in order and without overlaps.

    `in_words`: also numbers that are written out, which say too little to be marked in an email.
    """
    taken = bytearray(len(text))
    found: list[Mention] = []
    readers = [*_READERS, (_WORD_NUMBER, _number_words)] if in_words else _READERS
    for pattern, read in readers:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            if mention := read(match):
                found.append(mention)
                taken[start:end] = b"\1" * (end - start)
    found += [name for name in _names(text) if not any(taken[name.start : name.end])]
    return sorted(found, key=lambda mention: mention.start)


def plain_words(text: str) -> set[str]:
    """The words of a text as names are compared by: lower case, without an ending 's."""
    return {_plain(word) for word in _ANY_WORD.findall(text)}


# --- Numbers ---------------------------------------------------------------------------------

_NUMBER = r"(?<!\d)(?:\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3}){1,6}(?:[.,]\d{1,2})?|\d{1,18}(?:[.,]\d{1,9})?)(?!\d)"
_TIMES = rf"(?:\s?(?:{'|'.join(sorted(map(re.escape, MULTIPLIERS), key=len, reverse=True))})\b)?"
_WORDS = "|".join(sorted(map(re.escape, NUMBER_WORDS), key=len, reverse=True))
_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True) if not sign.isalpha())
_CODES = "|".join(re.escape(word) for word in sorted(CURRENCIES, key=len, reverse=True) if word.isalpha())
_AMOUNT = rf"(?P<amount>{_NUMBER}{_TIMES}|\b(?:{_WORDS})\b{_TIMES})"


def _values(written: str) -> frozenset[Decimal]:
    """What a number may be: "1,000" is a thousand or one. Empty where it is none."""
    written = written.strip().lower()
    if written in NUMBER_WORDS:
        return frozenset({Decimal(NUMBER_WORDS[written])})
    for word, times in MULTIPLIERS.items():
        rest = written.removesuffix(word).rstrip()
        if rest != written and rest and (rest in NUMBER_WORDS or rest[-1].isdigit()):
            # "10 m" may be metres.
            plain = _values(rest) if len(word) == 1 else frozenset()
            return frozenset(value * times for value in _values(rest)) | plain
    bare = re.sub(r"['’\u00a0\u202f ]", "", written)
    readings = {bare.replace(",", ""), bare.replace(".", "").replace(",", "."), bare.replace(",", ".")}
    if bare.count(".") + bare.count(",") > 1:
        last = max(bare.rfind("."), bare.rfind(","))
        readings.add(re.sub(r"[.,]", "", bare[:last]) + "." + bare[last + 1 :])
        readings.add(re.sub(r"[.,]", "", bare))
    found = set()
    for reading in readings:
        try:
            found.add(Decimal(reading))
        except InvalidOperation:
            continue
    return frozenset(found)


def _price(match: re.Match[str]) -> Mention | None:
    currency = CURRENCIES[(match["sign"] or "").lower()]
    readings = frozenset((value, currency) for value in _values(match["amount"]))
    return Mention(Kind.PRICE, *match.span(), readings) if readings else None


def _percentage(match: re.Match[str]) -> Mention | None:
    values = _values(match["amount"])
    return Mention(Kind.PERCENTAGE, *match.span(), frozenset(values)) if values else None


def _figure(match: re.Match[str]) -> Mention | None:
    values = _values(match[0])
    return Mention(Kind.FIGURE, *match.span(), frozenset(values)) if values else None


def _phone(match: re.Match[str]) -> Mention | None:
    digits = re.sub(r"\D", "", match[0])
    return Mention(Kind.FIGURE, *match.span(), frozenset({f"phone {digits[-9:]}"}))


def _number_words(match: re.Match[str]) -> Mention | None:
    return Mention(Kind.FIGURE, *match.span(), frozenset(_values(match[0])))


# --- Dates and times -------------------------------------------------------------------------

_MONTH = rf"(?P<month>{'|'.join(sorted(map(re.escape, MONTHS), key=len, reverse=True))})\.?"


def _when(*, year: str | None, month: int | None, day: str | None) -> tuple[int | None, int | None, int | None] | None:
    """(year, month, day), each None where it is not said; None where that is no date."""
    y = (2000 + int(year) if len(year) == 2 else int(year)) if year else None
    d = int(day) if day else None
    try:
        date(y or 2024, month or 1, d or 1)
    except ValueError:
        return None
    return y, month, d


def _date(match: re.Match[str]) -> Mention | None:
    said = match.groupdict()
    month = MONTHS[said["month"].lower()] if said.get("month") else None
    when = _when(year=said.get("year"), month=month, day=said.get("day"))
    return Mention(Kind.DATE, *match.span(), frozenset({when})) if when else None


def _date_in_figures(match: re.Match[str]) -> Mention | None:
    """3/4/2026 is in March or in April."""
    if match["iso"]:
        year, pairs = match["iso"], [(int(match["isomonth"]), match["isoday"])]
    else:
        first, second = match["first"], match["second"]
        year, pairs = match["year"], [(int(second), first), (int(first), second)]
    readings = frozenset(when for month, day in pairs if (when := _when(year=year, month=month, day=day)))
    return Mention(Kind.DATE, *match.span(), readings) if readings else None


def _weekday(match: re.Match[str]) -> Mention | None:
    return Mention(Kind.DATE, *match.span(), frozenset({f"weekday {WEEKDAYS[match[0].lower()]}"}))


def _time(match: re.Match[str]) -> Mention | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").lower().replace(".", "")
    if half == "pm" and hour < 12:
        hour += 12
    if hour > 24 or minute > 59:
        return None
    return Mention(Kind.TIME, *match.span(), frozenset({hour * 60 + minute}))


# --- Addresses -------------------------------------------------------------------------------


def _address(match: re.Match[str]) -> Mention | None:
    bare = match[0].rstrip(".,;:!?)]}'\"»”’")
    lower = re.sub(r"^(?:https?://)?(?:www\.)?", "", bare, flags=re.IGNORECASE)
    host, slash, path = lower.partition("/")
    reading = f"{host.lower()}{slash}{path}".rstrip("/")
    return Mention(Kind.ADDRESS, match.start(), match.start() + len(bare), frozenset({reading}))


# --- Names -----------------------------------------------------------------------------------

_ANY_WORD = re.compile(r"[^\W_]+(?:[&'’.\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:;…»”\"(\[“„«]\s*$|\n\s*$|^\s*$|(?:[-•*]|\d[.)])\s*$")
# Above this share of capitals inside sentences a language writes nouns so, and a capital says nothing.
_NOUNS_ARE_CAPITAL = 0.2


def _plain(word: str) -> str:
    return re.sub(r"['’]s?$", "", word).casefold()


def _is_made(word: str) -> bool:
    """Whether a word looks like a name by itself: GearFlow, X200, SAP."""
    bare = re.sub(r"['’]s?$", "", word)
    letters = [character for character in bare if character.isalpha()]
    inner = any(character.isupper() for character in bare[1:])
    has_both = bool(letters) and any(character.isdigit() for character in bare) and letters[0].isupper()
    return len(bare) > 1 and (inner or has_both) and bare.upper() not in ORDINARY_CAPITALS and "-" not in bare


def _names(text: str) -> Iterator[Mention]:
    """Names in sentences; greeting and closing lines are the lead's and the sender's own."""
    words = [match for match in _ANY_WORD.finditer(text) if not match[0].isdigit()]
    opens = [_opens_a_sentence(text, match) for match in words]
    inside = [match[0] for match, first in zip(words, opens, strict=True) if not first and not _is_made(match[0])]
    counts = sum(word[0].isupper() for word in inside) <= max(2, len(inside) * _NOUNS_ARE_CAPITAL)
    run: list[re.Match[str]] = []
    for match, first in zip(words, opens, strict=True):
        word = match[0]
        stands_out = _is_made(word) or (
            counts and not first and word[0].isupper() and len(word) > 1 and word.upper() not in ORDINARY_CAPITALS
            and not re.match(r"I['’]", word)
        )  # fmt: skip
        joins = bool(run) and text[run[-1].end() : match.start()] in (" ", " & ")
        if run and not (stands_out and joins):
            yield _name(run)
            run = []
        if stands_out:
            run.append(match)
    if run:
        yield _name(run)


def _opens_a_sentence(text: str, match: re.Match[str]) -> bool:
    return bool(_SENTENCE_END.search(text[max(0, match.start() - 12) : match.start()]))


def _name(run: list[re.Match[str]]) -> Mention:
    return Mention(Kind.NAME, run[0].start(), run[-1].end(), frozenset(_plain(match[0]) for match in run))


_Reader = Callable[[re.Match[str]], Mention | None]
_WORD_NUMBER = re.compile(rf"\b(?:{_WORDS})\b{_TIMES}", re.IGNORECASE)
# In this order: what an earlier one has taken is nothing for a later one.
_READERS: list[tuple[re.Pattern[str], _Reader]] = [
    (re.compile(r"https?://[^\s<>\"]+|\bwww\.[^\s<>\"]+", re.IGNORECASE), _address),
    (re.compile(r"\b[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})+"), _address),
    (re.compile(rf"\b(?:[a-z0-9\-]{{1,63}}\.){{1,4}}(?:{TOP_LEVELS})\b(?:/[^\s<>\"]*)?", re.IGNORECASE), _address),
    (re.compile(rf"(?P<sign>{_SIGNS})\s?{_AMOUNT}", re.IGNORECASE), _price),
    (re.compile(rf"{_AMOUNT}\s?(?P<sign>{_SIGNS})", re.IGNORECASE), _price),
    (re.compile(rf"{_AMOUNT}[\s\-]?(?P<sign>{_CODES})\b", re.IGNORECASE), _price),
    (re.compile(rf"\b(?P<sign>{_CODES})\s?{_AMOUNT}", re.IGNORECASE), _price),
    (re.compile(rf"{_AMOUNT}\s?(?:{PERCENT})", re.IGNORECASE), _percentage),
    (
        re.compile(
            r"\b(?P<iso>\d{4})-(?P<isomonth>\d{1,2})-(?P<isoday>\d{1,2})\b"
            r"|\b(?P<first>\d{1,2})[./](?P<second>\d{1,2})[./](?P<year>\d{4}|\d{2})\b"
        ),
        _date_in_figures,
    ),
    (
        re.compile(
            rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.|º)?\s(?:of\s|de\s)?{_MONTH}(?:,?\s(?:de\s)?(?P<year>\d{{4}}))?\b",
            re.IGNORECASE,
        ),
        _date,
    ),
    (
        re.compile(rf"\b{_MONTH}\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(?P<year>\d{{4}}))?\b", re.IGNORECASE),
        _date,
    ),
    (re.compile(rf"\b{_MONTH}\s(?:de\s)?(?P<year>\d{{4}})\b", re.IGNORECASE), _date),
    (re.compile(rf"(?<=\b(?:in|by|im|en|of|ab)\s){_MONTH}\b", re.IGNORECASE), _date),
    (re.compile(rf"(?<=\b(?:from|late|this|next)\s){_MONTH}\b", re.IGNORECASE), _date),
    (re.compile(rf"\b(?:{'|'.join(WEEKDAYS)})s?\b", re.IGNORECASE), _weekday),
    (re.compile(r"\b(?P<hour>\d{1,2})[:.](?P<minute>\d{2})\s?(?P<half>[ap]m\b|[ap]\.m\.|uhr\b)", re.IGNORECASE), _time),
    (re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})\b(?P<half>)"), _time),
    (
        re.compile(r"\b(?P<hour>\d{1,2})(?P<minute>)\s?(?P<half>[ap]m\b|[ap]\.m\.|uhr\b|o['’]clock)", re.IGNORECASE),
        _time,
    ),
    (re.compile(r"(?:\+|\b0)\d[\d ()/\-]{6,18}\d\b"), _phone),
    (re.compile(r"\b(?P<year>(?:19|20)\d{2})\b"), _date),
    (
        re.compile(rf"(?<![\w.,])(?<!^)(?:{_NUMBER}){_TIMES}(?![\w])|^(?:{_NUMBER}){_TIMES}(?![\w.)])", re.MULTILINE),
        _figure,
    ),
]
