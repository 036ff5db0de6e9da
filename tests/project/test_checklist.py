"""Every item of the customer's testing checklist is held by tests that are there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.checklist import CHECKLIST, node_ids

_REPOSITORY = Path(__file__).resolve().parents[2]


@cache
def _source(path: str) -> tuple[str, set[str]]:
    """A test file's text, and the names of its tests."""
    text = (_REPOSITORY / path).read_text()
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return text, {function.name for function in functions}


def test_all_items_of_the_checklist_are_there() -> None:
    assert {section: len(items) for section, items in CHECKLIST.items()} == {
        "Unit tests": 6,
        "Integration tests": 9,
        "End-to-end tests": 11,
        "Security tests": 7,
        "Performance tests": 5,
    }
    assert [item for items in CHECKLIST.values() for item, nodes in items.items() if not nodes] == []


@pytest.mark.parametrize("node", node_ids())
def test_it_exists(node: str) -> None:
    path, _, name = node.partition("::")
    function, _, variant = name.partition("[")
    text, tests = _source(path)
    assert function in tests
    # The names of variants are written out where they are made.
    assert variant.rstrip("]") in text
