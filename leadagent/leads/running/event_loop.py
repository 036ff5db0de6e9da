"""One asyncio loop per process, on a thread of its own.

The async SDK clients keep their connections on the loop they were first used on, so every
agent of a process runs on this one. Whoever starts a coroutine waits for it, and meanwhile
does two things on its own thread: what the coroutine asks to be done there (database work,
which belongs to the waiting thread's connection), and the heartbeat that keeps its lease.
"""

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


class HeartbeatStopped(Exception):
    """The heartbeat said that nobody wants the result any more; the coroutine was cancelled."""


_Calls = queue.SimpleQueue[Callable[[], None] | None]
_calls: ContextVar[_Calls] = ContextVar("calls")
_heartbeat: ContextVar[tuple[Callable[[], bool], float] | None] = ContextVar("heartbeat", default=None)


def _loop() -> asyncio.AbstractEventLoop:
    """This process's loop. A forked child gets its own: threads do not survive a fork."""
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()
            _loops.clear()
            _loops[os.getpid()] = loop
        return loop


@contextmanager
def heartbeat(beat: Callable[[], bool], *, every: float) -> Iterator[None]:
    """While a coroutine is waited for inside this block, call `beat` every `every` seconds.

    When it answers False the coroutine is cancelled and `run` raises `HeartbeatStopped`.
    """
    token = _heartbeat.set((beat, every))
    try:
        yield
    finally:
        _heartbeat.reset(token)


def run(coroutine: Coroutine[Any, Any, T], *, timeout: float) -> T:
    """Run `coroutine` on the process's loop and return its result.

    Raises `TimeoutError` after `timeout` seconds, and whatever the coroutine raises.
    """
    calls: _Calls = queue.SimpleQueue()
    token = _calls.set(calls)
    try:
        future = asyncio.run_coroutine_threadsafe(_limited(coroutine, timeout), _loop())
    finally:
        _calls.reset(token)
    future.add_done_callback(lambda _: calls.put(None))
    try:
        _serve(calls)
    except BaseException:
        future.cancel()
        raise
    return future.result()


async def on_calling_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` on the thread that waits in `run`, from inside the coroutine it waits for."""
    done: Future[T] = Future()

    def call() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(function(*args, **kwargs))
        except BaseException as error:  # it belongs to the coroutine, whatever it is
            done.set_exception(error)

    _calls.get().put(call)
    return await asyncio.wrap_future(done)


async def _limited(coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
    async with asyncio.timeout(timeout):
        return await coroutine


def _serve(calls: _Calls) -> None:
    """Do what the coroutine asks for until it is done, with the heartbeat in between."""
    beat, every = _heartbeat.get() or (None, None)
    last_beat = time.monotonic()
    while True:
        try:
            call = calls.get(timeout=None if every is None else max(0.0, last_beat + every - time.monotonic()))
        except queue.Empty:
            pass
        else:
            if call is None:
                return
            call()
        if beat is not None and every is not None and time.monotonic() - last_beat >= every:
            if not beat():
                raise HeartbeatStopped
            last_beat = time.monotonic()
