"""The packaged catalog is there after a migration, once, and quick where nothing changed."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from byok.catalog.loading import load_packaged
from byok.catalog.packaged import read_packaged
from byok.models import CatalogChange, CatalogModel, CatalogSync, ChangeKind, SyncOutcome

pytestmark = pytest.mark.django_db


def test_a_migrated_database_has_the_catalog() -> None:
    packaged = read_packaged()
    assert CatalogModel.objects.filter(organization=None).count() == len(packaged.models)
    assert CatalogSync.objects.get(source="packaged").outcome == SyncOutcome.CHANGED
    assert not CatalogChange.objects.exists()


def test_a_second_load_asks_once_and_writes_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert load_packaged() is None
    assert len(queries) == 1


def test_a_forced_load_finds_nothing_new() -> None:
    before = list(CatalogModel.objects.order_by("pk").values())
    sync = load_packaged(force=True)
    assert sync is not None
    assert (sync.outcome, sync.added, sync.removed, sync.repriced) == (SyncOutcome.UNCHANGED, 0, 0, 0)
    assert list(CatalogModel.objects.order_by("pk").values()) == before
    assert not CatalogChange.objects.exists()


def test_what_an_upgrade_changes_is_noted() -> None:
    CatalogModel.objects.filter(route="openai", model_id="gpt-5").update(input_price=Decimal("9.99"), retired_on=None)
    CatalogModel.objects.filter(route="openai", model_id="o1").delete()
    CatalogModel.objects.create(
        route="openai", model_id="gone", vendor="openai", name="Gone", source="packaged", checked_on="2026-01-01"
    )
    load_packaged(force=True)
    found = {(change.model_id, change.kind): change for change in CatalogChange.objects.all()}
    assert set(found) == {
        ("gpt-5", ChangeKind.REPRICED),
        ("gpt-5", ChangeKind.RETIRED),
        ("o1", ChangeKind.ADDED),
        ("gone", ChangeKind.REMOVED),
    }
    repriced = found["gpt-5", ChangeKind.REPRICED]
    assert (repriced.before["input_price"], repriced.after["input_price"]) == ("9.99", "1.25")
    assert found["gpt-5", ChangeKind.RETIRED].after == {"retired_on": "2026-12-11", "successor": "gpt-6.1-sol"}
    assert CatalogModel.objects.get(model_id="gone").vanished_at is not None
