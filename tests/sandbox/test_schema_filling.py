"""Any schema is filled with a value that is valid for it."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter

from leadagent.sandbox.schema_filling import fill, same_word


def nothing(name: str, schema: dict[str, Any]) -> None:
    """Suggest nothing at all."""


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


class Contact(BaseModel):
    name: str = Field(min_length=40)
    address: str | None
    born: date
    seen: datetime
    id: UUID
    site: AnyUrl


class Node(BaseModel):
    label: str
    parent: "Node | None" = None
    children: list["Node"] = []


class Report(BaseModel):
    kind: Literal["report"]
    priority: Priority
    contacts: list[Contact] = Field(min_length=2, max_length=3)
    pair: tuple[int, str]
    score: int = Field(ge=3, le=9, multiple_of=3)
    share: float = Field(gt=0, lt=1)
    amount: Decimal = Field(ge=10)
    short: str = Field(max_length=5)
    flags: dict[str, bool]
    choice: Annotated[int, Field(gt=5)] | str
    tree: Node
    maybe: Contact | None = None


@pytest.mark.parametrize("optional", [True, False])
def test_a_rich_model_is_filled_validly(optional: bool) -> None:
    filled = fill(Report.model_json_schema(), nothing, optional=optional)
    report = Report.model_validate(filled)
    assert len(report.contacts) == 2
    assert report.score % 3 == 0
    assert (report.maybe is not None) is optional


def test_suggestions_are_taken_where_they_fit() -> None:
    suggestions: dict[str, Any] = {"priority": "HIGH", "score": 0.8, "short": "much too long", "share": 7, "kind": "x"}
    filled = fill(Report.model_json_schema(), lambda name, schema: suggestions.get(name))
    assert filled["priority"] == "high"
    assert filled["score"] == 6 or filled["score"] == 9
    assert filled["short"] == "much "
    assert 0 < filled["share"] < 1
    assert filled["kind"] == "report"


def test_only_required_and_suggested_properties_are_filled_for_tools() -> None:
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}, "domain": {"type": "string"}},
        "required": ["query"],
    }
    filled = fill(schema, lambda name, schema: "acme.example" if name == "domain" else None, optional=False)
    assert filled == {"query": "Sandbox text for query.", "domain": "acme.example"}


def test_enums_without_a_type_and_nullable_types_are_understood() -> None:
    assert fill({"enum": ["A", "B"]}, lambda name, schema: "b") == "B"
    assert fill({"type": ["null", "string"], "maxLength": 3}, nothing) == "San"
    assert fill({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "integer", "minimum": 4}}}, nothing) == 4
    assert fill({"type": "string", "pattern": "^[a-z]+$"}, lambda name, schema: "fits") == "fits"


@given(
    st.integers(-1000, 1000),
    st.integers(0, 500),
    st.booleans(),
    st.one_of(st.none(), st.floats(-2000, 2000), st.integers(-2000, 2000)),
)
def test_numbers_stay_within_their_bounds(least: int, room: int, whole: bool, suggested: float | None) -> None:
    kind: Any = int if whole else float
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[kind, Field(ge=least, le=least + room)])
    adapter.validate_python(fill(adapter.json_schema(), lambda name, schema: suggested))


def test_words_are_compared_by_their_letters() -> None:
    assert same_word("Follow-up", "FOLLOW_UP")
    assert not same_word("QUALIFIED", "UNQUALIFIED")
    assert not same_word("", None)
