"""2,000 keys come under a new secret while calls are made, and the command is killed five times on the way."""

import hashlib
import itertools
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from django.db import connections
from pytest_django import Settings

from byok.encryption import decrypt_api_key, encrypt_api_key, fingerprint, key_id
from byok.keys.inventory import take_inventory
from byok.models import AIConfig, ProviderCredential
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.fake_provider import ANTHROPIC_CHAT, EMBEDDINGS, MODELS, FakeProvider
from tests.byok.own_process import start, wait_until
from tests.chaos.tally import Tally
from tests.usage.rollup import ROLLUP, SUMS, rows_of
from usage.ledger import ingest
from usage.models import AIUsage

OLD, NEW = (hashlib.sha256(name).hexdigest() for name in (b"the old secret", b"the new secret"))
ORGANIZATIONS = 1000
# Anthropic answers the chats, OpenAI makes the vectors: both keys of an organisation are in use.
PROVIDERS = ("anthropic", "openai")
KEYS = ORGANIZATIONS * len(PROVIDERS)
# Well before the end: beside much other work it is noticed late how far the command is.
KILLED_AT = (100, 350, 600, 850, 1100)
THREADS = 4


def key_of(organization_id: int, provider: str) -> str:
    head = {"anthropic": "sk-ant-api03-", "openai": "sk-proj-"}[provider]
    return head + hashlib.sha256(f"{provider} {organization_id}".encode()).hexdigest()


def save_keys() -> list[Organization]:
    organizations = Organization.objects.bulk_create(
        Organization(name=f"Org {number}", slug=f"org-{number}") for number in range(ORGANIZATIONS)
    )
    AIConfig.objects.bulk_create(
        AIConfig(
            organization=organization,
            provider="anthropic",
            chat_model=MODELS["anthropic"],
            embedding_provider="openai",
            embedding_model="text-embedding-3-small",
        )
        for organization in organizations
    )
    rows = []
    for organization, provider in itertools.product(organizations, PROVIDERS):
        row, key = ProviderCredential(organization=organization, provider=provider), key_of(organization.pk, provider)
        row.sealed_key = encrypt_api_key(key, binding=row.binding)
        row.key_id, row.fingerprint, row.status = key_id(OLD), fingerprint(key), "ok"
        rows.append(row)
    ProviderCredential.objects.bulk_create(rows)
    return organizations


@dataclass
class Calls:
    """Threads that call all the time, each for its own share of the organisations, until `stop` is set."""

    organizations: list[Organization]
    stop: threading.Event = field(default_factory=threading.Event)
    # Each call's duration.
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, number: int) -> None:
        try:
            for organization in itertools.cycle(self.organizations[number::THREADS]):
                for kind in ("chat", "embedding"):
                    # A breath, so that the command gets its share of the processors.
                    if self.stop.wait(0.01):
                        return
                    self.call(organization, kind)
        finally:
            connections.close_all()

    def call(self, organization: Organization, kind: str) -> None:
        begun = time.monotonic()
        try:
            # The organisation's number is in the text: the provider looks whether key and text belong together.
            if kind == "chat":
                model = get_model_for_tenant(organization, "chat", operation="qualification")
                client: Any = model.client()
                messages = [{"role": "user", "content": str(organization.pk)}]
                client.messages.create(model=model.model_id, max_tokens=16, messages=messages)
            else:
                model = get_model_for_tenant(organization, "embedding", operation="embedding")
                client = model.client()
                client.embeddings.create(model=model.model_id, input=str(organization.pk))
        except Exception as error:
            self.failed.append(f"{kind} of {organization.pk}: {error!r}")
        self.seconds.append(time.monotonic() - begun)


def answer(request: httpx2.Request) -> httpx2.Response:
    """As the provider would: 401 for any key but the one of the organisation that the text names."""
    body = json.loads(request.content)
    if "anthropic" in request.url.host:
        sent, asked = request.headers["x-api-key"], body["messages"][0]["content"]
        right, answered = key_of(int(asked), "anthropic"), ANTHROPIC_CHAT
    else:
        sent, asked = request.headers["authorization"].removeprefix("Bearer "), body["input"]
        right, answered = key_of(int(asked), "openai"), EMBEDDINGS
    if sent != right:
        return httpx2.Response(401, json={"error": {"message": "another organisation's key"}})
    return httpx2.Response(200, json=answered)


