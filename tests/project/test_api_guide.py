"""Every command and every Python example of docs/api.md, typed in as they stand, against a live server."""

import json
import os
import re
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from django.core.cache import cache
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from byok.config.saving import save_ai_config
from leadagent.api import api
from leadagent.leads.models import Lead
from leadagent.tenants.api_tokens import issue_token
from leadagent.tenants.models import Organization, Role, Scope
from tests.byok.asked import Asked
from tests.byok.fake_provider import FakeProvider
from tests.byok.keys import KEYS
from tests.factories import PASSWORD, MembershipFactory
from tests.project.documents import Block, blocks
from tests.project.files import ROOT
from tests.project.shapes import differences
from tests.usage.factories import finished, store
from usage.alerting.signed_posts import signature

pytestmark = [pytest.mark.network_loopback, pytest.mark.django_db(transaction=True)]

BLOCKS = list(blocks(ROOT / "docs/api.md"))
COMMANDS = [block for block in BLOCKS if block.language == "sh"]
# The same calls as other pages show them, with an address of their own.
ELSEWHERE = [
    block for page in ("models", "usage") for block in blocks(ROOT / f"docs/{page}.md") if block.language == "sh"
]
# What the reader fills in: their address, their token.
GIVEN = "export LEADAGENT="
MARK = "\x1e"


def answer_of(command: Block) -> Block | None:
    """The block right below a command: what it answers, unless the next one is a command, too."""
    following = BLOCKS[BLOCKS.index(command) + 1 : BLOCKS.index(command) + 2]
    return following[0] if following and following[0].language in {"json", "text"} else None


@pytest.fixture
def acme(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked) -> Organization:
    """Acme with its own key at OpenRouter, three calls, and Sam who works on leads."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "guide"}}
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    settings.PROVIDER_URLS = {"openrouter": "https://openrouter.ai/api/v1"}
    cache.clear()
    sam = MembershipFactory(organization__slug="acme", user__email="sam@acme.example", role=Role.MEMBER)
    organization = sam.organization
    MembershipFactory(organization=organization, user__email="admin@acme.example", role=Role.ADMIN)
    save_ai_config(
        organization,
        provider="openrouter",
        chat_model="anthropic/claude-sonnet-5.5",
        api_key=KEYS["openrouter"],
        embedding_model="openai/text-embedding-3-small",
    )
    call = {"operation": "research", "provider": "openrouter", "lead_id": uuid4(), "run_id": uuid4()}
    store(*(finished(organization, at=None, actual_cost=Decimal("0.0144"), **call) for _ in range(3)))
    return organization


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What a provider would say of a new key."""
    made = Asked()
    monkeypatch.setattr("byok.checking.proving.test_ai_connection", made)
    return made


