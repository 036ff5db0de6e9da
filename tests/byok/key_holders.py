"""What holds a key, of all that can be reached from a thing."""

import gc
import logging
import types
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

_DEPTH = 14
_TOO_WIDE = (types.ModuleType, type, logging.Logger, types.BuiltinFunctionType, weakref.ref, types.CodeType)


def _within(thing: Any) -> Iterator[Any]:
    """What is reached from a thing without passing through modules, classes or this package's own frames."""
    if isinstance(thing, types.FrameType):
        if "/tests/" not in thing.f_code.co_filename:
            yield from dict(thing.f_locals).values()
    elif isinstance(thing, types.TracebackType):
        yield from (thing.tb_frame, thing.tb_next)
    elif isinstance(thing, types.FunctionType):
        yield from (thing.__closure__, thing.__defaults__, thing.__kwdefaults__)
    elif isinstance(thing, types.GeneratorType):
        yield thing.gi_frame
    elif isinstance(thing, types.CoroutineType):
        yield thing.cr_frame
    else:
        yield from gc.get_referents(thing)


def holders_of(key: str, *roots: Any) -> list[str]:
    """The kinds of things that hold `key`, reached from `roots`."""
    found, seen = [], set()
    queue: deque[tuple[Any, str, int]] = deque((root, type(root).__name__, 0) for root in roots)
    while queue:
        thing, path, depth = queue.popleft()
        if id(thing) in seen or isinstance(thing, _TOO_WIDE):
            continue
        seen.add(id(thing))
        if isinstance(thing, str | bytes | bytearray):
            text = thing if isinstance(thing, str) else bytes(thing).decode(errors="replace")
            if key in text:
                found.append(path)
        elif depth < _DEPTH:
            queue.extend((inner, f"{path} > {type(inner).__name__}", depth + 1) for inner in _within(thing))
    told = [f"repr of {type(root).__name__}" for root in roots if key in repr(root) or key in str(root)]
    return found + told
