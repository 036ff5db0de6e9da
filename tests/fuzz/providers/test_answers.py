"""Whatever a provider answers, a call ends as a clear error or with what was read, and with its usage row."""

import logging
import sys
import traceback
from collections.abc import Callable
from functools import partial
from random import Random

import httpx2
import pytest

from byok.errors import AIError
from byok.resolver import get_model_for_tenant
from leadagent.leads.running import steps
from tests.byok.fake_provider import FakeProvider, streamed
from tests.byok.lost_answers import again, cut
from tests.factories import OrganizationFactory
from tests.fuzz.providers.spoiling import spoilt_answer, spoilt_stream
from tests.fuzz.providers.ways import StepBroke, Way, ways, with_key
from tests.fuzz.sizes import SIZES
from tests.fuzz.tally import Tally
from tests.fuzz.undone import undone
from usage.ledger import ingest
from usage.models import AIUsage, DeadLetter, UsageInbox

pytestmark = [
    pytest.mark.django_db,
    # pydantic-ai tells so, and goes on without figures of its own: ours are read on the wire.
    pytest.mark.filterwarnings("ignore:Failed to extract usage", "ignore:Some responses omitted usage"),
    # The price that it looks up beside them is nobody's here.
    pytest.mark.filterwarnings("ignore:Failed to get cost"),
]

# A list of one model is not believed; tests of keys ask for more than the one answer that is there.
EXPECTED = {
    "OpenRouter, list of all models": {"refused"},
    **{f"{name}, probe": {"unknown"} for name in ("openai", "anthropic", "openrouter")},
    **{f"{name}, test of a key": {"ok", "warning"} for name in ("openai", "anthropic")},
    "openrouter, test of a key": {"unknown"},
}
_BOOKED = ("/chat/completions", "/messages", "/embeddings")


@pytest.fixture
def broken_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why a step of a run failed by our own fault, which otherwise only the log tells."""
    found: list[str] = []

    def note(*_: object) -> None:
        found.append(_reason(sys.exc_info()[1]))

    monkeypatch.setattr(steps.logger, "exception", note)
    return found


def test_every_answer_ends_as_an_error_or_a_row(
    fake: FakeProvider, broken_steps: list[str], counted: Callable[[Tally], None]
) -> None:
    organizations = {
        provider: with_key(OrganizationFactory(name=provider, slug=provider), provider)
        for provider in ("openai", "anthropic", "openrouter")
    }
    cut(get_model_for_tenant(organizations["openrouter"], "chat", operation="qualification"), fake)
    ingest.drain()
    again()
    tally = Tally("answers of providers")
    all_ways = ways(organizations)
    rows = AIUsage.objects.count()
    for number in range(SIZES.answers):
        way = all_ways[number % len(all_ways)]
        draw = Random(number)
        fake.sent.clear()
        fake.answer = _answers(way, draw)
        broken_steps.clear()
        tally.tried += 1
        with undone():
            try:
                tally.outcomes[way.go()] += 1
            except AIError as error:
                tally.outcomes[error.code] += 1
                if not error.sentence:
                    tally.fail("unhandled", f"{way.name}: an error without words", example=f"{number}")
            except StepBroke:
                tally.fail("unhandled", f"{way.name}: {broken_steps[-1:]}", example=f"answer {number}")
            except Exception as error:
                tally.fail("unhandled", f"{way.name}: {_reason(error)}", example=f"answer {number}")
            else:
                _look_at_rows(way, fake, rows, tally, number)
    counted(tally)


def _answers(way: Way, draw: Random) -> Callable[[httpx2.Request], httpx2.Response | BaseException]:
    def answer(request: httpx2.Request) -> httpx2.Response | BaseException:
        if events := way.events_for(request):
            return spoilt_stream(draw, events)
        return spoilt_answer(draw, way.body)

    return answer


def _look_at_rows(way: Way, fake: FakeProvider, before: int, tally: Tally, number: int) -> None:
    """Each exchange that generates something has its row, whatever came back."""
    exchanges = sum(request.method == "POST" and request.url.path.endswith(_BOOKED) for request in fake.sent)
    ingest.drain()
    if AIUsage.objects.count() != before + exchanges:
        what = f"{way.name}: {AIUsage.objects.count() - before} rows for {exchanges} exchanges"
        tally.fail("lost", what, example=f"answer {number}")
    if UsageInbox.objects.exists() or DeadLetter.objects.exists():
        reasons = list(DeadLetter.objects.values_list("reason", flat=True)) or "waiting"
        tally.fail("lost", f"{way.name}: an event was put aside ({reasons})", example=f"answer {number}")


def _reason(error: BaseException | None) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__ if error else None) if ".venv" not in frame[0]]
    where = "/".join(ours[-1].filename.split("/")[-2:]) + f":{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__}: {str(error)[:100]} at {where}"


def test_the_calls_work_when_nothing_is_spoilt(fake: FakeProvider, broken_steps: list[str]) -> None:
    """Without this the test above would prove little."""
    organizations = {
        name: with_key(OrganizationFactory(slug=name), name) for name in ("openai", "anthropic", "openrouter")
    }
    cut(get_model_for_tenant(organizations["openrouter"], "chat", operation="qualification"), fake)
    ingest.drain()
    again()
    logging.disable(logging.NOTSET)
    for way in ways(organizations):
        fake.answer = partial(_unspoilt, way)
        with undone():
            assert way.go() in {"read", *EXPECTED.get(way.name, ())}, way.name


def _unspoilt(way: Way, request: httpx2.Request) -> httpx2.Response:
    events = way.events_for(request)
    return streamed(events) if events else httpx2.Response(200, json=way.body)
