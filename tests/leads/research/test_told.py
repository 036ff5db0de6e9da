"""Answers of tools as people read them."""

import json

import pytest

from leadagent.leads.research.told import asked, told


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Nothing was found.", "Nothing was found."),
        (json.dumps([{"source": 2, "title": "Gears", "url": "https://g.example/", "excerpt": "They\nmake gears."}]),
         "[2] Gears · https://g.example/\nThey\nmake gears."),
        (json.dumps({"source": 3, "domain": "g.example", "home_page": "read",
                     "facts": [{"category": "Server", "product": "nginx", "seen_in": "the header server"}, "odd"]}),
         "[3] g.example\nread\nServer: nginx (the header server)"),
        ("[1, 2]", "[1, 2]"), ("7", "7"), ("{broken", "{broken"),
    ],
)  # fmt: skip
def test_answers_lose_their_json(answer: str, words: str) -> None:
    assert told(answer) == words


def test_arguments_lose_their_json() -> None:
    assert (asked({"query": "gears"}), asked({}), asked({"a": 1, "b": "x"})) == ("gears", "", "a: 1, b: x")
