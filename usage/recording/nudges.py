"""Telling the worker that there is something to drain, beside the call path.

A call only sets a flag. A thread of this process passes it on, at most once per pause, so
that neither a busy minute nor a Redis that is away costs a call anything. A nudge that is
lost is no loss: beat has the inbox drained every few seconds anyway.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from django.conf import settings

logger = logging.getLogger(__name__)

# After a failure: Redis is away, and beat's sweep does the work.
_PAUSE_AFTER_FAILURE = 10.0

_lock = threading.Lock()
_wanted = threading.Event()
_thread: threading.Thread | None = None
# Set by `UsageConfig.ready`: domain code knows no tasks.
_send: Callable[[], object] | None = None


def send_by(sender: Callable[[], object]) -> None:
    """Name what passes a nudge on."""
    global _send
    _send = sender


def nudge() -> None:
    """Have the inbox drained soon. Never waits, never raises."""
    global _thread
    if _send is None or settings.USAGE_NUDGE_SECONDS <= 0:
        return
    _wanted.set()
    if _thread is None:
        with _lock:
            if _thread is None:
                _thread = threading.Thread(target=_pass_on, name="usage-nudges", daemon=True)
                _thread.start()


def _pass_on() -> None:
    pause = threading.Event()
    while True:
        _wanted.wait()
        _wanted.clear()
        pause.wait(settings.USAGE_NUDGE_SECONDS if _sent() else _PAUSE_AFTER_FAILURE)


def _sent() -> bool:
    assert _send is not None
    try:
        _send()
    except Exception as exc:
        # Its text may hold Redis's address with a password.
        logger.info("the worker could not be nudged (%s)", type(exc).__name__)
        return False
    return True


def _forget() -> None:
    """A forked child has no thread."""
    global _thread, _lock, _wanted
    _thread, _lock, _wanted = None, threading.Lock(), threading.Event()


os.register_at_fork(after_in_child=_forget)