@pytest.fixture
def openrouter(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider that accepts the stored key and lists its models."""
    fake = FakeProvider()
    facts = {"data": {"usage": 1.0, "limit": None, "limit_remaining": None, "is_free_tier": False}}
    listed = {"data": [{"id": "anthropic/claude-sonnet-5.5"}, {"id": "openai/text-embedding-3-small"}]}
    fake.answer = lambda request: httpx2.Response(200, json=facts if request.url.path.endswith("/key") else listed)
    monkeypatch.setattr("byok.wire._sync_pool", fake)
    return fake


@pytest.fixture
def environment(live_server: LiveServer, acme: Organization, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a reader has set: address and token, and for the parts that need them a key and a password."""
    admin = acme.memberships.get(role=Role.ADMIN).user
    _, token = issue_token(acme, name="Guide", scopes=[scope.value for scope in Scope], created_by=admin)
    given = {
        "LEADAGENT": live_server.url,
        "TOKEN": token,
        "OPENROUTER_KEY": KEYS["openrouter"],
        "EMAIL": "admin@acme.example",
        "PASSWORD": PASSWORD,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def typed(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """What each command printed, by its name; one shell for all, which stops at the first that fails."""
    lines = ["set -eu"]
    for block in (*COMMANDS, *ELSEWHERE):
        if not block.text.startswith(GIVEN):
            text = re.sub(r"https://leadagent\.example\.\w+", "$LEADAGENT", block.text)
            lines += [f"printf '\\036{block.name}\\n'", text]
    ran = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "*", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout.rpartition(MARK)[2]}\n{ran.stderr}"
    parts = [part.partition("\n") for part in ran.stdout.split(MARK)[1:]]
    return {name: printed for name, _, printed in parts}


def test_the_commands_answer_as_the_page_says(
    environment: dict[str, str], openrouter: FakeProvider, tmp_path: Path
) -> None:
    printed = typed(environment, tmp_path)
    assert len(printed) == len(COMMANDS) + len(ELSEWHERE) - 1 >= 18
    wrong = [f"{each.name}: {printed[each.name]}" for each in ELSEWHERE if "error" in json.loads(printed[each.name])]
    for command in COMMANDS:
        answer = answer_of(command)
        if command.name not in printed or answer is None:
            continue
        real = printed[command.name].strip()
        if answer.language == "text":
            wrong += [] if real == answer.text.strip() else [f"{answer.name}: {real}"]
        else:
            # A status may be printed below the answer.
            found, _ = json.JSONDecoder().raw_decode(real)
            told = json.loads(answer.text)
            wrong += [f"{answer.name}: {each}" for each in differences(told, found)]
            if isinstance(told, dict) and "error" in told:
                told["error"]["reference"] = found["error"]["reference"]
                wrong += [] if told == found else [f"{answer.name}: {found}"]
    assert wrong == []
    assert Lead.objects.filter(source="api").count() == 2, "one of them by the session"


def test_every_call_of_the_api_has_a_command() -> None:
    """Compared by method and address; a call that is new fails here until the page shows it."""
    shown = set()
    for block in COMMANDS:
        for command in re.findall(r"curl .+?(?=\ncurl |\Z)", block.text, flags=re.DOTALL):
            for address in re.findall(r"\$LEADAGENT/api(/[^\"? ]+)", command):
                method = re.search(r"-X ([A-Z]+)", command)
                sends = re.search(r"\s-d [^,]", command)
                shown.add((method[1] if method else "POST" if sends else "GET", address.replace("$LEAD", "{lead_id}")))
    calls = {
        (method.upper(), path.removeprefix("/api").replace("{uuid:lead_id}", "{lead_id}"))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    assert calls == shown


def test_every_code_of_the_errors_is_listed() -> None:
    """As far as they stand in the code as literal texts."""
    sources = [*ROOT.glob("leadagent/**/*.py"), *ROOT.glob("byok/**/*.py"), *ROOT.glob("usage/**/*.py")]
    raised = set()
    for path in sources:
        raised |= set(re.findall(r'ApiError\(\s*\d+,\s*"(\w+)"', path.read_text()))
        raised |= set(re.findall(r'error_response\(\s*\d+,\s*"(\w+)"', path.read_text()))
    listed = set(re.findall(r"`(\w+)`", (ROOT / "docs/api.md").read_text().partition("## Errors")[2]))
    assert len(raised) > 10
    assert raised - listed == {"method_not_allowed"}, "405 explains itself"


def test_the_python_hands_in_a_lead_and_reads_all_pages(environment: dict[str, str]) -> None:
    client, _ = python()
    names = run(client)
    assert names["lead"]["name"] == "Bo Cogs"
    again = run(client)
    assert again["lead"]["id"] == names["lead"]["id"], "the same Idempotency-Key"
    names["call"]("POST", "/leads", {"name": "Di Dow", "email": "di@dow.example", "message": "Hello"})
    assert [each["name"] for each in names["pages"]("/leads?limit=1", "leads")] == ["Di Dow", "Bo Cogs"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        names["call"]("POST", "/leads", {"name": "", "email": "", "message": ""})
    assert refused.value.code == 422
    refused.value.close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The receiver of the page with the check of docs/leads.md."""
    (check,) = [block for block in blocks(ROOT / "docs/leads.md") if block.language == "python"]
    module = types.ModuleType("signature")
    exec(compile(check.text, check.name, "exec"), module.__dict__)  # the page's own text
    monkeypatch.setitem(sys.modules, "signature", module)
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_abc")
    names = run(python()[1])
    server = names["serve"](0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield types.SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/", seen=names["seen"])
    server.shutdown()
    thread.join()
    server.server_close()


def post(url: str, secret: str, body: bytes, timestamp: str, header: str = "X-LeadAgent-Signature") -> int:
    headers = {"X-LeadAgent-Timestamp": timestamp, header: signature(secret, timestamp, body)}
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


@pytest.mark.django_db(transaction=False)
def test_the_receiver_takes_our_messages_once_and_no_others(receiver: Any, capsys: Any) -> None:
    import time

    now = str(int(time.time()))
    body = json.dumps({"id": "1", "type": "lead.created", "lead": {"id": "2"}}).encode()
    assert post(receiver.url, "whsec_abc", body, now) == 204
    # Sent again, by way of a proxy that writes headers small.
    assert post(receiver.url, "whsec_abc", body, now, "x-leadagent-signature") == 204
    assert post(receiver.url, "whsec_other", body, now) == 403
    assert post(receiver.url, "whsec_abc", body, str(int(now) - 3600)) == 403
    assert receiver.seen == {"1"}
    assert capsys.readouterr().out == "lead.created {'id': '2'}\n"


def python() -> list[Block]:
    return [block for block in BLOCKS if block.language == "python"]


def run(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block.text, block.name, "exec"), names)  # the page's own text
    return names
