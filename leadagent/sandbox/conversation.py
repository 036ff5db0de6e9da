"""A request and its answer, free of any provider's wire format."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


def compact_json(value: Any) -> str:
    """JSON without spaces: the form in which tools, schemas and arguments are counted and sent."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `schema` is its parameters' JSON schema, `cache` a cache marker's lifetime."""

    name: str
    description: str
    schema: dict[str, Any]
    cache: str = ""

    @property
    def characters(self) -> int:
        """Characters that count as prompt."""
        return len(compact_json({"name": self.name, "description": self.description, "parameters": self.schema}))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model makes: the tool's name and arguments that fit its schema."""

    name: str
    arguments: dict[str, Any]

    @property
    def characters(self) -> int:
        """Characters that count as prompt or output."""
        return len(self.name) + len(compact_json(self.arguments))


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of the conversation. For role `tool`, `tool_name` is the tool whose result `text` is."""

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    cache: str = ""

    @property
    def characters(self) -> int:
        """Characters that count as prompt."""
        return len(self.text) + sum(call.characters for call in self.tool_calls)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a caller sent.

    `tool_choice` is `auto`, `none` or `required`; `forced_tool` names one tool that must
    be called. `output_schema` asks for JSON of that schema as text, `json_mode` for any
    JSON object. `max_output_tokens` None means no limit.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "none", "required"] = "auto"
    forced_tool: str = ""
    one_call_only: bool = False
    output_schema: dict[str, Any] | None = None
    json_mode: bool = False
    max_output_tokens: int | None = None

    @property
    def characters(self) -> int:
        """Characters that count as prompt: tools, output schema and every turn."""
        schema = len(compact_json(self.output_schema)) if self.output_schema is not None else 0
        return sum(tool.characters for tool in self.tools) + schema + sum(turn.characters for turn in self.turns)

    @property
    def marked_characters(self) -> dict[str, int]:
        """Characters up to the last cache marker, under that marker's lifetime (`5m` or `1h`); empty without one."""
        marked: dict[str, int] = {}
        seen = 0
        pieces = [(tool.characters, tool.cache) for tool in self.tools]
        pieces += [(turn.characters, turn.cache) for turn in self.turns]
        for characters, cache in pieces:
            seen += characters
            if cache:
                marked = {cache: seen}
        return marked

    def text_of(self, *roles: Role) -> str:
        """The texts of those roles' turns, one after the other."""
        return "\n".join(turn.text for turn in self.turns if turn.role in roles and turn.text)

    @property
    def tool_results(self) -> list[tuple[str, str]]:
        """(tool name, result text) of every result handed in so far."""
        return [(turn.tool_name, turn.text) for turn in self.turns if turn.role == "tool"]

    @property
    def called_tools(self) -> list[str]:
        """Names of the tools called so far, in order."""
        return [call.name for turn in self.turns for call in turn.tool_calls]

    @property
    def tool_rounds(self) -> int:
        """How many answers so far called tools. One answer may be several turns, a call in each."""
        calling = [bool(turn.tool_calls) for turn in self.turns]
        return sum(now and not before for before, now in pairwise([False, *calling]))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says: text, tool calls, or both. `cut` when the token limit ended it, `refused` on a refusal."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    cut: bool = False
    refused: bool = False

    @property
    def characters(self) -> int:
        """Characters that count as output."""
        return len(self.text) + sum(call.characters for call in self.tool_calls)
