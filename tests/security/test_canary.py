"""A marked key goes through hundreds of good and bad paths of the running product at DEBUG: it is found nowhere.

Looked through afterwards: every answer with its headers, every file that the product wrote (logs,
mails, records, the database's and Redis' files on disk, write-ahead log included), every row of
every table, every key of Redis, and every command that Redis was ever sent (Celery messages,
sessions, cache).
"""

import base64
import json
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
from django.core import signing
from kombu.connection import Connection

from tests.security.canary import PREFIXES, Canary, modes
from tests.serving import REPOSITORY, Served, Visitor, serving, until

pytestmark = pytest.mark.network_loopback

CHAT = {"openrouter": "openai/gpt-4o-mini", "openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}


class Listener:
    """Everything that Redis is told, from the moment the product is up."""

    def __init__(self, client: redis.Redis, said: redis.Redis) -> None:
        self.commands: list[str] = []
        self._said = said
        self._stop = threading.Event()
        self._client = client
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        client: Any = self._client  # this part of redis-py is untyped
        with client.monitor() as monitor:
            while not self._stop.is_set():
                try:
                    self.commands.append(str(monitor.next_command()["command"]))
                except (redis.TimeoutError, redis.ConnectionError):
                    return

    def stop(self) -> list[str]:
        """Everything heard until now: the last thing said is waited for, so that nobody has stopped listening early."""
        last = f"the listener still hears {secrets.token_hex(8)}"
        self._said.echo(last)
        until(lambda: any(last in command for command in reversed(self.commands)), "Redis' commands are heard")
        self._stop.set()
        return self.commands


class Recorded:
    """Answers with their headers, as a visitor's HTTP client saw them."""

    def __init__(self, visitor: Visitor) -> None:
        self.texts: list[str] = []
        visitor._http.event_hooks["response"].append(self._note)

    def _note(self, response: httpx2.Response) -> None:
        response.read()
        # Without what the visitor asked with: that is not the product's to tell.
        self.texts.append(f"{response.status_code} {response.url.path} {response.headers!r}\n{response.text}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served, None, None]:
    with serving(tmp_path_factory.mktemp("canary"), LOG_LEVEL="DEBUG") as running:
        yield running


def unlimited(served: Served) -> None:
    """Key tests are counted in the cache; here they are to go on and on."""
    connection = served.redis()
    for name in connection.scan_iter("*key-tests*"):
        connection.delete(name)


def walk_through_pages_and_api(served: Served, visitor: Visitor, canary: Canary) -> int:
    """Tests and saves by page and by API, with every kind of key there is; the number of requests."""
    paths = 0
    csrf = {"X-CSRFToken": visitor._http.cookies["csrftoken"], "Referer": served.address}
    settings = "/o/acme/settings/ai/"
    for provider in PREFIXES:
        for mode in modes(provider):
            unlimited(served)
            key = canary.key(provider, mode)
            models = {"chat": CHAT[provider]}
            body = {"provider": provider, "models": models, "api_key": key}
            visitor._http.put("/api/ai-config", json={**body, "probe": mode in {"", "nocredit"}}, headers=csrf)
            visitor._http.post("/api/ai-config", json={**body, "save_untested": True}, headers=csrf)
            form = {
                "provider": provider, "api_key": key, "chat_model": CHAT[provider], "embedding_model": "",
                "embedding_provider": "" if provider == "anthropic" else provider, "save_untested": "on",
            }  # fmt: skip
            visitor.submit(settings, **form)
            # Mistakes that people make with keys: in the wrong field, for the wrong provider, in an address.
            visitor._http.put("/api/ai-config", json={**body, "provider": _other(provider)}, headers=csrf)
            paths += 4
        unlimited(served)
        paths += act_on_key(served, visitor, canary, provider)
        for wrong in ({"models": {"chat": canary.key(provider)}}, {"operation_models": {canary.key(provider): "x"}}):
            visitor._http.post("/api/ai-config", json={"provider": provider, **wrong}, headers=csrf)
            paths += 1
        visitor._http.post("/api/ai-config", content=f'{{"api_key": "{canary.key(provider)}"', headers=csrf)
        visitor._http.get("/api/ai-config", headers={"Authorization": f"Bearer {canary.key(provider)}"})
        paths += 2
    return paths


def act_on_key(served: Served, visitor: Visitor, canary: Canary, provider: str) -> int:
    """All else that the pages do with a key: the wizard, tests with and without htmx, and the acts on a stored one."""
    own, settings = "/o/acme/onboarding/key/", "/o/acme/settings/ai/"
    csrf = {"X-CSRFToken": visitor._http.cookies["csrftoken"], "Referer": served.address}
    key, form = canary.key(provider), {"provider": provider, "chat_model": CHAT[provider]}
    paths = 0
    for typed in (canary.key(_other(provider)), canary.key(provider, "invalid"), key):
        unlimited(served)
        visitor.submit(f"{own}{provider}/", api_key=typed)
        for headers in (csrf, {**csrf, "HX-Request": "true"}):
            for where in ("test/", "form/"):
                visitor._http.post(f"{settings}{where}", data={**form, "api_key": typed}, headers=headers)
        paths += 5
    unlimited(served)
    # Pasted where a name belongs; and with a version that is not the latest, so that both sides are shown.
    for field in ("chat_model", "embedding_model", "openrouter_site_name", "openrouter_site_url", "version"):
        visitor.submit(settings, **{**form, "api_key": "", field: key})
        visitor._http.post(f"{settings}form/", data={**form, field: key}, headers=csrf)
        paths += 2
    visitor.submit("/o/acme/onboarding/ai/", choice=key)
    visitor.submit("/o/acme/onboarding/models/", chat_choice="other", chat_model=key, embedding=key)
    visitor.get(f"{settings}models/?provider={provider}&q={key}")
    paths += 3
    visitor.submit(settings, **{**form, "api_key": key, "version": "1"})
    for act in ("check", "undo", "remove"):
        visitor.get(f"{settings}keys/{provider}/{act}/")
        visitor.post(f"{settings}keys/{provider}/{act}/")
        paths += 2
    return paths + 1


def _other(provider: str) -> str:
    return next(name for name in PREFIXES if name != provider)


def make_calls(served: Served, canary: Canary) -> dict[str, Any]:
    """Calls in a process of the product's own kind; its log lies beside the others."""
    log = served.state / "log" / "canary-calls.log"
    with log.open("w") as stderr:
        done = subprocess.run(
            [sys.executable, "-m", "tests.security.canary_calls", canary.marker],
            cwd=REPOSITORY, env={**served.environment(), "LOG_LEVEL": "DEBUG"}, stdout=subprocess.PIPE,
            stderr=stderr, text=True, timeout=240, check=False,
        )  # fmt: skip
    assert done.returncode == 0, log.read_text()[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def run_leads(served: Served, visitor: Visitor, canary: Canary) -> int:
    """Whole runs on a stored marked key, through the worker."""
    csrf = {"X-CSRFToken": visitor._http.cookies["csrftoken"], "Referer": served.address}
    unlimited(served)
    body = {"provider": "openrouter", "models": {"chat": CHAT["openrouter"]}, "api_key": canary.key("openrouter")}
    assert visitor._http.post("/api/ai-config", json=body, headers=csrf).status_code == 200
    for number in range(3):
        lead = visitor.hand_in_lead(name=f"Lead {number}", email=f"lead{number}@acme.example", message="Hello")
        visitor.wait_for_run(lead["id"], "awaiting_review", "paused", "failed")
    return 3


def sweep(served: Served, canary: Canary, answers: list[str], commands: list[str]) -> dict[str, list[str]]:
    """Where any part of a marked key is seen, by kind of place."""
    found: dict[str, list[str]] = {"answers": [], "redis commands": [], "redis": [], "tables": [], "files": []}
    found["answers"] = [seen for text in answers if (seen := canary.seen_in(text))]
    found["redis commands"] = [seen for text in commands if (seen := canary.seen_in(text))]
    connection = served.redis()
    for name in connection.scan_iter("*"):
        dumped = connection.dump(name) or b""
        if seen := canary.seen_in(name + b" " + dumped):
            found["redis"].append(seen)
    tables = served.query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        for (row,) in served.query(f"SELECT t::text FROM {table} t"):
            if seen := canary.seen_in(row):
                found["tables"].append(f"{table}: {seen}")
    served.query("SELECT 1")
    connection.save()
    for path in served.state.rglob("*"):
        if path.is_file() and not path.is_symlink() and (seen := canary.seen_in(path.read_bytes())):
            found["files"].append(f"{path.relative_to(served.state)}: {seen}")
    return found


def test_a_marked_key_is_seen_nowhere(served: Served, record_property: Any) -> None:
    canary = Canary()
    listener = Listener(served.redis(), served.redis())
    with Visitor(served, "admin@demo.test") as visitor:
        recorded = Recorded(visitor)
        paths = walk_through_pages_and_api(served, visitor, canary)
        paths += run_leads(served, visitor, canary)
        calls = make_calls(served, canary)
        paths += calls["calls"]
        for page in ("/o/acme/settings/ai/", "/o/acme/usage/", "/o/acme/leads/", "/o/acme/settings/audit/"):
            visitor.get(page)
    with Visitor(served, "support@demo.test") as support:
        seen_by_support = Recorded(support)
        crawl_admin(support)
    until(lambda: served.query("SELECT count(*) FROM usage_usageinbox")[0][0] == 0, "the inbox is drained")
    commands = listener.stop()
    answers = recorded.texts + seen_by_support.texts + served.output
    sightings = sweep(served, canary, answers, commands)

    record_property("paths", paths)
    record_property("answers", len(answers))
    record_property("redis_commands", len(commands))
    assert sightings == {place: [] for place in sightings}
    assert paths >= 200
    assert len(commands) > 100
    assert len(answers) > 200
    assert len(calls["ends"]) >= 4, "calls of many ends"
    # The key is there, sealed: without it the sweep would have had nothing to find.
    assert served.query("SELECT count(*) FROM byok_providercredential WHERE last4 = 'wxyz'")[0][0] >= 2


def crawl_admin(support: Visitor) -> None:
    """Every list of the admin site and the first rows of each."""
    index = support.get("/admin/").text
    lists = sorted(set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', index)))
    assert len(lists) >= 8
    for address in lists:
        rows = re.findall(rf'href="({address}[^"?]+/change/)', support.get(address).text)
        for row in rows[:3]:
            support.get(row)


def celery_message(text: str) -> str:
    """The body of a task with `text` as argument, as kombu's virtual transports (Redis' is one) hand it to a broker."""
    connection: Any = Connection("memory://")  # type: ignore[no-untyped-call]
    channel = connection.channel()
    body, _ = channel.encode_body(json.dumps([[text], {}, {}]), channel.body_encoding)
    connection.release()
    return str(body)


def test_the_sweep_finds_what_is_there(tmp_path: Path) -> None:
    """Without this the test above would prove little."""
    canary = Canary()
    for provider in PREFIXES:
        key = canary.key(provider, "invalid")
        for text in (
            key,
            f"Bearer {key}",
            key[20:32],
            key[-8:],
            repr(key.encode()),
            json.dumps({"k": key}),
            key.upper(),
            key.encode().hex(),
            signing.dumps({"key": key, "more": "x" * 200}, key="any", compress=True),
            *(base64.b64encode(b"x" * before + key.encode()).decode() for before in range(3)),
            celery_message(key),
        ):
            assert canary.seen_in(text), text
        assert not canary.seen_in(f"{PREFIXES[provider]}••••••••••{key[-4:]}")
    assert canary.seen_in(b"\x00\xff" + canary.key("openai").encode())
