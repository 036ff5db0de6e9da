"""The roll-out of own keys, performed as docs/roll-out.md says: its settings, its queries, what it says one will see."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization, Role
from tests.byok.fake_provider import CHAT, FakeProvider, chat
from tests.byok.keys import KEYS, PLATFORM_KEY
from tests.byok.pages import text, url
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory
from tests.project.documents import Block, blocks
from tests.project.files import ROOT
from tests.usage.one_connection import lead_over_test_connection
from usage.ledger import ingest
from usage.models import AIUsage

PAGE = list(blocks(ROOT / "docs/roll-out.md"))
WHOSE_KEY, NOT_WELL = (block.text for block in PAGE if block.language == "sql")
_SHOW = (
    "import json; from django.conf import settings; "
    "print(json.dumps([settings.BYOK_ENABLED, sorted(settings.BYOK_ALLOWED_ORGS)]))"
)


def stage(heading: str) -> Block:
    (found,) = [block for block in PAGE if block.heading == heading and block.language == "sh"]
    return found


@functools.cache
def settings_of(text: str) -> tuple[bool, frozenset[str]]:
    """What a process has in force that starts with these lines in its environment."""
    lines = dict(line.split("=", 1) for line in text.splitlines())
    started = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SHOW],
        cwd=ROOT, env=os.environ | lines, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    enabled, allowed = json.loads(started.stdout)
    return enabled, frozenset(allowed)


@pytest.fixture
def in_force(db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`in_force("Stage 1: off")`: this process, as if started with that stage's lines."""
    settings.USAGE_SPOOL_DIR = str(tmp_path / "spool")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "roll"}}
    settings.PLATFORM_PROVIDER = "openai"
    settings.PLATFORM_KEYS = {"openai": PLATFORM_KEY, "anthropic": "", "openrouter": ""}
    settings.PROVIDER_URLS = {}
    cache.clear()
    lead_over_test_connection(monkeypatch)

    def change(heading: str) -> None:
        settings.BYOK_ENABLED, settings.BYOK_ALLOWED_ORGS = settings_of(stage(heading).text)

    return change


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    made = FakeProvider()
    made.answers(200, CHAT["openai"])
    monkeypatch.setattr("byok.wire._sync_pool", made)
    return made


@pytest.fixture
def organizations(db: None) -> list[Organization]:
    """Acme and another one, each with a key of its own, and a third that never had one."""
    made = [OrganizationFactory(slug=slug) for slug in ("acme", "beta", "corp")]
    for organization in made[:2]:
        MembershipFactory(organization=organization, role=Role.ADMIN)
        save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    return made


def seen_after_an_hour(organizations: list[Organization]) -> dict[str, str]:
    """One call of each organisation, then what the page's first query says of whose key paid for it."""
    AIUsage.objects.all().delete()
    for organization in organizations:
        chat(get_model_for_tenant(organization, "chat", operation="qualification"))
    ingest.drain()
    with connection.cursor() as cursor:
        cursor.execute(WHOSE_KEY)
        rows = cursor.fetchall()
    assert [(calls, failed) for _, _, calls, failed in rows] == [(1, 0)] * len(organizations)
    return {slug: owner for slug, owner, _, _ in rows}


def keys() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, sealed_key FROM byok_providercredential ORDER BY id")
        return list(cursor.fetchall())


def test_off_named_everybody_and_back(in_force: Any, fake: FakeProvider, organizations: list[Organization]) -> None:
    before = keys()
    nobody = dict.fromkeys(["acme", "beta", "corp"], "platform")

    in_force("Stage 1: off")
    assert seen_after_an_hour(organizations) == nobody
    assert "not enabled" in text(client_of(organizations[2]).get(url("onboarding_ai", organizations[2])))

    in_force("Stage 2: named organisations")
    assert seen_after_an_hour(organizations) == nobody | {"acme": "customer"}

    in_force("Stage 3: everybody")
    assert seen_after_an_hour(organizations) == nobody | {"acme": "customer", "beta": "customer"}

    in_force("Going back")
    assert seen_after_an_hour(organizations) == nobody
    assert "Own AI keys are switched off for now." in text(
        client_of(organizations[0]).get(url("settings", organizations[0]))
    )

    in_force("Stage 3: everybody")
    assert seen_after_an_hour(organizations) == nobody | {"acme": "customer", "beta": "customer"}
    assert keys() == before


def test_going_back_stops_at_the_free_requests(
    in_force: Any, fake: FakeProvider, organizations: list[Organization], settings: Settings
) -> None:
    settings.FREE_TIER_REQUESTS = 1
    in_force("Going back")
    assert seen_after_an_hour(organizations[:1]) == {"acme": "platform"}
    with pytest.raises(AIError) as refused, translated("openai"):
        chat(get_model_for_tenant(organizations[0], "chat", operation="qualification"))
    assert refused.value.code == "quota_exhausted"
    in_force("Stage 3: everybody")
    assert seen_after_an_hour(organizations[:1]) == {"acme": "customer"}


def test_the_second_query_finds_a_refused_key(
    in_force: Any, fake: FakeProvider, organizations: list[Organization]
) -> None:
    def not_well() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(NOT_WELL)
            return [row[:3] for row in cursor.fetchall()]

    in_force("Stage 2: named organisations")
    assert not_well() == []
    fake.answers(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
    with pytest.raises(Exception, match="401"):
        chat(get_model_for_tenant(organizations[0], "chat", operation="qualification"))
    assert not_well() == [("acme", "openai", "rejected")]
