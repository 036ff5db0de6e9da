"""A test of a key never shows it, however it ends."""

import json
import time
from collections.abc import Callable

import httpx2
import pytest

from byok.checking import asking
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import Body
from tests.byok.key_holders import holders_of
from tests.byok.keys import KEYS
from tests.byok.scripted_provider import (
    WIRES,
    Answer,
    Script,
    asked,
    complete,
)
from usage.models import UsageInbox


def _echo(request: httpx2.Request) -> httpx2.Response:
    key = (request.headers.get("authorization") or request.headers["x-api-key"]).removeprefix("Bearer ")
    return httpx2.Response(
        401, json={"error": {"message": f"Incorrect API key provided: {key}."}}, headers={"x-k": key}
    )


ENDS: dict[str, Callable[[httpx2.Request], Answer]] = {
    "401 with the key": _echo,
    "success with the key": lambda request: httpx2.Response(
        200, json={"data": [{"id": str(request.headers.multi_items())}], "usage": 1}
    ),
    "500": lambda request: httpx2.Response(500, request=request),
    "timeout": lambda request: httpx2.ReadTimeout(f"slow {dict(request.headers)}", request=request),
    "reset": lambda request: httpx2.ReadError(f"reset {dict(request.headers)}", request=request),
    "no connection": lambda request: httpx2.ConnectError(f"refused {dict(request.headers)}", request=request),
    "illegal header": lambda request: httpx2.LocalProtocolError(f"Illegal header value {dict(request.headers)}"),
    "a bug": lambda request: RuntimeError(f"{dict(request.headers)}"),
    "redirect": lambda request: httpx2.Response(307, headers={"location": "https://stray.test"}, request=request),
    "cut while it was read": lambda request: httpx2.Response(
        200, stream=Body([b"{"], then=httpx2.ReadError(f"{dict(request.headers)}", request=request))
    ),
}


@pytest.mark.django_db
@WIRES
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("at", ["list", "probe"])
def test_the_key_stays_hidden(
    organization: Organization,
    script: Script,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    end: str,
    at: str,
) -> None:
    caplog.set_level("DEBUG")
    scripted = script(provider)
    if at == "list":
        scripted.fake.answer = ENDS[end]
    else:
        well = scripted._answer
        scripted.fake.answer = lambda request: ENDS[end](request) if request.method == "POST" else well(request)
    report = asked(provider, organization=organization, probe=True)
    complete(report)
    assert KEYS[provider] in str(scripted.fake.sent[0].headers.multi_items())
    assert holders_of(KEYS[provider], report) == []
    assert KEYS[provider] not in caplog.text
    assert not [row for row in UsageInbox.objects.all() if KEYS[provider] in json.dumps(row.payload)]
    outcome = asking.ask(provider, KEYS[provider], "/models", deadline=time.monotonic() + 5)
    assert holders_of(KEYS[provider], outcome) == []


@pytest.mark.django_db
@WIRES
def test_the_key_stays_hidden_after_success(organization: Organization, script: Script, provider: str) -> None:
    script(provider)
    report = asked(provider, organization=organization, probe=True)
    assert report.is_proved
    assert holders_of(KEYS[provider], report) == []
