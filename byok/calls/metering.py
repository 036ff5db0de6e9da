"""One HTTP exchange with a provider, from the decision to send to the finished usage event.

Pure bookkeeping: `byok.wire` does the sending, `usage.recording.recorder` the writing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from byok import errors, pricing
from byok.calls.answers import AnswerReader
from byok.calls.json_answers import json_object
from byok.keys.credentials import KnownCredential
from byok.providers import REGISTRY
from byok.providers.base import believed_cost
from leadagent.logs import scrub
from usage.models import KeyOwner
from usage.recording.events import CallFinished, CallStarted, new_event_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who calls whom, with which model and for what: fixed when the model is resolved. Holds no key."""

    organization_id: int
    operation: str
    provider: str
    model: str
    key_owner: KeyOwner
    lead_id: UUID | None
    run_id: UUID | None
    # The key's row as it was when the model was resolved; None for the platform's key.
    credential: KnownCredential | None
    # Off: rows keep tokens and cost only (the organisation's own choice).
    keep_detail: bool
    # The dated price of `model`, looked up when it was resolved; None: the public list counts.
    price: pricing.FixedPrice | None = None


class Exchange:
    """Accounts for one request: `started` before it leaves, then exactly one `CallFinished`."""

    def __init__(self, context: CallContext, *, path: str, body: bytes) -> None:
        self._provider = REGISTRY[context.provider]
        self._context = context
        self._shape = self._provider.usage_shape(path)
        request = json_object(body) or {}
        asking = self._provider.asking_for_usage(path, request)
        # What goes over the wire: the caller's own body, unless the answer would not tell its usage.
        self.body = body if asking is None else json.dumps(asking).encode()
        self._asked_model = str(request.get("model") or context.model)[:200]
        self._reader: AnswerReader | None = None
        self._status: int | None = None
        self._request_id = ""
        self._awaits_name = False
        # As the answer names it; empty until it does.
        self.answered_model = ""
        self._began = time.perf_counter()
        self.started = CallStarted(
            id=new_event_id(),
            organization_id=context.organization_id,
            operation=context.operation,
            provider=context.provider,
            model=self._asked_model,
            key_owner=context.key_owner.value,
            credential_id=context.credential.id if context.credential else None,
            lead_id=context.lead_id if context.keep_detail else None,
            run_id=context.run_id if context.keep_detail else None,
            streamed=request.get("stream") is True,
        )

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and headers have arrived."""
        self._status = status
        names = ("x-generation-id", "request-id", "x-request-id")
        self._request_id = next(filter(None, map(headers.get, names)), "")[:200]
        is_event_stream = headers.get("content-type", "").startswith("text/event-stream")
        self._reader = AnswerReader(self._provider, is_stream=is_event_stream)
        self._awaits_name = is_event_stream and status < 400

    def take_name(self) -> str:
        """What the provider calls a stream's answer: once, as soon as it is known, where it can be asked by that.

        A whole answer needs none: it comes with its name and its figures at the same time.
        """
        if not self._awaits_name:
            return ""
        name = next(filter(self._provider.generation_path, (self._request_id, self._told_name)), "")[:200]
        # Where the first event brought no such name, none will come.
        self._awaits_name = not name and not self._told_name
        return name

    @property
    def _told_name(self) -> str:
        return self._reader.answer_id if self._reader is not None else ""

    def feed(self, chunk: bytes) -> None:
        """A piece of the body has arrived."""
        if self._reader is None:
            return
        try:
            self._reader.feed(chunk)
        except Exception as exc:
            # The answer belongs to the caller, readable for us or not: only its figures are given up.
            self._give_up_reading(exc)

    def unsent(self, code: str) -> CallFinished:
        """The provider was never reached, so nothing can have been billed."""
        return self._finish(success=False, code=code, message="", estimated_cost=Decimal(0))

    def lost(self, code: str) -> CallFinished:
        """The request left and no whole answer came: what was billed is known only as far as the answer told."""
        return self._finish_with_answer(interrupted=code)

    def complete(self) -> CallFinished:
        """The answer ended, or the caller stopped reading: after a stream's last figures that is a normal end."""
        was_cut = self._reader is not None and self._reader.was_cut
        return self._finish_with_answer(interrupted="stream_cut" if was_cut else "")

    @property
    def was_refused(self) -> bool:
        """The provider answered with an error status: such answers are not billed."""
        return self._status is not None and self._status >= 400

    def _give_up_reading(self, exc: Exception) -> None:
        # Its message may quote the answer: the kind is all that is told.
        logger.error("the usage of %s could not be read (%s)", self.started.id, type(exc).__name__)
        self._reader = None

    def _finish_with_answer(self, *, interrupted: str) -> CallFinished:
        """How the call ended, with what its answer told. Never raises: accounting must not break the call."""
        try:
            return self._told_by_answer(interrupted)
        except Exception as exc:
            self._give_up_reading(exc)
            return self._told_by_answer(interrupted)

    def _told_by_answer(self, interrupted: str) -> CallFinished:
        answer = self._reader.result() if self._reader is not None else None
        if self._status is not None and self._status >= 400:
            error = errors.error_from_answer(self._context.provider, self._status, answer)
            return self._finish(
                success=False,
                code=error.code,
                message=error.detail,
                estimated_cost=Decimal(0),
            )
        if answer is None:
            return self._finish(success=False, code=interrupted or "bad_response", message="")
        code, message = interrupted, ""
        if answer.get("error"):
            # Generation had begun, so the status was 200; the body tells the failure.
            inner = errors.error_object(answer)
            status = inner.get("code")
            code = self._provider.classify(status if isinstance(status, int) else 502, inner)
            message = str(inner.get("message") or "")
        return self._with_figures(self._finish(success=not code, code=code, message=message), answer)

    def _with_figures(self, event: CallFinished, answer: dict[str, Any]) -> CallFinished:
        """Add tokens and cost. A stream that was cut keeps its tokens so far, but its cost is unknown."""
        actual = believed_cost(self._provider.reported_cost(answer))
        request_id = answer.get("id")
        if isinstance(request_id, str) and request_id:
            event = replace(event, provider_request_id=request_id[:200])
        read = pricing.read_tokens(self._shape, answer) if self._shape else None
        if read is None:
            return replace(event, actual_cost=actual)
        answered, tokens = read
        self.answered_model = answered or ""
        estimated = pricing.estimate(
            self._context.provider,
            tokens,
            asked=self._asked_model,
            answered=answered,
            served=self._provider.served(answer),
            fixed=self._context.price,
        )
        return replace(
            event,
            input_tokens=tokens.uncached_input,
            cached_input_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_write,
            output_tokens=tokens.output,
            reasoning_tokens=tokens.reasoning,
            actual_cost=actual,
            estimated_cost=None if self._reader and self._reader.was_cut else believed_cost(estimated.cost),
            price_version=estimated.version,
        )

    def _finish(
        self,
        *,
        success: bool,
        code: str,
        message: str,
        estimated_cost: Decimal | None = None,
    ) -> CallFinished:
        started = self.started
        return CallFinished(
            id=started.id,
            organization_id=started.organization_id,
            operation=started.operation,
            provider=started.provider,
            model=started.model,
            key_owner=started.key_owner,
            credential_id=started.credential_id,
            lead_id=started.lead_id,
            run_id=started.run_id,
            streamed=started.streamed,
            duration_ms=round((time.perf_counter() - self._began) * 1000),
            success=success,
            http_status=self._status,
            error_code=code,
            error_message=scrub(message)[:500] if self._context.keep_detail else "",
            provider_request_id=self._request_id,
            estimated_cost=estimated_cost,
        )