@pytest.mark.django_db(transaction=True)
def test_no_call_fails_while_keys_are_rotated_and_the_command_is_killed(
    settings: Settings,
    fake: FakeProvider,
    record_property: Callable[[str, object], None],
    counted: Callable[[Tally], None],
) -> None:
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = OLD, []
    calls = Calls(save_keys())
    before = list(ProviderCredential.objects.order_by("pk").values_list("pk", "saved_at", "updated_at"))
    settings.ENCRYPTION_SECRET, settings.ENCRYPTION_SECRET_PREVIOUS = NEW, [OLD]
    fake.answer = answer
    for kind in ("chat", "embedding"):
        # The SDKs are imported by it: not a call's duration.
        calls.call(calls.organizations[0], kind)
    calls.seconds[:] = [0.0] * len(calls.seconds)
    threads = [threading.Thread(target=calls.run, args=[number]) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        done, seconds = rotate_with_kills()
        # A little longer, on nothing but new envelopes.
        time.sleep(1)
    finally:
        calls.stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)

    count = len(calls.seconds)
    figures = {
        "rotated keys": f"{take_inventory().under_current} of {KEYS}, killed at {done}",
        "rotation keys/s (batches of 20, beside calls)": round(KEYS / seconds),
        "calls made meanwhile": count,
        "failed calls": len(calls.failed),
        "slowest call s": round(max(calls.seconds), 2),
    }
    for name, figure in figures.items():
        record_property(name, figure)
    print(figures)
    assert calls.failed == [], (figures, calls.failed[:5])
    assert count > 200, figures
    # Each of them was metered, once.
    while ingest.drain().taken:
        pass
    assert AIUsage.objects.filter(success=True).count() == AIUsage.objects.count() == count
    ids = AIUsage.objects.values("id").distinct().count()
    sent = len(fake.sent)
    is_equal = rows_of(ROLLUP) == rows_of(SUMS)
    counted(Tally("rotation of keys under load", sent, count, max(count - ids, count - sent, 0), sent - ids, is_equal))

    settings.ENCRYPTION_SECRET_PREVIOUS = []
    inventory = take_inventory()
    assert (inventory.counts, inventory.left) == ({key_id(NEW): KEYS}, 0)
    for row in ProviderCredential.objects.all():
        key = key_of(row.organization_id, row.provider)
        assert decrypt_api_key(row.sealed_key, binding=row.binding) == key
        assert (row.key_id, row.fingerprint, row.status) == (key_id(NEW), fingerprint(key), "ok")
    assert list(ProviderCredential.objects.order_by("pk").values_list("pk", "saved_at", "updated_at")) == before
    # However often it was killed: every key that was re-wrapped is told once.
    told: Counter[int | None] = Counter()
    for event in AuditEvent.objects.filter(action="encryption.rotated"):
        assert event.after is not None
        told[event.organization_id] += event.after["rewrapped"]
    assert told == dict.fromkeys((organization.pk for organization in calls.organizations), len(PROVIDERS))


def rotate_with_kills() -> tuple[list[int], float]:
    """Start the command again and again; how far it was at each kill, and the seconds that it was at work."""
    reached: list[int] = []
    seconds = 0.0
    for threshold in (*KILLED_AT, None):
        already = rewrapped()
        with start("rotate_keys", "--batch", "20", ENCRYPTION_SECRET=NEW, ENCRYPTION_SECRET_PREVIOUS=OLD) as process:
            wait_until(lambda already=already: rewrapped() > already, process)  # type: ignore[misc]
            begun = time.monotonic()
            if threshold is None:
                said, complaints = process.communicate(timeout=60)
                seconds += time.monotonic() - begun
                assert process.returncode == 0, complaints.decode()
                assert f"{KEYS:,} processed".encode() in said
                assert f"No stored key needs {key_id(OLD)} any more".encode() in said
                break
            wait_until(lambda threshold=threshold: rewrapped() >= threshold, process)  # type: ignore[misc]
            process.kill()
            seconds += time.monotonic() - begun
            process.communicate()
            assert process.returncode == -signal.SIGKILL
        reached.append(rewrapped())
        assert already < reached[-1] < KEYS
    return reached, seconds


def rewrapped() -> int:
    return ProviderCredential.objects.filter(key_id=key_id(NEW)).count()
