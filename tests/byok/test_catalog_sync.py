"""Looking at OpenRouter's list: by ETag, within bounds, and with nothing lost by a broken answer."""

import json
from typing import Any

import httpx2
import pytest
from django.core.management import CommandError, call_command

from byok.catalog.syncing import sync_openrouter
from byok.models import CatalogModel, CatalogSync, DatedPrice, SyncOutcome
from tests.byok.fake_provider import FakeProvider
from tests.byok.openrouter_entry import ENTRY

pytestmark = pytest.mark.django_db

KNOWN = [{**ENTRY, "id": f"acme/model-{number}"} for number in range(120)]
EMBEDDINGS = [{**ENTRY, "id": "acme/embed", "architecture": {"output_modalities": ["embeddings"]}}]


@pytest.fixture
def openrouter(fake: FakeProvider, settings: Any) -> FakeProvider:
    settings.SANDBOX_ENABLED = False
    serve(fake, KNOWN)
    return fake


def serve(fake: FakeProvider, models: Any, *, status: int = 200, etag: str = '"1"', raw: bytes | None = None) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/embeddings/models"):
            return httpx2.Response(200, json={"data": EMBEDDINGS})
        if request.headers.get("if-none-match") == etag:
            return httpx2.Response(304)
        body = raw if raw is not None else json.dumps({"data": models}).encode()
        return httpx2.Response(status, content=body, headers={"etag": etag})

    fake.answer = answer


def stored() -> list[Any]:
    return list(CatalogModel.objects.order_by("pk").values())


def test_a_list_is_taken_in_with_its_prices_and_without_a_key(openrouter: FakeProvider) -> None:
    sync = sync_openrouter()
    assert (sync.outcome, sync.listed, sync.etag) == (SyncOutcome.CHANGED, 121, '"1"')
    row = CatalogModel.objects.get(model_id="acme/model-7")
    assert (row.source, row.tier, str(row.input_price)) == ("openrouter", "premium", "2.5000000000")
    assert CatalogModel.objects.get(model_id="acme/embed").kind == "embedding"
    assert DatedPrice.objects.count() == 121
    for request in openrouter.sent:
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers
    # What the live list leaves out of the packaged one is marked, not deleted.
    assert CatalogModel.objects.get(route="openrouter", model_id="openai/gpt-5").vanished_at is not None


def test_the_same_list_is_not_sent_again(openrouter: FakeProvider) -> None:
    sync_openrouter()
    before = stored()
    sync = sync_openrouter()
    assert (sync.outcome, sync.etag) == (SyncOutcome.UNCHANGED, '"1"')
    assert CatalogSync.objects.filter(source="openrouter").count() == 1
    assert stored() == before
    serve(openrouter, [*KNOWN, {**ENTRY, "id": "acme/new"}], etag='"2"')
    assert sync_openrouter().added == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"models": [], "raw": b"<html>busy</html>"}, "no list of models"),
        ({"models": KNOWN, "status": 500}, "status 500"),
        ({"models": KNOWN, "status": 302}, "status 302"),
        ({"models": KNOWN[:40]}, "at least"),
        ({"models": [], "raw": b'{"data": [' + b" " * (9 * 1024 * 1024) + b"]}"}, "too large"),
    ],
    ids=["not json", "refused", "redirected", "too short", "too large"],
)
def test_a_broken_answer_changes_nothing(openrouter: FakeProvider, broken: dict[str, Any], reason: str) -> None:
    sync_openrouter()
    before, prices = stored(), DatedPrice.objects.count()
    serve(openrouter, etag='"2"', **broken)
    sync = sync_openrouter()
    assert sync.outcome == SyncOutcome.FAILED
    assert reason in sync.error
    assert (stored(), DatedPrice.objects.count()) == (before, prices)
    # The next good one is asked for by the ETag of the last good one.
    assert CatalogSync.objects.exclude(outcome=SyncOutcome.FAILED).filter(source="openrouter").get().etag == '"1"'


def test_nobody_there(openrouter: FakeProvider) -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route")

    openrouter.answer = unreachable
    before = stored()
    sync = sync_openrouter()
    assert (sync.outcome, sync.error) == (SyncOutcome.FAILED, "OpenRouter could not be reached (ConnectError).")
    assert stored() == before


def test_the_sandbox_takes_nothing_away(openrouter: FakeProvider, settings: Any) -> None:
    settings.SANDBOX_ENABLED = True
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"openrouter": "http://127.0.0.1:8000/sandbox/openrouter/api/v1"}
    serve(openrouter, KNOWN[:5])
    assert sync_openrouter().outcome == SyncOutcome.CHANGED
    assert CatalogModel.objects.get(route="openrouter", model_id="openai/gpt-5").vanished_at is None


def test_a_dry_run_writes_nothing(openrouter: FakeProvider, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored()
    call_command("sync_catalog", "--dry-run")
    assert "121 listed" in capsys.readouterr().out
    assert (stored(), CatalogSync.objects.filter(source="openrouter").count()) == (before, 0)


def test_the_command_reports_and_fails_loudly(openrouter: FakeProvider, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sync_catalog")
    out = capsys.readouterr().out
    assert "Packaged facts: nothing new" in out
    assert "OpenRouter: 121 listed, 121 added" in out
    assert "OpenAI accounts: 0 looked at" in out
    serve(openrouter, [], status=503, etag='"2"')
    with pytest.raises(CommandError, match="1 source failed"):
        call_command("sync_catalog", "--source", "openrouter")
    with pytest.raises(CommandError, match="goes with"):
        call_command("sync_catalog", "--organization", "acme")
    with pytest.raises(CommandError, match="No organisation"):
        call_command("sync_catalog", "--source", "openai", "--organization", "nobody")
