"""The journal's place inside pydantic-ai: around each request to the model and each look-up.

Imports pydantic-ai; import it inside a function, it costs seconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, WrapModelRequestHandler, WrapToolExecuteHandler
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from byok.pricing import TokenBuckets
from byok.providers.base import believed_cost
from byok.providers.key_facts import dollars
from leadagent.leads.research import caps
from leadagent.leads.research.journal import Journal
from leadagent.leads.running import event_loop


class Watching(AbstractCapability[object]):
    """Writes the journal, stops the agent at its limits, and puts the tools away when it has to come to an end."""

    def __init__(self, journal: Journal, limits: caps.Caps, *, provider: str) -> None:
        self._journal = journal
        self._limits = limits
        self._provider = provider

    @property
    def has_to_finish(self) -> bool:
        return caps.has_to_finish(self._limits, self._journal.spent)

    async def prepare_tools(self, ctx: RunContext[object], tool_defs: list[ToolDefinition]) -> list[ToolDefinition]:
        return [] if self.has_to_finish else tool_defs

    async def wrap_model_request(
        self, ctx: RunContext[object], *, request_context: ModelRequestContext, handler: WrapModelRequestHandler
    ) -> ModelResponse:
        caps.check(self._limits, self._journal.spent, provider=self._provider)
        size = len(ModelMessagesTypeAdapter.dump_json(request_context.messages))
        step = await event_loop.on_calling_thread(self._journal.asking, size)
        try:
            response = await handler(request_context)
        except Exception as error:
            # What a provider has refused by a status it does not bill.
            was_billed = not isinstance(error, ModelHTTPError)
            await event_loop.on_calling_thread(self._journal.refused, step, _kind_of(error), was_billed=was_billed)
            raise
        await event_loop.on_calling_thread(
            self._journal.answered, step, _said(response), buckets(response.usage), told_cost=_told_cost(response)
        )
        return response

    async def wrap_tool_execute(
        self,
        ctx: RunContext[object],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        if self._journal.spent.lookups >= caps.MOST_LOOKUPS:
            return "No more look-ups in this run: write the report with what there is."
        # Before anything is waited for: the calls of one answer come here at the same time.
        self._journal.spent.lookups += 1
        step = await event_loop.on_calling_thread(self._journal.looking_up, tool_def.name, args)
        try:
            answer = await handler(args)
        except Exception as error:
            await event_loop.on_calling_thread(self._journal.looked_up, step, _kind_of(error), failed=True)
            raise
        await event_loop.on_calling_thread(self._journal.looked_up, step, str(answer))
        return answer


def buckets(usage: RequestUsage) -> TokenBuckets | None:
    """What pydantic-ai read of an answer's usage, in our buckets; None where no call can have used that."""
    cached, written = usage.cache_read_tokens, usage.cache_write_tokens
    tokens = TokenBuckets(
        uncached_input=max(0, usage.input_tokens - cached - written),
        cache_read=cached,
        cache_write_5m=written,
        output=usage.output_tokens,
    )
    return tokens if tokens.can_be else None


def _told_cost(response: ModelResponse) -> Decimal | None:
    """OpenRouter tells with each answer what it cost."""
    return believed_cost(dollars((response.provider_details or {}).get("cost")))


def _said(response: ModelResponse) -> str:
    """The answer in a few words: the tools that it calls, or the beginning of its text."""
    # pydantic-ai takes both as the provider sent them, which may be nothing at all.
    calls = [str(part.tool_name) for part in response.parts if isinstance(part, ToolCallPart)]
    text = " ".join(str(part.content or "") for part in response.parts if isinstance(part, TextPart))
    return "; ".join(filter(None, [text, f"Calls {', '.join(calls)}" if calls else ""]))


def _kind_of(error: Exception) -> str:
    """The kind of a failure only: messages of SDKs may quote requests."""
    return type(error).__name__
