"""Errors of the libraries that read answers, where an answer is not of the shape that they expect.

SDKs and pydantic-ai build their objects from whatever came, unchecked, and trip over it later: as an `AttributeError`
deep in their own code, a `RecursionError` of the JSON decoder, an `OverflowError` of a number. The same kinds raised
by our own code are mistakes of ours, and stay what they are.
"""

from __future__ import annotations

import sys

# The libraries between a provider's bytes and our code.
_READERS = frozenset({"openai", "anthropic", "pydantic_ai", "pydantic", "pydantic_core", "httpx2"})
_KINDS = (AttributeError, TypeError, LookupError, ValueError, ArithmeticError, AssertionError, RecursionError)


def is_reading_error(error: BaseException | None) -> bool:
    """Whether one of those libraries raised `error` over what it was reading.

    The standard library counts for whoever called it.
    """
    if not isinstance(error, _KINDS):
        return False
    raised_by, trace = "", error.__traceback__
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in sys.stdlib_module_names:
            raised_by = package
        trace = trace.tb_next
    return raised_by in _READERS
