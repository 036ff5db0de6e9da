"""What every endpoint does before and after its own work: caller, method, key, misbehaviour, record."""

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from ipaddress import ip_address
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from leadagent.sandbox import record
from leadagent.sandbox.keys import KeyModes, fingerprint, has_shape, read_modes
from leadagent.sandbox.refusals import Kind, Refusal, bad_request
from leadagent.sandbox.tokens import Price, Usage

P = ParamSpec("P")
# What a key may ask for on every endpoint that reads it, in the order of precedence.
_EVERYWHERE: tuple[tuple[str, Kind], ...] = (
    ("invalid", "invalid_key"),
    ("expired", "invalid_key"),
    ("ratelimit", "rate_limited"),
    ("overloaded", "overloaded"),
    ("servererror", "server_error"),
)
# What it may ask for where models are called.
_GENERATING: tuple[tuple[str, Kind], ...] = (
    ("management", "management_key"),
    ("forbidden", "forbidden"),
    ("nocredit", "no_credit"),
    ("keylimit", "key_limit"),
    ("gone", "model_not_found"),
)
# Calls of a model, which a provider bills.
GENERATING_KINDS = frozenset({"chat", "embeddings"})
_PADDING = b" " * (1 << 20)
_PADDING_PIECES = 32


@dataclass(frozen=True, slots=True)
class Wire:
    """One provider's manners: where it reads the key, how it spells refusals, how it names a request.

    `spell` returns the status and JSON body of a refusal, given the request's id.
    """

    name: str
    key_header: Callable[[HttpRequest], str]
    spell: Callable[[Refusal, str], tuple[int, dict[str, Any]]]
    request_id_header: str
    # Names the answer before its body does; empty where the provider has no such header.
    answer_id_header: str = ""


@dataclass(slots=True)
class Call:
    """One request on its way through an endpoint, which fills in what the record shows of the answer."""

    request: HttpRequest
    wire: Wire
    kind: str
    key: str
    modes: KeyModes
    request_id: str = field(default_factory=lambda: f"req_{secrets.token_hex(12)}")
    model: str = ""
    stream: bool = False
    answer_id: str = ""
    usage: Usage | None = None
    price: Price | None = None

    @property
    def key_sha256(self) -> str:
        """The key's fingerprint, empty without one."""
        return fingerprint(self.key)

    def body(self) -> dict[str, Any]:
        """The request's JSON object. Raises Refusal when it is too large or none."""
        try:
            body = json.loads(self.request.body)
        except RequestDataTooBig:
            # Closing on unread data would reset the connection before the answer is read.
            while self.request.read(1 << 16):
                pass
            raise Refusal("too_large") from None
        except (ValueError, UnicodeDecodeError):
            raise bad_request("We could not parse the JSON body of your request.") from None
        if not isinstance(body, dict):
            raise bad_request("The JSON body of your request is not an object.")
        return body


