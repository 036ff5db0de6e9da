"""One loop per process; the waiting thread does what the coroutine asks of it."""

import asyncio
import threading
import time

import pytest

from leadagent.leads.running import event_loop


def test_coroutines_share_one_loop_on_its_own_thread() -> None:
    async def where() -> tuple[int, str]:
        return id(asyncio.get_running_loop()), threading.current_thread().name

    first, second = (event_loop.run(where(), timeout=5) for _ in range(2))

    assert first == second
    assert first[1] == "event-loop"


def test_work_for_the_waiting_thread_is_done_there() -> None:
    async def ask() -> int:
        return await event_loop.on_calling_thread(threading.get_ident)

    assert event_loop.run(ask(), timeout=5) == threading.get_ident()


def test_two_waiting_threads_each_do_their_own_work() -> None:
    both_wait = threading.Barrier(2)
    seen: dict[int, int] = {}

    async def ask() -> int:
        await event_loop.on_calling_thread(both_wait.wait, 5)
        return await event_loop.on_calling_thread(threading.get_ident)

    def wait() -> None:
        seen[threading.get_ident()] = event_loop.run(ask(), timeout=5)

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(seen) == 2
    assert all(own == told for own, told in seen.items())


def test_an_error_of_that_work_reaches_the_coroutine_and_its_caller() -> None:
    def fail() -> None:
        raise LookupError("gone")

    async def ask() -> str:
        try:
            await event_loop.on_calling_thread(fail)
        except LookupError as error:
            return str(error)
        return "nothing was raised"

    async def fall() -> None:
        await event_loop.on_calling_thread(fail)

    assert event_loop.run(ask(), timeout=5) == "gone"
    with pytest.raises(LookupError):
        event_loop.run(fall(), timeout=5)


def test_too_slow_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        event_loop.run(asyncio.sleep(30), timeout=0.05)


def test_the_heartbeat_beats_while_waiting() -> None:
    beats: list[float] = []

    def beat() -> bool:
        beats.append(time.monotonic())
        return True

    with event_loop.heartbeat(beat, every=0.05):
        event_loop.run(asyncio.sleep(0.4), timeout=5)

    assert 3 <= len(beats) <= 8


def test_a_stopped_heartbeat_cancels_the_coroutine() -> None:
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with event_loop.heartbeat(lambda: False, every=0.02), pytest.raises(event_loop.HeartbeatStopped):
        event_loop.run(work(), timeout=5)

    assert cancelled.wait(5)


def test_outside_the_block_there_is_no_heartbeat() -> None:
    beats: list[int] = []

    def beat() -> bool:
        beats.append(1)
        return True

    with event_loop.heartbeat(beat, every=0.01):
        pass

    event_loop.run(asyncio.sleep(0.05), timeout=5)

    assert beats == []
