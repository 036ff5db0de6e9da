"""What goes wrong with a part of OpenRouter's list takes nothing away, and a dry run tells what a real one would do."""

import json
from typing import Any

import httpx2
import pytest
from django.core.management import call_command

from byok.catalog.syncing import sync_openrouter
from byok.models import CatalogChange, CatalogModel, CatalogSync, ChangeKind, DatedPrice, SyncOutcome
from tests.byok.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db

PRICES = {"prompt": "0.0000025", "completion": "0.00001"}
CHAT = [
    {"id": f"acme/model-{number}", "name": "Acme: Model", "pricing": PRICES, "context_length": 1000}
    for number in range(120)
]
EMBEDDING = {"id": "acme/embed", "architecture": {"output_modalities": ["embeddings"]}, "pricing": {"prompt": "0"}}


class OpenRouter:
    """Serves what `chat` and `embeddings` hold; a number in the latter's place is a status."""

    def __init__(self) -> None:
        self.chat: list[Any] = list(CHAT)
        self.embeddings: list[Any] | int = [EMBEDDING]

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/embeddings/models"):
            return httpx2.Response(200, content=json.dumps({"data": self.chat}).encode())
        if isinstance(self.embeddings, int):
            return httpx2.Response(self.embeddings)
        return httpx2.Response(200, json={"data": self.embeddings})


@pytest.fixture
def openrouter(fake: FakeProvider, settings: Any) -> OpenRouter:
    settings.SANDBOX_ENABLED = False
    CatalogModel.objects.all().delete()
    served = OpenRouter()
    fake.answer = served.answer
    return served


def gone() -> list[str]:
    return list(CatalogModel.objects.exclude(vanished_at=None).values_list("model_id", flat=True))


@pytest.mark.parametrize("odd", [{"context_length": 0}, {"pricing": "cheap"}, {"architecture": []}], ids=str)
def test_a_model_whose_entry_is_odd_stays(openrouter: OpenRouter, odd: dict[str, Any]) -> None:
    sync_openrouter()
    openrouter.chat[0] = {**CHAT[0], **odd}
    sync = sync_openrouter()
    assert (sync.removed, gone(), sync.error) == (0, [], "1 entry could not be read and was left out.")
    assert CatalogModel.objects.get(model_id="acme/model-0").input_price is not None
    openrouter.chat = CHAT[1:]
    assert sync_openrouter().removed == 1


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_list_of_embedding_models_that_does_not_come_takes_none_away(openrouter: OpenRouter, status: int) -> None:
    sync_openrouter()
    openrouter.embeddings = status
    openrouter.chat = CHAT[1:]
    sync = sync_openrouter()
    assert (sync.outcome, gone()) == (SyncOutcome.CHANGED, ["acme/model-0"])
    assert f"status {status}" in sync.error
    openrouter.embeddings = []
    sync_openrouter()
    assert set(gone()) == {"acme/embed", "acme/model-0"}


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    openrouter: OpenRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    sync_openrouter()
    openrouter.chat = [
        {**CHAT[0], "pricing": {**PRICES, "prompt": "0.000003"}},
        *CHAT[2:],
        {**CHAT[0], "id": "acme/new-1"},
        {**CHAT[0], "id": "acme/new-2"},
        {**CHAT[0], "id": "acme/new-3"},
    ]
    before = list(CatalogModel.objects.order_by("pk").values())
    counts = [table.objects.count() for table in (CatalogSync, CatalogChange, DatedPrice)]
    call_command("sync_catalog", "--source", "openrouter", "--dry-run")
    assert "OpenRouter: 123 listed, 3 added, 1 gone, 1 repriced" in capsys.readouterr().out
    assert list(CatalogModel.objects.order_by("pk").values()) == before
    assert [table.objects.count() for table in (CatalogSync, CatalogChange, DatedPrice)] == counts
    call_command("sync_catalog", "--source", "openrouter")
    assert "OpenRouter: 123 listed, 3 added, 1 gone, 1 repriced" in capsys.readouterr().out
    assert CatalogChange.objects.filter(kind=ChangeKind.ADDED).count() == 3
