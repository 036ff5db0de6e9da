"""`GET /api/ai-models`: the filters of the page, exact prices, pages by cursor, unchanged answers not sent again."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from byok.models import CatalogModel
from leadagent.tenants.models import ApiToken, Organization, Role
from tests.byok.catalog_rows import add_model, fill_catalog
from tests.clients import client_of
from tests.factories import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_catalog")]

WHERE = "/api/ai-models"


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization, Role.VIEWER)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [model["id"] for model in answer.json()["data"]]


def test_a_model_in_full(client: Client) -> None:
    add_model(
        "openai/gpt-5", name="GPT-5", input_price=Decimal("1.2500000001"), output_price=Decimal(10), cache_read_price=Decimal(0),
        cache_write_price=None, popularity=3, successor="",
    )  # fmt: skip
    [model] = client.get(WHERE).json()["data"]
    assert model["prices"] == {
        "input": "1.2500000001", "output": "10", "cache_read": "0", "cache_write": None, "cache_write_1h": None, "source": "tests 1",
    }  # fmt: skip
    assert model["badges"] == ["popular"]
    assert model["best_for"].startswith("Complex reasoning")
    assert (model["context_window"], model["max_output"], model["tier"], model["kind"]) == (
        200_000,
        64_000,
        "balanced",
        "chat",
    )
    assert (model["released_on"], model["checked_on"], model["retired_on"]) == ("2026-01-15", "2026-11-01", None)
    assert (model["provider"], model["vendor"], model["successor"], model["is_own"]) == (
        "openrouter",
        "openai",
        None,
        False,
    )


def test_no_price_is_ever_a_float(client: Client) -> None:
    fill_catalog(40)
    floats: list[str] = []
    json.loads(client.get(WHERE, {"limit": "200"}).content, parse_float=floats.append)
    assert floats == []


def test_filters_are_those_of_the_page(client: Client) -> None:
    add_model("anthropic/claude", tier="premium")
    add_model("google/gemini", capabilities=["tools"], context_window=1_000_000, input_price=Decimal("0.1"))
    add_model("gpt-5", route="openai", vendor="openai")
    assert ids(client.get(WHERE, {"q": "claude"})) == ["anthropic/claude"]
    assert ids(client.get(WHERE, {"tier": "premium"})) == ["anthropic/claude"]
    assert ids(client.get(WHERE, {"provider": "openai"})) == ["gpt-5"]
    assert ids(client.get(WHERE, {"min_context": "1000000", "max_price": "0.1"})) == ["google/gemini"]
    assert set(ids(client.get(WHERE, {"capability": ["tools", "reasoning"]}))) == {"anthropic/claude", "gpt-5"}
    assert ids(client.get(WHERE, {"sort": "context", "limit": "1"})) == ["google/gemini"]


def test_pages_by_cursor(client: Client) -> None:
    fill_catalog(120)
    seen, cursor = [], ""
    for size in (50, 50, 20):
        answer = client.get(WHERE, {"sort": "price", "cursor": cursor})
        assert len(ids(answer)) == size
        seen += ids(answer)
        assert answer.json()["total"] == 120
        cursor = answer.json()["next_cursor"]
    assert cursor is None
    assert len(set(seen)) == 120
    assert len(ids(client.get(WHERE, {"limit": "200"}))) == 120


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", "0"), ("limit", "201"), ("limit", "x"), ("tier", "gold"), ("min_context", "x"), ("max_price", "NaN"),
     ("cursor", "x"), ("q", "a\0b"), ("capability", "fly"), ("vender", "openai")],
)  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_field(client: Client, field: str, value: str) -> None:
    answer = client.get(WHERE, {field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["code"] == "invalid"


def test_what_has_not_changed_is_not_sent_again(client: Client) -> None:
    fill_catalog(5)
    first = client.get(WHERE)
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get(WHERE, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert client.get(WHERE, {"limit": "2"}, headers={"If-None-Match": etag}).status_code == 200
    CatalogModel.objects.filter(model_id__endswith="0000").update(input_price=Decimal("9.99"))
    changed = client.get(WHERE, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_fine_tuned_models_are_their_owners(organization: Organization, client: Client) -> None:
    add_model("ft:mine", organization=organization)
    add_model("ft:theirs", organization=OrganizationFactory())
    [mine] = client.get(WHERE).json()["data"]
    assert (mine["id"], mine["is_own"], "own" in mine["badges"]) == ("ft:mine", True, True)


def test_a_token_reads_with_its_scope(organization: Organization) -> None:
    add_model("openai/gpt-5")
    _, token = ApiToken.issue(organization, name="CI", scopes=["config:read"], created_by=None)
    assert ids(Client().get(WHERE, headers={"Authorization": f"Bearer {token}"})) == ["openai/gpt-5"]