def endpoint(
    wire: Wire, kind: str, method: str, *, needs_key: bool = True
) -> Callable[[Callable[Concatenate[Call, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Make a view of a function that answers a Call; it may raise Refusal. Method `*` takes any.

    Every request becomes one recorded line, refused or served. Callers that are not on
    this machine get a 404 and no line.
    """

    def decorate(answer: Callable[Concatenate[Call, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt
        @wraps(answer)
        def view(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not is_local(request):
                return HttpResponseNotFound()
            key = wire.key_header(request)
            call = Call(request, wire, kind, key, read_modes(key) if needs_key else KeyModes())
            response: HttpResponseBase
            try:
                if method not in ("*", request.method):
                    raise Refusal("wrong_method", facts={"method": method})
                if needs_key:
                    _spare(call)
                    _check_key(call)
                response = answer(call, *args, **kwargs)
            except Refusal as refusal:
                status, body = wire.spell(refusal, call.request_id)
                response = json_response(body, status=status)
                if refusal.kind == "rate_limited":
                    response.headers["Retry-After"] = str(call.modes.retry_after)
                if refusal.kind == "wrong_method":
                    response.headers["Allow"] = method
            except Exception:
                # A fault of the sandbox's own is still a request that arrived.
                _record(call, 500)
                raise
            response.headers[wire.request_id_header] = call.request_id
            if wire.answer_id_header and call.answer_id:
                response.headers[wire.answer_id_header] = call.answer_id
            _record(call, response.status_code)
            return _misbehave(call, response)

        return view

    return decorate


def is_local(request: HttpRequest) -> bool:
    """Whether the caller sits on this machine: a loopback address, and no proxy in between."""
    forwarded = {"HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED"} & request.META.keys()
    try:
        return not forwarded and ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def bearer_key(request: HttpRequest) -> str:
    """The key of an `Authorization: Bearer` header, empty without one."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def json_response(body: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(json.dumps(body, ensure_ascii=False), content_type="application/json", status=status)


def event_stream(call: Call, events: list[bytes]) -> StreamingHttpResponse:
    """Send server-sent events as the key's text asks: at once, dripping over seconds, or broken off half-way."""
    response = StreamingHttpResponse(_drip(call, events), content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    return response


def hang_up(request: HttpRequest) -> None:
    """Close the connection under the answer that is being sent. Raises where the server does not lend its socket."""
    connection = request.META.get("gunicorn.socket")
    if connection is None:
        raise ConnectionAbortedError("the sandbox was asked to break this answer off")
    connection.shutdown(socket.SHUT_RDWR)


def _check_key(call: Call) -> None:
    if not call.key:
        raise Refusal("missing_key")
    if not has_shape(call.wire.name, call.key):
        raise Refusal("invalid_key", facts={"key": call.key})
    if "revoked" in call.modes and _answered_calls(call) >= call.modes.revoked_after:
        raise Refusal("invalid_key", facts={"key": call.key})
    asked = _EVERYWHERE + (_GENERATING if call.kind in GENERATING_KINDS else ())
    for word, kind in asked:
        if word in call.modes:
            raise Refusal(kind, facts={"key": call.key, "retry_after": call.modes.retry_after, "model": call.model})


def _spare(call: Call) -> None:
    """Forget the key's words where they are not for what is called."""
    spared = call.modes.spared
    if call.kind not in GENERATING_KINDS:
        call.modes = KeyModes() if spared else call.modes
    elif spared or "gone" in call.modes:
        call.model = str(call.body().get("model"))
        if spared and spared in call.model.lower():
            call.modes = KeyModes()


def _answered_calls(call: Call) -> int:
    """How many calls of a model this key was answered: known from the record, so none without one."""
    seen = record.entries(key_sha256=call.key_sha256)
    return sum(entry["kind"] in GENERATING_KINDS and entry["status"] == 200 for entry in seen)


def _record(call: Call, status: int) -> None:
    headers = call.request.headers
    record.append(
        {
            "time": record.now().isoformat(timespec="microseconds"),
            "wire": call.wire.name,
            "kind": call.kind,
            "path": call.request.path,
            "key_sha256": call.key_sha256,
            "key_last4": call.key[-4:] if len(call.key) >= 12 else "",
            "model": call.model,
            "stream": call.stream,
            "status": status,
            "id": call.answer_id,
            "request_id": call.request_id,
            "usage": call.usage.as_record() if call.usage is not None else None,
            "http_referer": headers.get("HTTP-Referer", ""),
            "x_title": headers.get("X-Title", ""),
            "user_agent": headers.get("User-Agent", ""),
        }
    )


def _misbehave(call: Call, response: HttpResponseBase) -> HttpResponseBase:
    """Delay, damage or drop a finished answer. Streams see to their own delay and cut."""
    if "reset" in call.modes:
        hang_up(call.request)
    if not isinstance(response, HttpResponse):
        return response
    if call.modes.slow_seconds:
        time.sleep(call.modes.slow_seconds)
    if response.status_code == 200 and "broken" in call.modes:
        response.content = response.content[: len(response.content) // 2]
    if response.status_code == 200 and "huge" in call.modes:
        return StreamingHttpResponse(_padded(response.content), headers=dict(response.items()))
    return response


def _padded(body: bytes) -> Iterable[bytes]:
    """The JSON object with white space before its last brace: still valid, only huge."""
    yield body[:-1]
    for _ in range(_PADDING_PIECES):
        yield _PADDING
    yield body[-1:]


def _drip(call: Call, events: list[bytes]) -> Iterator[bytes]:
    pause = call.modes.slow_seconds / len(events)
    sent = 0
    try:
        for event in events:
            if "broken" in call.modes and sent >= len(events) // 2:
                hang_up(call.request)
                return
            if pause:
                time.sleep(pause)
            sent += 1
            yield event
    except GeneratorExit:
        # The caller hung up. After the last event nothing was missed.
        if sent < len(events) and call.usage is not None:
            record.note_cancelled(call.answer_id, call.usage.cut_to(sent / len(events), call.price).as_record())
        raise
