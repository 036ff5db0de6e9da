"""The packaged catalog and the state of the tables: none yet, fewer than this code knows, two at once."""

import pytest
from django.core.management import call_command
from django.db import connection

from byok.catalog.loading import load_packaged
from byok.catalog.packaged import read_packaged
from byok.models import CatalogChange, CatalogModel, CatalogSync
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_migrations_can_be_taken_back_before_the_catalog_and_applied_again() -> None:
    try:
        call_command("migrate", "byok", "0005", verbosity=0)
        assert "byok_catalogmodel" not in connection.introspection.table_names()
    finally:
        call_command("migrate", verbosity=0)
    assert "byok_catalogmodel" in connection.introspection.table_names()


def test_two_that_load_at_once_load_it_once() -> None:
    CatalogModel.objects.all().delete()
    CatalogSync.objects.all().delete()
    ends = at_once(load_packaged, load_packaged)
    assert not [end for end in ends if isinstance(end, Exception)]
    assert CatalogModel.objects.count() == len(read_packaged().models)
    assert CatalogSync.objects.filter(source="packaged").count() == 1
    assert not CatalogChange.objects.exists()


@pytest.mark.parametrize("round_", [1, 2])
def test_a_test_that_empties_the_tables_leaves_the_catalog_to_the_next(round_: int) -> None:
    assert CatalogModel.objects.count() == len(read_packaged().models)
    assert load_packaged() is None
    # Numbers go on after what was put back.
    CatalogSync.objects.create(source="openrouter")
