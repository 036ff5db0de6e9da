"""An answer as a provider documents it, spoilt: values, fields, bytes, events, status and headers that no one expects."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import httpx2

from tests.byok.fake_provider import streamed

Json = Any

# What may stand where something else belongs. Functions, because some of them are large.
_VALUES: tuple[Callable[[], Json], ...] = (
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: 0,
    lambda: -1,
    lambda: 1.5,
    lambda: -0.25,
    lambda: 10**18,
    lambda: 2**63,
    lambda: 10**30,
    lambda: -(10**30),
    lambda: 10**400,
    lambda: 1e308,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: float("-inf"),
    lambda: "",
    lambda: "12",
    lambda: "-1",
    lambda: "1e999999999",
    lambda: "NaN",
    lambda: "nothing",
    lambda: "\0",
    lambda: "a\0b",
    lambda: "\ud800",
    lambda: "\ud83d\ude00 \u202e \u0007",
    lambda: "x" * 70_000,
    lambda: "é" * 300,
    list,
    dict,
    lambda: [None],
    lambda: [[]],
    lambda: {"": None},
    lambda: {"type": "unheard-of"},
    lambda: [{"type": "text"}],
    lambda: _nested(900),
)


# No provider's answer is deeper.
_DEEPEST = 12


def _nested(depth: int) -> Json:
    made: Json = []
    for _ in range(depth):
        made = [made]
    return made


def _places(node: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything in it, but into what was nested on purpose: Python itself goes only so deep."""
    if len(path) > _DEEPEST:
        return []
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


def spoilt_json(draw: Random, body: Json) -> Json:
    """A copy with one to three places changed: another value, gone, doubled, or something new beside it."""
    body = json.loads(json.dumps(body))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        *way, last = draw.choice([place for place in _places(body) if place] or [(None,)])
        if last is None:
            return draw.choice(_VALUES)()
        node = body
        for key in way:
            node = node[key]
        match draw.randrange(8):
            case 0:
                del node[last]
            case 1 if isinstance(node, list):
                node.append(node[last])
            case 2 if isinstance(node, dict):
                node[draw.choice(("error", "usage", "id", "choices", "data", "new"))] = draw.choice(_VALUES)()
            case _:
                node[last] = draw.choice(_VALUES)()
    return body


def spoilt_bytes(draw: Random, raw: bytes) -> bytes:
    """Cut, garbled, doubled, buried: or left as it is."""
    match draw.randrange(16):
        case 0:
            return raw[: draw.randrange(len(raw) + 1)]
        case 1:
            place = draw.randrange(len(raw) + 1)
            return raw[:place] + draw.choice((b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\xc3(")) + raw[place:]
        case 2:
            return b"\xef\xbb\xbf" + raw
        case 3:
            return raw + draw.choice((b"x", raw, b"\n\n", b"\x00"))
        case 4:
            return b"[" * draw.choice((500, 5_000, 200_000))
        case 5:
            return b'{"usage":' * 20_000 + b"1" + b"}" * 20_000
        case 6:
            return draw.choice((b"", b" ", b"null", b"0", b'"text"', b"<html>busy</html>", b"NaN", b"-"))
        case 7:
            # The same field twice: the last one counts, everywhere the same.
            return raw.replace(b'"usage":', b'"usage": {"prompt_tokens": -5}, "usage":', 1)
        case 8:
            return raw.replace(b"1000", draw.choice((b"1e400", b"-1e400", b"1" * 5_000, b"00", b"1.0")), 1)
    return raw


_STATUSES = (200,) * 14 + (
    201,
    202,
    204,
    206,
    301,
    304,
    400,
    401,
    402,
    403,
    404,
    408,
    413,
    422,
    429,
    500,
    502,
    503,
    529,
)
_TYPES = ("application/json",) * 6 + ("text/html", "", "text/event-stream", "application/json; charset=x", "\xe9")
_RETRY = ("", "", "", "1", "-1", "nan", "inf", "1e400", "soon", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT")


def _headers(draw: Random) -> dict[str, str]:
    made = {"content-type": draw.choice(_TYPES)}
    if wait := draw.choice(_RETRY):
        made["retry-after"] = wait
    if draw.random() < 0.2:
        made["x-request-id"] = draw.choice(("", "req_1", "x" * 5_000, "\x07bell"))
    if draw.random() < 0.05:
        made["content-encoding"] = draw.choice(("gzip", "deflate", "br", "unheard-of"))
    return made


def spoilt_answer(draw: Random, body: Json) -> httpx2.Response | BaseException:
    """The whole answer, or an error of the connection."""
    if draw.random() < 0.03:
        return draw.choice((httpx2.ReadError("reset"), httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("odd")))
    raw = json.dumps(spoilt_json(draw, body) if draw.random() < 0.8 else body).encode()
    # Not checked by httpx2 for the text form only: bytes pass as a socket would bring them.
    headers = [(name.encode(), value.encode("latin-1")) for name, value in _headers(draw).items()]
    try:
        return httpx2.Response(draw.choice(_STATUSES), headers=headers, content=spoilt_bytes(draw, raw))
    except httpx2.DecodingError as error:
        return error


def spoilt_stream(draw: Random, events: list[bytes]) -> httpx2.Response | BaseException:
    """Events changed, lost, doubled, out of order, cut anywhere, in pieces that end anywhere, with a reset at the end."""
    if draw.random() < 0.15:
        return spoilt_answer(draw, {"error": {"message": "busy", "code": 429}})
    events = [_spoilt_event(draw, event) if draw.random() < 0.35 else event for event in events]
    match draw.randrange(8):
        case 0:
            del events[draw.randrange(len(events))]
        case 1:
            events.insert(draw.randrange(len(events)), draw.choice(events))
        case 2:
            draw.shuffle(events)
        case 3:
            events = events[: draw.randrange(len(events) + 1)]
        case 4:
            events.insert(draw.randrange(len(events)), draw.choice(_INTERJECTIONS))
    raw = b"".join(events)
    # SDKs take quadratic time over an event that comes in crumbs.
    size = draw.choice((1, 7, 64, 4096)) if len(raw) < 50_000 else 4096
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    broken = draw.choice((None, None, None, httpx2.ReadError("reset"), httpx2.ReadTimeout("slow")))
    return streamed(chunks, then=broken)


_INTERJECTIONS = (
    b"data: {\n\n",
    b"data: null\n\n",
    b"data: []\n\n",
    b"data: \xff\xfe\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"event: error\ndata: {}\n\n",
    b'data: {"error": "busy"}\n\n',
    b'data: {"error": {"code": "x", "message": null}}\n\n',
    b"id: 1\nretry: x\n\n",
    b"data: " + b"x" * 2_000_000 + b"\n\n",
    b"\r\r\r",
)


def _spoilt_event(draw: Random, event: bytes) -> bytes:
    head, found, data = event.partition(b"data: ")
    try:
        body = json.loads(data)
    except ValueError:
        return spoilt_bytes(draw, event)
    raw = json.dumps(spoilt_json(draw, body)).encode()
    return head + found + (spoilt_bytes(draw, raw) if draw.random() < 0.3 else raw) + b"\n\n"
