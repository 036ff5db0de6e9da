"""What must be true before a request may leave, and what is owed when it has come back.

Everything here may wait for PostgreSQL: event loops call the `…_async` forms, which do
the same in a thread.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import cache

import httpx2

from byok import errors
from byok.calls.metering import CallContext, Exchange
from byok.calls.operators import tell_operators
from byok.calls.upper_bound import most_it_may_cost
from byok.encryption import KeyUnreadable
from byok.keys import credentials
from byok.keys.sources import KeyMissing, KeySource
from byok.providers import REGISTRY
from leadagent.telemetry.figures import count_refusal
from usage.models import KeyOwner
from usage.recording import recorder
from usage.recording.events import CallFinished, CallStarted
from usage.spending import budgets, limits, quota, rate_limit


class Gate:
    """What must be true before a request may leave, and the reservations that go with it."""

    def __init__(self, context: CallContext, key: KeySource) -> None:
        self._context = context
        self._key = key
        self._reservation: quota.Reservation | None = None
        self._budget: budgets.BudgetReservation | None = None
        self._exchange: Exchange | None = None

    def admit(self, url: httpx2.URL, exchange: Exchange) -> httpx2.Response | None:
        """Reserve and note the start; a synthetic refusal where the request may not leave."""
        self._exchange = exchange
        if refusal := self._refusal_of(url) or self._pace() or self._reserve():
            return refusal
        if refusal := self._reserve_budget(exchange) or self._begin(exchange.started):
            self._give_back()
            return refusal
        return None

    async def admit_async(self, url: httpx2.URL, exchange: Exchange) -> httpx2.Response | None:
        """As `admit`, in a thread. A caller that is cancelled meanwhile leaves neither reservation nor open start."""
        admission = asyncio.ensure_future(asyncio.to_thread(self.admit, url, exchange))
        try:
            return await asyncio.shield(admission)
        except asyncio.CancelledError:
            if await admission is None:
                await self.settle_async(exchange.unsent("cancelled"), unbilled=True)
            raise

    def _refusal_of(self, url: httpx2.URL) -> httpx2.Response | None:
        if not is_within(url, _address(REGISTRY[self._context.provider].base_url)):
            return self._refuse("wrong_destination")
        if (refusal := self._refusal_of_key()) is None:
            return None
        # What was read a while ago is no reason to refuse: it may have been mended since.
        self._key.look_again()
        refusal = self._refusal_of_key()
        if refusal == "key_unreadable":
            credentials.note_unreadable(self._context.credential)
        return self._refuse(refusal) if refusal else None

    def _refusal_of_key(self) -> str | None:
        try:
            # Opened here for the verdict only, and again on the wire: the text is not kept in between.
            self._key.open()
        except KeyUnreadable:
            return "key_unreadable"
        except KeyMissing:
            return "config_missing"
        return None

    def _begin(self, started: CallStarted) -> httpx2.Response | None:
        """Note the start, if the key is still what its row holds: one exchange with PostgreSQL for both."""
        expected = self._key.expected()
        if expected is None:
            recorder.begin_ai_usage(started)
            return None
        found = recorder.begin_if(started, expected)
        if found is recorder.UNKNOWN or found == expected.value:
            return None
        self._key.found(found)
        if refusal := self._refusal_of_key():
            if refusal == "key_unreadable":
                credentials.note_unreadable(self._context.credential)
            return self._refuse(refusal)
        recorder.begin_ai_usage(started)
        return None

    def _give_back(self) -> None:
        if self._reservation is not None:
            quota.release_free_request(self._reservation)
        if self._budget is not None:
            budgets.settle(self._budget, Decimal(0))

    def _reserve(self) -> httpx2.Response | None:
        if self._context.key_owner is not KeyOwner.PLATFORM:
            return None
        try:
            self._reservation = quota.reserve_free_request(self._context.organization_id)
        except quota.QuotaUnavailable:
            return self._refuse("quota_unavailable")
        return None if self._reservation else self._refuse("quota_exhausted")

    def _pace(self) -> httpx2.Response | None:
        try:
            rate_limit.count_request(self._context.organization_id)
        except rate_limit.RateExceeded as exceeded:
            return self._refuse("rate_limited", sentence=str(exceeded), retry_after=exceeded.retry_after)
        return None

    def _reserve_budget(self, exchange: Exchange) -> httpx2.Response | None:
        """Hold what the call may cost, where a hard budget is set. Own keys go on while PostgreSQL is away."""
        context = self._context
        if not limits.limits_of(context.organization_id).has_hard_budget(context.operation):
            return None
        most = most_it_may_cost(context.provider, exchange.started.model, exchange.body, fixed=context.price)
        try:
            self._budget = budgets.reserve(context.organization_id, context.operation, most)
        except budgets.BudgetReached as reached:
            return self._refuse("budget_exhausted", sentence=str(reached), needed=reached.needed)
        except budgets.BudgetUnavailable:
            if context.key_owner is KeyOwner.PLATFORM:
                return self._refuse("quota_unavailable")
        return None

    def note_name(self, exchange: Exchange) -> None:
        """Write down what the provider calls a stream's answer, once that is known: it may be cut, or we may be."""
        if name := exchange.take_name():
            recorder.name_generation(exchange.started, name)

    async def note_name_async(self, exchange: Exchange) -> None:
        """As `note_name`, in a thread."""
        if name := exchange.take_name():
            await asyncio.to_thread(recorder.name_generation, exchange.started, name)

    def settle(self, event: CallFinished, *, unbilled: bool) -> None:
        """The exchange is over: write its event, give back what was not billed, note the key's state."""
        recorder.track_ai_usage(event)
        if unbilled and self._reservation is not None:
            quota.release_free_request(self._reservation)
        if self._budget is not None:
            cost = event.actual_cost if event.actual_cost is not None else event.estimated_cost
            budgets.settle(self._budget, cost)
        rate_limit.count_tokens(event.organization_id, event.total_tokens)
        credentials.note_outcome(event, self._context.credential)
        tell_operators(event, self._exchange)

    async def settle_async(self, event: CallFinished, *, unbilled: bool) -> None:
        """As `settle`, in a thread; it is carried through even if the caller is cancelled."""
        await asyncio.shield(asyncio.to_thread(self.settle, event, unbilled=unbilled))

    def _refuse(
        self, code: str, *, sentence: str = "", retry_after: int | None = None, needed: Decimal | None = None
    ) -> httpx2.Response:
        context = self._context
        count_refusal(provider=context.provider, operation=context.operation, reason=code)
        error = errors.AIError(code, provider=context.provider, sentence=sentence)
        body = {
            "type": "error",
            "error": {
                "type": code,
                "code": errors.REFUSAL_PREFIX + code,
                "message": error.sentence,
                # What whoever waits for room in the budget has to wait for.
                **({"needed": str(needed)} if needed is not None else {}),
            },
        }
        headers = {"x-should-retry": "false"}
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        return httpx2.Response(403, json=body, headers=headers)


@cache
def _address(base_url: str) -> httpx2.URL:
    return httpx2.URL(base_url)


def is_within(url: httpx2.URL, base: httpx2.URL) -> bool:
    """Whether a request to `url` stays at the address that a provider's keys are meant for."""
    prefix = base.path.rstrip("/") + "/"
    # `path` is decoded: an encoded ".." would lead out of the prefix at the provider's end.
    if ".." in url.path.split("/"):
        return False
    return (url.scheme, url.host, url.port) == (
        base.scheme,
        base.host,
        base.port,
    ) and url.path.startswith(prefix)
