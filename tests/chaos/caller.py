"""A process of the product that makes calls as it is told: `python -m tests.chaos.caller`.

One JSON command per line on stdin, one JSON answer per line on stdout. It stands for a web
or worker process in the middle of its work: the same resolver, SDK, wire and recorder, and
the settings that it is started with. Whoever tests may kill it at any moment.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import django

# A disk that is full: files of this process cannot grow beyond so many bytes.
if size := os.environ.get("CHAOS_FILE_SIZE"):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))

django.setup()

from celery import current_app  # noqa: E402
from django.db import connections  # noqa: E402

from byok.config.saving import ConfigConflict, save_ai_config  # noqa: E402
from byok.errors import AIError, translated  # noqa: E402
from byok.resolver import TenantModel, get_model_for_tenant  # noqa: E402
from leadagent.tenants.models import Organization  # noqa: E402
from usage.recording import held  # noqa: E402

Outcomes = Counter[str]
_background: list[tuple[threading.Event, threading.Thread, Outcomes]] = []


def organization(*, slug: str, provider: str = "", key: str = "", model: str = "") -> int:
    """A new organisation, with a key of its own where one is named; its number."""
    made = Organization.objects.create(name=slug, slug=slug)
    if provider:
        save_ai_config(made, provider=provider, chat_model=model, api_key=key)
    return made.pk


def calls(*, organization: int, count: int, threads: int = 4, stream: bool = False, pause: float = 0) -> Outcomes:
    """`count` chat calls with a model that is resolved once; how many ended how."""
    model = _model(organization)

    def one(_: int) -> str:
        time.sleep(pause)
        return _call(model, stream=stream)

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(one, range(count)))


def begin(*, organization: int, threads: int = 3, pause: float = 0.05) -> bool:
    """Call in the background until `end`."""
    model, stop = _model(organization), threading.Event()

    def go_on(outcomes: Outcomes) -> None:
        while not stop.wait(pause):
            outcomes[_call(model)] += 1

    for _ in range(threads):
        outcomes: Outcomes = Counter()
        thread = threading.Thread(target=go_on, args=(outcomes,), daemon=True)
        _background.append((stop, thread, outcomes))
        thread.start()
    return True


def end() -> Outcomes:
    """Stop calling, after the calls that are under way; how many ended how."""
    total: Outcomes = Counter()
    for stop, thread, outcomes in _background:
        stop.set()
        thread.join()
        total += outcomes
    _background.clear()
    return total


def lead(*, organization: int, done: int = 0) -> str:
    """A lead with its run, whose first `done` steps are behind it; no worker is told. The run's id."""
    from leadagent.leads.inbox.intake import take_in
    from leadagent.leads.models import LeadSource
    from leadagent.leads.running.leases import complete_step
    from tests.leads.factories import OUTCOMES, claimed

    fields = {
        "name": "Jo",
        "email": "jo@gears.example",
        "company": "Gears Ltd",
        "phone": "",
        "message": "We are a team of 80 and would like to buy 40 seats this quarter. Can you send a quote?",
    }
    owner = Organization.objects.get(pk=organization)
    run = take_in(owner, fields, source=LeadSource.API)[0].runs.get()
    for _ in range(done):
        claim = claimed(run)
        complete_step(claim, OUTCOMES[claim.name])
    return str(run.pk)


def nudge(*, run: str) -> bool:
    """Tell a worker about the run, as whoever starts it does."""
    from leadagent.leads.tasks import nudge_run

    nudge_run(UUID(run))
    return True


def saves(*, organization: int, keys: dict[str, str], count: int) -> Outcomes:
    """Save the configuration `count` times at once, each with a key and the provider it is for."""
    models = {"openrouter": "openai/gpt-4o-mini", "openai": "gpt-4o-mini"}

    def one(number: int) -> str:
        provider = sorted(keys)[number % len(keys)]
        try:
            owner = Organization.objects.get(pk=organization)
            save_ai_config(owner, provider=provider, chat_model=models[provider], api_key=keys[provider])
        except ConfigConflict:
            return "conflict"
        finally:
            connections.close_all()
        return "saved"

    with ThreadPoolExecutor(6) as pool:
        return Counter(pool.map(one, range(count)))


def resolve_and_call(*, organization: int, count: int) -> Outcomes:
    """Calls that look at the configuration each time, as a new piece of work does."""
    outcomes: Outcomes = Counter()
    for _ in range(count):
        try:
            outcomes[_call(_model(organization))] += 1
        except AIError as error:
            outcomes[error.code] += 1
    return outcomes


def travel(*, to: str) -> bool:
    """Let this process's clock say `to`, and go on from there."""
    import time_machine

    time_machine.travel(datetime.fromisoformat(to), tick=True).start()
    return True


def tasks(*, names: list[str], times: int) -> bool:
    """Send tasks to the workers as beat does, each several times."""
    for _ in range(times):
        for name in names:
            current_app.send_task(name)
    return True


def held_events() -> int:
    return held.held()


def _model(organization: int) -> TenantModel:
    try:
        return get_model_for_tenant(Organization.objects.get(pk=organization), "chat", operation="qualification")
    finally:
        connections.close_all()


def _call(model: TenantModel, *, stream: bool = False) -> str:
    messages = [{"role": "user", "content": "Jo of Gears Ltd asks for a price of forty gears."}]
    try:
        with translated(model.provider):
            if model.provider == "anthropic":
                anthropic: Any = model.client()
                answer = anthropic.messages.create(
                    model=model.model_id, max_tokens=64, messages=messages, stream=stream
                )
            else:
                openai: Any = model.client()
                answer = openai.chat.completions.create(model=model.model_id, messages=messages, stream=stream)
            if stream:
                for _ in answer:
                    pass
    except AIError as error:
        return error.code
    except Exception as error:
        return type(error).__name__
    return "ok"


def main() -> None:
    commands = {
        command.__name__: command
        for command in (
            organization,
            calls,
            lead,
            nudge,
            begin,
            end,
            saves,
            resolve_and_call,
            travel,
            tasks,
            held_events,
        )
    }
    # What the product prints is not an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps("ready"), file=answers)
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = cast("Any", commands[told.pop("do")])(**told)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            # As at the end of a request; a server that was restarted meanwhile is none of the next one's concern.
            connections.close_all()
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
