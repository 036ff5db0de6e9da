"""Prompts and types that several test modules send."""

from typing import Any, Literal

from pydantic import BaseModel, Field

LEAD = """Name: Ann Smith
Email: ann.smith@acme.example
Company: Acme Tools
Message: We are evaluating tools for our sales team of 40 people and would like to see pricing.
Could you show us a demo next week?"""

SEARCH_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
    "additionalProperties": False,
}
STACK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"domain": {"type": "string"}, "depth": {"type": "integer", "default": 1}},
    "required": ["domain"],
}


class Qualification(BaseModel):
    """How a lead was sorted."""

    category: Literal["QUALIFIED", "UNQUALIFIED", "SUPPORT", "FOLLOW_UP"]
    reason: str = Field(min_length=10)
    confidence: float = Field(ge=0, le=1)


def tokens(*texts: str) -> int:
    """A quarter of the characters, rounded up: counted here once more, apart from the sandbox's own code."""
    return -(-sum(map(len, texts)) // 4)
